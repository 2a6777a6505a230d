"""Warnings for DAG authors at parse time: a task without retries may pay twice, two at one place keep one result."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

# The function: of a module with operators, Airflow replaces the global `warnings` by one that counts frames of its own.
from warnings import warn

from airflow_provider_batchdl._tasks.arguments import ChecksArguments
from airflow_provider_batchdl._values.inputs import refuse_lost_members

if TYPE_CHECKING:
    from airflow.sdk.definitions.mappedoperator import OperatorPartial

_NOT_THE_AUTHORS = ("airflow.", "airflow_provider_batchdl.")


class RetriesWarning(UserWarning):
    """A task that submits has no retries, as by Airflow's defaults."""


class DestinationWarning(UserWarning):
    """Two tasks of a DAG land at one destination."""


class SubmitsJobs(ChecksArguments):
    """Operator that submits or resumes a job: without retries, a failure costs a job."""

    request: dict[str, Any] | str | None
    file: str | None

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        warn_without_retries(self.task_id, self.retries)

    def _refuse_lost_input(self) -> None:
        """Refuse to submit what a template lost: both rendered to None, or a member of the request to its text."""
        if (self.request, self.file) == (None, None):
            self._refuse_lost("request", "file")
        refuse_lost_members("request", self._written.get("request"), self.request)

    @classmethod
    def partial(cls, **kwargs: Any) -> OperatorPartial:
        """As ``BaseOperator.partial``, with the warning for a mapped task without retries."""
        made = super().partial(**kwargs)
        warn_without_retries(made.kwargs["task_id"], made.kwargs["retries"])
        return made


def warn_without_retries(task_id: str, retries: int | None) -> None:
    """Warn of a task that has no retries: by itself, by ``default_args`` or by ``[core] default_task_retries``."""
    if not retries:
        warn(
            f"Task {task_id!r} has retries=0: when its only try fails, its job is paid for and a clear pays for "
            "another, where a retry would resume it; set retries=2 or more, here or in default_args.",
            RetriesWarning,
            stacklevel=_frames_to_author(),
        )


def warn_of_one_place(task_id: str, other: str, destination: Any) -> None:
    """Warn of two tasks of a DAG that land at one destination, as far as the DAG file shows it."""
    warn(
        f"Tasks {other!r} and {task_id!r} have one destination, {str(destination)!r}, and the later result replaces "
        "the earlier one; give each its own.",
        DestinationWarning,
        stacklevel=_frames_to_author(),
    )


def _frames_to_author() -> int:
    """Depth of the DAG file in the stack, as ``stacklevel`` of `warnings.warn` in the caller."""
    frame, depth = sys._getframe(1), 1
    while frame.f_back is not None and f"{frame.f_globals.get('__name__')}.".startswith(_NOT_THE_AUTHORS):
        frame, depth = frame.f_back, depth + 1
    return depth
