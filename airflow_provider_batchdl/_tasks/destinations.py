"""Checks of destinations: in the DAG file, and rendered, before a job is paid for."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from math import prod
from typing import TYPE_CHECKING, Any

from airflow_provider_batchdl._redaction.redactor import get_logger
from airflow_provider_batchdl._values.arguments import is_placeholder
from airflow_provider_batchdl._values.inputs import is_path
from airflow_provider_batchdl.exceptions import BatchDlError, InvalidArgumentError

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_batchdl.options import DownloadOptions

log = get_logger(__name__)

# Template variables with one value for all mapped task instances of a run.
_OF_THE_RUN = frozenset(
    {"conn", "conf", "dag", "dag_run", "data_interval_end", "data_interval_start", "ds", "ds_nodash", "logical_date"}
    | {"params", "run_id", "ts", "ts_nodash", "ts_nodash_with_tz", "var"}
)


def check_place(destination: Any, options: DownloadOptions | None = None) -> None:
    """Refuse a destination that cannot be used; with ``options``, check at the store, too."""
    from airflow_provider_batchdl.hooks._storage import destination_at

    place = destination_at(destination)
    if options is not None:
        from airflow_provider_batchdl.transfer.probe import probe

        probe(place, options)


def warn_of_replacing(
    destination: Any, options: DownloadOptions, context: Context, vendor: str, own_jobs: Collection[str]
) -> None:
    """Log a warning if the manifest at a destination names another job's result, which would be replaced.

    With ``keep="latest"`` the user wants that, unless the result was written after the run started: then it is another
    task's, or another mapped task instance's.
    """
    if destination is None:
        return
    from airflow_provider_batchdl.hooks._storage import destination_at
    from airflow_provider_batchdl.transfer.probe import to_be_replaced

    record = None
    with suppress(BatchDlError):  # it was checked already, so this is a store that cannot be reached at the moment
        record = to_be_replaced(destination_at(destination), options)
    landing = record.landing if record else None
    if record is None or landing is None or (landing.vendor == vendor and landing.job_id in own_jobs):
        return
    if options.keep == "latest":
        started: Any = getattr(context.get("dag_run"), "start_date", None)
        if started is None or record.written is None or record.written.timestamp() < started.timestamp():
            return
        remedy = "Give each its own destination"
    else:
        remedy = 'Give each its own destination, or set keep="latest" if only the last result is wanted'
    others = f" and {len(landing.files) - 1} more" if len(landing.files) > 1 else ""
    log.warning(
        "The new job will replace the result of job %s, %s%s, written by another task, run or mapped instance. %s",
        landing.job_id,
        landing.files[0].uri,
        others,
        remedy,
    )


def warn_of_members(destination: Any, options: DownloadOptions, context: Context, vendor: str, job_id: str) -> None:
    """Log a warning if a mapped task is about to replace what another instance of it landed during this run.

    :func:`warn_of_replacing` before the submit, and the check of the DAG file, cannot see it: mapped instances that run
    at once only see of each other what has landed. With ``if_exists="error"`` the download refuses it.
    """
    ti: Any = context["ti"]
    # A later try may replace what an earlier one of its own has published.
    started = getattr(context.get("dag_run"), "start_date", None) if ti.try_number == 1 else ti.start_date
    is_mapped = ti.map_index is not None and ti.map_index >= 0
    if destination is None or options.if_exists == "error" or not is_mapped or started is None:
        return
    from airflow_provider_batchdl.hooks._storage import destination_at
    from airflow_provider_batchdl.transfer.probe import to_be_replaced, written_at

    with suppress(BatchDlError):  # the download reports the error
        place = destination_at(destination)
        record = to_be_replaced(place, options)
        landing = record.landing if record else None
        if landing is not None and (landing.vendor, landing.job_id) == (vendor, job_id):
            return
        written = record.written if record and landing else written_at(place)
        if written is not None and written.timestamp() >= started.timestamp():
            log.warning(
                "The result of job %s replaces %s, which another member of this mapped task, or another task, has "
                "landed in the meantime%s. Put {{ ti.map_index }} into the destination, or map over it, too.",
                job_id,
                place.uri,
                f" (job {landing.job_id})" if landing else "",
            )


def as_given(destination: Any) -> Any:
    """The argument ``destination``; a path object's trailing slash, which rendering would drop, is restored."""
    # An ObjectStoragePath, of universal-pathlib since 0.3 or before; to import it would make every DAG file slow.
    if hasattr(destination, "__wrapped__") or hasattr(destination, "_raw_paths"):
        from airflow_provider_batchdl.hooks._storage import was_written_as_folder

        text = str(destination)
        return f"{text.rstrip('/')}/" if was_written_as_folder(destination) else destination
    return destination


def refuse_shared(destination: Any, *, keep: str, by: str = "each member") -> None:
    """Refuse a destination where each mapped task instance would replace the result of the others.

    A folder can be shared: the names in it are the vendor's, one for each job.
    """
    if is_one_place(destination, keep=keep):
        raise InvalidArgumentError(
            f"The destination {_as_text(destination)!r} is the same for {by} of a mapped task, and each would replace "
            "the result of the one before.",
            remedy="Put {{ ti.map_index }} into it, or map over the destination, too, with one for each member.",
        )


def is_one_place(destination: Any, *, keep: str) -> bool:
    """True if two results with this destination replace each other, whichever task or mapped instance lands them."""
    place = _as_text(destination)
    return place is not None and (keep == "latest" or not place.endswith("/")) and _is_same(place)


def refuse_input(destination: Any, file: Any) -> None:
    """Refuse a destination that is the file to submit, as far as both are known: the result would replace it."""
    texts = [_as_text(destination), _as_text(file)]
    place, source = (None if text is None or is_placeholder(text) else _location(text) for text in texts)
    if place is not None and place == source:
        raise InvalidArgumentError(
            f"The destination {texts[0]!r} is the file that is submitted, and the result would replace it.",
            remedy="Give the result another destination.",
        )


def refuse_unparsable(request: Any, destination: Any) -> None:
    """Refuse a request for a file that no XCom can hold, without a destination: the job would be paid for."""
    if destination is None and isinstance(request, Mapping) and request.get("output_format") == "parquet":
        raise InvalidArgumentError(
            "The request is for a Parquet file, and without a destination the result is an XCom, which cannot hold "
            "one.",
            remedy="Set a destination.",
        )


def _location(place: str) -> str:
    same = _spelled_alike(place)
    return same if "://" in same else os.path.realpath(os.path.expanduser(same))  # noqa: PTH111


def refuse_repeated(mapped: Mapping[str, Any] | Sequence[Any], *, keep: str) -> None:
    """Refuse a destination that occurs twice among those that a task is mapped over, if literals in the DAG."""
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
    """A destination in one spelling: a scheme has any case, and a local path and the stores have more than one."""
    from airflow_provider_batchdl.hooks._storage import usual_scheme

    scheme, is_url, rest = place.partition("://")
    scheme = usual_scheme(scheme.lower()) if is_url else "file"
    return rest or place if scheme == "file" else f"{scheme}://{rest}"


def _as_text(destination: Any) -> str | None:
    """A destination, or path object, as text; None if only the task's run has it."""
    if isinstance(destination, str):
        return destination
    if not is_path(destination):
        return None
    return str(as_given(destination))


def _crossed(mapped: Mapping[str, Any]) -> list[Any]:
    """The destinations of ``expand``; each twice if another argument has more than one value, as with a product."""
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
