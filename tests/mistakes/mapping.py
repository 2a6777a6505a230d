"""Mistakes in a mapped task: what the DAG says shows when it is parsed, what only a run says before its submit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from airflow.sdk import DAG

from airflow_provider_batchdl.exceptions import InvalidArgumentError, InvalidRequestError
from airflow_provider_batchdl.operators.download import DownloadBatchResultsOperator
from airflow_provider_batchdl.operators.run import BatchJobOperator
from airflow_provider_batchdl.sensors.job import BatchJobSensor
from airflow_provider_batchdl.task_groups import batch_job
from tests.mistakes import BEFORE_SUBMIT, ENDED, PARSE, Mistake
from tests.mistakes.desk import UPSTREAM, Desk, Shown

FILES = {"file": ["/data/a.csv", "/data/b.csv"]}
EACH = [{"file": "/data/a.csv"}, {"file": "/data/b.csv"}]
_TEMPLATE = "Correct the task's destination; where it is a template, see what it renders to."
_SHARED = "Put {{ ti.map_index }} into it, or map over the destination, too, with one for each member."
_GROUP = "batch_job can be mapped over conn_id, request, file, destination, partition_key with expand(), not over "


def _parsed(did: str, over: Any, says: str, remedy: str = "Correct the argument.", **constants: Any) -> Mistake:
    return Mistake(did, lambda desk: desk.parse_mapped(over, **constants), PARSE, InvalidArgumentError, says, remedy)


def _group(did: str, partial: dict[str, Any], over: Any, kind: type[BaseException], says: str, remedy: str) -> Mistake:
    """A mistake in a task group that is mapped."""

    def drive(desk: Desk) -> Shown:
        try:
            with DAG("parsed", schedule=None):
                batch_job.partial(conn_id="revenuebase_default", **partial).expand(**over)
        except Exception as error:  # noqa: BLE001 the test says of which class it must be
            return Shown((PARSE,), str(error), error)
        return Shown((PARSE,), "")

    return Mistake(did, drive, PARSE, kind, says, remedy)


def _after(value: Any, name: str, operator: Any = None, vendor: str = "revenuebase", **constants: Any) -> Any:
    """A task that is mapped over what a task upstream has returned: a list of this one value."""

    def drive(desk: Desk) -> Shown:
        desk.api.give_xcom("upstream", [value])
        more = {} if operator is None else {"operator": operator}
        return desk.run_mapped({name: UPSTREAM}, vendor=vendor, **more, **constants)

    return drive


def _by_default(argument: str, value: Any) -> Any:
    """A mapped task in a DAG with this among its `default_args`, which Airflow adds only where the task runs."""

    def drive(desk: Desk) -> Shown:
        try:
            with DAG("parsed", schedule=None, default_args={argument: value, "retries": 1}):
                BatchJobOperator.partial(task_id="task", conn_id="revenuebase_default").expand(**FILES)
        except Exception as error:  # noqa: BLE001 the test says of which class it must be
            return Shown((PARSE,), str(error), error)
        return Shown((PARSE,), "")

    return drive


def _at_one_place(desk: Desk) -> Shown:
    """Two members whose destination only their own templates know, one after the other."""
    jobs = [desk.emulator.add_job("revenuebase").id for _ in range(2)]
    destination = f"{{{{ task.conn_id and '{desk.folder}/out.csv' }}}}"
    return desk.run_mapped(
        {"job_id": jobs}, DownloadBatchResultsOperator, members=2, destination=destination, manifest=True
    )


MISTAKES: list[Mistake] = [
    Mistake(
        "misspells an option in the default_args of a mapped task",
        _by_default("if_exists", "skpi"),
        PARSE,
        InvalidArgumentError,
        'if_exists must be "replace", "error" or "skip", not \'skpi\'.',
        'Did you mean "skip"?',
    ),
    Mistake(
        "gives all members of a mapped task one object as destination by default_args",
        _by_default("destination", "/data/all.csv"),
        PARSE,
        InvalidArgumentError,
        "The destination '/data/all.csv' is the same for each member of a mapped task, …",
        _SHARED,
    ),
    _parsed(
        "misspells an option of a task that is mapped with expand()",
        FILES,
        'if_exists must be "replace", "error" or "skip", not \'skpi\'.',
        'Did you mean "skip"?',
        if_exists="skpi",
    ),
    _parsed(
        "maps a task over options of which one is misspelt",
        {"if_exists": ["replace", "skpi"]},
        'if_exists must be "replace", "error" or "skip", not \'skpi\'.',
        'Did you mean "skip"?',
    ),
    _parsed(
        "misspells an option in one dict of expand_kwargs()",
        [EACH[0], {**EACH[1], "on_empty": "land it"}],
        'on_empty must be "fail", "skip" or "land", not \'land it\'.',
        'Did you mean "land"?',
    ),
    _parsed(
        "gives a task that is mapped with expand_kwargs() a wrong option",
        EACH,
        "poll_interval must be seconds, more than 0 and at most ten years, or a timedelta, not -1.",
        poll_interval=-1,
    ),
    _parsed(
        "maps a task over files of which one is empty",
        {"file": ["/data/a.csv", ""]},
        "The file is the text '', which is no path.",
        "Check what its template renders to, …",
    ),
    _parsed(
        "maps a task over a dict",
        {"request": {"emails": ["a@b.example"]}},
        "request is mapped over a dict, which makes a task of each pair of a name and a value.",
        "Map it over a list: .expand(request=[…]).",
        vendor="proofy",
    ),
    _parsed(
        "maps a task over requests of which one is a list",
        {"request": [{"emails": ["a@b.example"]}, ["a@b.example"]]},
        "The request is of type list, and a request is a dict.",
        "Map the task over a list of requests: .expand(request=[…]) makes one task for each; a dict is no such list.",
        vendor="proofy",
    ),
    _parsed(
        "gives a relative destination in one dict of expand_kwargs()",
        [{**EACH[0], "destination": "/data/out/"}, {**EACH[1], "destination": "out/"}],
        "The destination 'out/' is relative to a folder that each worker has another of.",
        _TEMPLATE,
    ),
    _parsed(
        "gives all members of a mapped task one object as destination",
        FILES,
        "The destination '/data/out.csv' is the same for each member of a mapped task, and each would replace the "
        "result of the one before.",
        _SHARED,
        destination="/data/out.csv",
    ),
    _parsed(
        "gives all members of a mapped task one path object as destination",
        FILES,
        "The destination '/data/out-2.csv' is the same for each member of a mapped task, and each would replace the "
        "result of the one before.",
        _SHARED,
        destination=Path("/data/out-2.csv"),
    ),
    _parsed(
        "gives two members of a mapped task one object as destination",
        [{**each, "destination": "/data/{{ ds }}.csv"} for each in EACH],
        "The destination '/data/{{ ds }}.csv' is the same for several members of a mapped task, …",
        _SHARED,
    ),
    _group(
        "maps batch_job over a setting",
        FILES,
        {"timeout": [60, 120]},
        TypeError,
        f"{_GROUP}timeout; ",
        "expand_kwargs() maps over all arguments and cannot be used.",
    ),
    _group(
        "misspells an option of a batch_job that is mapped",
        {"if_exists": "skpi"},
        FILES,
        InvalidArgumentError,
        'if_exists must be "replace", "error" or "skip", not \'skpi\'.',
        'Did you mean "skip"?',
    ),
    _group(
        "gives all members of a mapped batch_job one object as destination",
        {"destination": "/data/out.csv"},
        FILES,
        InvalidArgumentError,
        "The destination '/data/out.csv' is the same for each member of a mapped task, …",
        _SHARED,
    ),
    _group(
        "maps batch_job over a dict",
        {},
        {"request": {"emails": ["a@b.example"]}},
        InvalidArgumentError,
        "request is mapped over a dict, which makes a task of each pair of a name and a value.",
        "Map it over a list: .expand(request=[…]).",
    ),
    _group(
        "maps batch_job over requests of which one is a list",
        {},
        {"request": [{"emails": ["a@b.example"]}, ["a@b.example"]]},
        InvalidArgumentError,
        "The request is of type list, and a request is a dict.",
        "Map the task over a list of requests: …",
    ),
    Mistake(
        "maps a task over destinations of which one's template renders to nothing",
        lambda desk: desk.run_mapped({"destination": ["{{ '' }}", f"{desk.folder}/out.csv"]}),
        BEFORE_SUBMIT,
        InvalidRequestError,
        "The destination rendered to an empty text.",
        "Check what its template renders to, …",
    ),
    Mistake(
        "names a file that does not exist in one dict of expand_kwargs()",
        lambda desk: desk.run_mapped([{"file": "{{ '/data' }}/no-such.csv"}]),
        BEFORE_SUBMIT,
        InvalidRequestError,
        "The file to submit, '…no-such.csv', does not exist.",
        "Check the task's file, and that what writes it comes before this task and writes to this worker's disk.",
    ),
    Mistake(
        "maps a task over a request that a template in it makes wrong",
        lambda desk: desk.run_mapped({"request": [{"emails": "{{ ['a@b.example'] }}"}]}, vendor="proofy"),
        BEFORE_SUBMIT,
        InvalidRequestError,
        "Proofy would not take this request: emails must be a list, …",
        "Correct the task's request.",
    ),
    Mistake(
        "maps a task over options that a task upstream has misspelt",
        _after("skpi", "if_exists"),
        BEFORE_SUBMIT,
        InvalidArgumentError,
        'if_exists must be "replace", "error" or "skip", not \'skpi\'.',
        'Did you mean "skip"?',
    ),
    Mistake(
        "maps a task over a relative destination that a task upstream gives",
        _after("out.csv", "destination"),
        BEFORE_SUBMIT,
        InvalidArgumentError,
        "The destination 'out.csv' is relative to a folder that each worker has another of.",
        _TEMPLATE,
    ),
    Mistake(
        "maps a task over the requests of a task upstream, one of which is a text",
        _after("a@b.example", "request", vendor="proofy"),
        BEFORE_SUBMIT,
        InvalidArgumentError,
        "The request is a text of 11 characters that is no JSON: …",
        "Give the other task's .output instead of a template, …",
    ),
    Mistake(
        "maps a sensor over jobs, not over their ids",
        _after({"id": "7", "state": "succeeded"}, "job_id", BatchJobSensor),
        BEFORE_SUBMIT,
        InvalidArgumentError,
        "The job_id is a dict, {'id': '7', …}, and an id is one text.",
        "Give its id: ….output['id'].",
    ),
    Mistake(
        "lets two members of a mapped task land at one place that only a run knows",
        _at_one_place,
        ENDED,
        None,
        "The result of job … replaces …/out.csv, which another member of this mapped task, or another task, has landed "
        "in the meantime (job …).",
        "Put {{ ti.map_index }} into the destination, or map over it, too.",
    ),
]
