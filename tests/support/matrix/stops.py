"""Where the matrix' tasks stop to be killed: a task that gets there says so by a file, and goes no further."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from airflow.sdk import get_current_context

from airflow_provider_batchdl.operators.run import BatchJobOperator

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow.sdk import Context

# Far longer than a test waits; a task that nobody kills ends by itself.
STOP_SECONDS = 1500


class Stops:
    """The stops of all tasks, in a folder that Airflow's processes and the test share."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def reached(self, dag_id: str, run_id: str, task_id: str) -> bool:
        """Whether a task has come to its stop."""
        return self._file(dag_id, run_id, task_id).exists()

    def hook(self) -> Callable[..., None]:
        """A ``pre_execute`` or ``post_execute`` that stops the first try; later ones pass."""

        def stop(context: Context, _result: Any = None) -> None:
            self.stop(context)

        return stop

    def stop(self, context: Context) -> None:
        """Stop here, in the first try.

        Raises:
            RuntimeError: nobody has killed the task.
        """
        ti = context["ti"]
        if ti.try_number > 1:
            return
        self._folder.mkdir(exist_ok=True)
        self._file(ti.dag_id, ti.run_id, ti.task_id).touch()
        time.sleep(STOP_SECONDS)
        raise RuntimeError("was to be killed")

    def _file(self, dag_id: str, run_id: str, task_id: str) -> Path:
        return self._folder / f"{dag_id}.{run_id.replace(':', '')}.{task_id}"


class StopsBeforeItDefers(BatchJobOperator):
    """Stops when it has submitted and is about to tell Airflow that it defers."""

    def __init__(self, *, stops: Stops, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.stops = stops

    def defer(self, **arguments: Any) -> NoReturn:
        """Stop, and defer in a later try only."""
        self.stops.stop(get_current_context())
        super().defer(**arguments)


class StopsWhenItResumes(BatchJobOperator):
    """Stops when the trigger has fired and the task is back on a worker."""

    def __init__(self, *, stops: Stops, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.stops = stops

    def execute_complete(self, context: Context, event: dict[str, Any], wait: dict[str, Any] | None = None) -> Any:
        """Stop, and go on in a later try only."""
        self.stops.stop(context)
        return super().execute_complete(context, event, wait)
