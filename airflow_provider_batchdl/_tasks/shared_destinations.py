"""Checks that the mapped instances of a task do not replace each other's result."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import prod
from typing import Any

from airflow_provider_batchdl._tasks.destinations import as_given
from airflow_provider_batchdl._values.arguments import is_placeholder
from airflow_provider_batchdl._values.inputs import is_path
from airflow_provider_batchdl.exceptions import InvalidArgumentError

# Template variables with one value for all mapped task instances of a run.
_OF_THE_RUN = frozenset(
    {"conn", "conf", "dag", "dag_run", "data_interval_end", "data_interval_start", "ds", "ds_nodash", "logical_date"}
    | {"params", "run_id", "ts", "ts_nodash", "ts_nodash_with_tz", "var"}
)


def refuse_shared(destination: Any, *, keep: str, by: str = "each member") -> None:
    """Refuse a destination where each mapped task instance would replace the result of the others.

    A folder can be shared: the names in it are the vendor's, one for each job.

    Args:
        destination: as the author of the DAG wrote it.
        keep: the option ``keep``; with ``"latest"``, a folder has one result.
        by: who shares it, for the message.

    Raises:
        InvalidArgumentError: the destination is one object, or a folder for one result, and the same for all.
    """
    place = _as_text(destination)
    if place is not None and (keep == "latest" or not place.endswith("/")) and _is_same(place):
        raise InvalidArgumentError(
            f"The destination {place!r} is the same for {by} of a mapped task, and each would replace the "
            "result of the one before.",
            remedy="Put {{ ti.map_index }} into it, or map over the destination, too, with one for each member.",
        )


def refuse_repeated(mapped: Mapping[str, Any] | Sequence[Any], *, keep: str) -> None:
    """Refuse a destination that occurs twice among those that a task is mapped over, if literals in the DAG.

    Args:
        mapped: what ``expand(…)`` takes, by name, or the list of dicts that ``expand_kwargs(…)`` takes.
        keep: the option ``keep`` of the task.

    Raises:
        InvalidArgumentError: several mapped task instances share one.
    """
    if isinstance(mapped, Mapping):
        _refuse_repeats((place, keep) for place in _crossed(mapped))
    else:
        members = [member for member in mapped if isinstance(member, Mapping)]
        _refuse_repeats((member.get("destination"), member.get("keep", keep)) for member in members)


def _refuse_repeats(places: Iterable[tuple[Any, str]]) -> None:
    seen = set()
    for each, keep in places:
        place = _as_text(each)
        if place is None:
            continue
        same = _spelled_alike(place)
        if same in seen:
            refuse_shared(place, keep=keep, by="several members")
        seen.add(same)


def _spelled_alike(place: str) -> str:
    """A destination in one spelling: a scheme has any case, and a local path and S3 have more than one."""
    scheme, is_url, rest = place.partition("://")
    scheme = scheme.lower() if is_url else "file"
    if scheme in ("file", "local"):
        return rest or place
    return f"{'s3' if scheme in ('s3a', 's3n') else scheme}://{rest}"


def _as_text(destination: Any) -> str | None:
    """A destination, or path object, as text; None if only the task's run has it."""
    if isinstance(destination, str):
        return destination
    if not is_path(destination):
        return None
    given = as_given(destination)
    return given if isinstance(given, str) else str(given)


def _crossed(mapped: Mapping[str, Any]) -> list[Any]:
    """The destinations, each twice where each goes with more than one value of another argument."""
    places = mapped.get("destination")
    if not isinstance(places, list | tuple):
        return []
    others = [
        len(values) for name, values in mapped.items() if name != "destination" and isinstance(values, list | tuple)
    ]
    return [*places] * min(2, prod(others))


def _is_same(text: str) -> bool:
    if not is_placeholder(text):
        return True
    from jinja2 import Environment, TemplateSyntaxError, meta

    try:
        tree = Environment(autoescape=False).parse(text)  # noqa: S701  parsed only
    except TemplateSyntaxError:
        return False  # the task reports it when it runs
    return meta.find_undeclared_variables(tree) <= _OF_THE_RUN and "random" not in text
