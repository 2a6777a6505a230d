"""Mistakes in a task's options: what is no template shows when the DAG is parsed.

tests/_tasks/test_arguments.py has each of them for every operator, sensor, trigger and group that takes the argument.
"""

from __future__ import annotations

from typing import Any

from airflow_provider_batchdl.exceptions import InvalidArgumentError
from airflow_provider_batchdl.sensors.job import BatchJobSensor
from airflow_provider_batchdl.task_groups import batch_job
from tests.mistakes import PARSE, Mistake

_SPAN = "seconds, more than 0 and at most ten years, or a timedelta"
_FLAG = "True or False"
_COUNT = "a whole number, 1 or more"


def _refused(argument: str, value: Any, wanted: str, remedy: str = "Correct the argument.") -> Mistake:
    return Mistake(
        f"gives BatchJobOperator {argument}={value!r}",
        lambda desk: desk.parse(**{argument: value}),
        PARSE,
        InvalidArgumentError,
        f"{argument} must be {wanted}, not {value!r}.",
        remedy,
    )


MISTAKES: list[Mistake] = [
    _refused("if_exists", "skpi", '"replace", "error" or "skip"', 'Did you mean "skip"?'),
    _refused("keep", "newest", '"all" or "latest"'),
    _refused("on_empty", "land it", '"fail", "skip" or "land"', 'Did you mean "land"?'),
    _refused("on_uncertain_submit", "again", '"fail" or "resubmit"'),
    _refused("on_changed_input", "ignore", '"fail" or "resubmit"'),
    _refused("max_connections", -3, _COUNT),
    _refused("max_xcom_bytes", -1, "a whole number, 0 or more"),
    _refused("poll_interval", -1, _SPAN),
    _refused("poll_interval", "60", _SPAN),
    _refused("max_poll_interval", 0, _SPAN),
    Mistake(
        "gives BatchJobOperator a max_poll_interval below its poll_interval",
        lambda desk: desk.parse(poll_interval=60, max_poll_interval=30),
        PARSE,
        InvalidArgumentError,
        "max_poll_interval must be at least the poll_interval, which is 60, not 30.",
        "Correct the argument.",
    ),
    _refused("timeout", 0, _SPAN),
    _refused("deferrable", "yes", _FLAG),
    _refused("sha256", "no", 'True, False or "required"'),
    _refused("conn_id", "", "a text that is not empty"),
    Mistake(
        "gives BatchJobSensor poke_interval=0",
        lambda desk: desk.parse(BatchJobSensor, job_id="1", poke_interval=0),
        PARSE,
        InvalidArgumentError,
        f"poke_interval must be {_SPAN}, not 0.",
        "Correct the argument.",
    ),
    Mistake(
        "gives BatchJobOperator an option as a template, which it does not render",
        lambda desk: desk.parse(if_exists="{{ params.if_exists }}"),
        PARSE,
        InvalidArgumentError,
        'if_exists must be "replace", "error" or "skip", and has a template, which is not rendered there.',
        "Correct the argument.",
    ),
    Mistake(
        "misspells the name of one of batch_job's options",
        lambda desk: desk.parse(lambda task_id, **given: batch_job(**given), if_exist="skip"),
        PARSE,
        TypeError,
        "There is no option 'if_exist': did you mean 'if_exists'?",
        "",
    ),
    Mistake(
        "gives batch_job a group_id, as a task group of Airflow's has",
        lambda desk: desk.parse(lambda task_id, **given: batch_job(**given), group_id="verify"),
        PARSE,
        TypeError,
        "batch_job has no argument 'group_id'.",
        "Call batch_job.override(group_id=…)(…) instead.",
    ),
    Mistake(
        "gives BatchJobOperator an empty partition_key",
        lambda desk: desk.parse(partition_key=["2026-10-01", ""]),
        PARSE,
        InvalidArgumentError,
        "The partition_key '' is not a text of 1 to 250 characters.",
        "leave partition_key out for the partition of the run itself",
    ),
]
