"""Differences between Airflow's versions in the models of its database, which the page "Batch jobs" reads."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from airflow_provider_batchdl._airflow.compat import TASK_INSTANCE_IDS

if TYPE_CHECKING:
    from datetime import datetime


def same_task_instance(model: Any, task_instance: Any) -> list[Any]:
    """The conditions by which rows of ``model`` are of the task instance, or of what has the ids of one."""
    return [getattr(model, name) == getattr(task_instance, name) for name in TASK_INSTANCE_IDS]


def stored_task_state(session: Any, task_instance: Any, key: str) -> Any:
    """A value of Airflow's task state store, read in the API server; None without one, and before Airflow 3.3."""
    import json

    from sqlalchemy import select

    try:
        from airflow.models.task_state_store import TaskStateStoreModel as Model
    except ImportError:  # before Airflow 3.3
        return None
    same: list[Any] = [getattr(Model, name) == getattr(task_instance, name) for name in TASK_INSTANCE_IDS[:3]]
    # Airflow 3.4 has another name for it.
    index: Any = Model.map_index if hasattr(Model, "map_index") else Model.region_index  # type: ignore[attr-defined,unused-ignore]
    same.append(index == task_instance.map_index)
    stored = session.scalar(select(Model.value).where(Model.key == key, *same))
    try:
        return json.loads(stored)
    except (TypeError, ValueError):  # none, or one that a store of the user's own keeps elsewhere
        return None


def tries_of(session: Any, task_instance: Any) -> Iterator[tuple[int, datetime | None, datetime | None, str | None]]:
    """Number, start, end and state of each try of a task instance, read in the API server."""
    from airflow.models.taskinstance import TaskInstance
    from sqlalchemy import select

    models: list[Any] = [TaskInstance]
    try:
        from airflow.models.taskinstancehistory import TaskInstanceHistory
    except ImportError:
        pass  # from Airflow 3.4 on, each try is a task instance; a query that does not ask for all sees the last
    else:
        models.append(TaskInstanceHistory)
    for model in models:
        wanted = select(model.try_number, model.start_date, model.end_date, model.state)
        wanted = wanted.where(*same_task_instance(model, task_instance))
        yield from session.execute(wanted.execution_options(include_all_attempts=True))


def is_of_task_instance(xcom: Any, task_instance: Any) -> Any:
    """The condition that joins the models of XComs and of task instances.

    From Airflow 3.4 on, an XCom belongs to one try, and those of former tries are still there.
    """
    from sqlalchemy import and_

    if hasattr(xcom, "task_instance_id"):
        return xcom.task_instance_id == task_instance.id
    return and_(*same_task_instance(xcom, task_instance))
