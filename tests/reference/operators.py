"""docs/operators.md: every argument of each operator, from signatures and docstrings."""

from __future__ import annotations

import inspect
from collections import defaultdict
from typing import Any, NamedTuple

from airflow_provider_batchdl.operators.cancel import CancelBatchJobOperator
from airflow_provider_batchdl.operators.download import DownloadBatchResultsOperator
from airflow_provider_batchdl.operators.run import BatchJobOperator
from airflow_provider_batchdl.operators.submit import SubmitBatchJobOperator
from airflow_provider_batchdl.options import DownloadOptions
from airflow_provider_batchdl.sensors.job import BatchJobSensor
from airflow_provider_batchdl.task_groups import batch_job
from tests.reference import DOCS
from tests.reference.docstrings import cell, entries, prose

PATH = DOCS / "operators.md"
PACKAGE = "airflow_provider_batchdl"
CLASSES: tuple[type[Any], ...] = (
    BatchJobOperator,
    SubmitBatchJobOperator,
    BatchJobSensor,
    DownloadBatchResultsOperator,
    CancelBatchJobOperator,
)

HEAD = """\
# Operators and sensor

Written from the source by `make reference`; do not edit. They take the connection of any vendor: its type picks the
vendor, whose [`request` and `file`](vendors.md) differ. Beside these arguments, each takes those of Airflow's
`BaseOperator` (`retries`, `pool`, `execution_timeout`, …), and the sensor those of `BaseSensorOperator`.

"Templated" arguments may hold Jinja and outputs of other tasks. All arguments can be mapped with
`.partial(…).expand(…)`. A wrong value is an error when the DAG is parsed. The [Python API](api.md)
has methods and types."""


class Argument(NamedTuple):
    """One argument: its name, its default as in the source, "required" without one, and what it says."""

    name: str
    default: str
    text: str


def _function(documented: Any) -> Any:
    return getattr(documented, "function", documented)


def _default(parameter: inspect.Parameter) -> str:
    if parameter.default is inspect.Parameter.empty:
        return "required"
    return f"`{parameter.default!r}`".replace("'", '"')


def arguments(documented: Any) -> list[Argument]:
    """The arguments of an operator's class, those of its bases in this package included, or of the task group."""
    sources = (
        [each for each in documented.__mro__ if each.__module__.startswith(PACKAGE)]
        if isinstance(documented, type)
        else [_function(documented)]
    )
    texts = entries(DownloadOptions)
    for each in reversed(sources):
        texts |= entries(each)
    found: dict[str, Argument] = {}
    for source in sources:
        if isinstance(source, type) and "__init__" not in vars(source):
            continue
        for parameter in inspect.signature(
            vars(source)["__init__"] if isinstance(source, type) else source
        ).parameters.values():
            if parameter.name != "self" and parameter.kind is not inspect.Parameter.VAR_KEYWORD:
                text = texts.get(parameter.name)
                assert text, f"{documented} does not document {parameter.name}"
                found.setdefault(parameter.name, Argument(parameter.name, _default(parameter), text))
    return sorted(found.values(), key=lambda each: each.default != "required")


def _section(name: str, documented: Any, module: str, templated: list[str]) -> str:
    rows = [f"| `{each.name}` | {cell(each.default)} | {cell(each.text)} |" for each in arguments(documented)]
    names = ", ".join(f"`{each}`" for each in templated)
    return "\n".join(
        [
            f"## {name}",
            "",
            f"`from {module} import {name}`",
            "",
            prose(_function(documented)),
            "",
            f"Templated: {names}.",
            "",
            "| argument | default | is |",
            "|---|---|---|",
            *rows,
        ]
    )


def _index() -> str:
    takers: dict[str, list[str]] = defaultdict(list)
    for each in (*CLASSES, batch_job):
        name = _function(each).__name__
        for argument in arguments(each):
            takers[argument.name].append(f"[{name}](#{name.lower()})")
    parts = [f"### {name}\n\nArgument of {', '.join(takers[name])}." for name in sorted(takers)]
    return "\n\n".join(["## Arguments from A to Z", *parts])


def rendered() -> str:
    """The page's text."""
    from airflow_provider_batchdl.task_groups import MAPPABLE

    sections = [_section(each.__name__, each, each.__module__, list(each.template_fields)) for each in CLASSES]
    group = _section("batch_job", batch_job, f"{PACKAGE}.task_groups", list(MAPPABLE))
    return "\n\n".join([HEAD, *sections, group, _index()]) + "\n"
