"""Telling a user who ends a task from a machine that goes away: only the first means that the job is not wanted."""

from __future__ import annotations

from typing import Any


def task_state(ti: Any) -> str | None:
    """The task instance's state, as Airflow has it now; None where it is gone. Blocks.

    ``on_kill`` is also called when a worker's pod is evicted (the state is still ``running`` then) and when another
    triggerer takes a trigger over (``deferred``).
    """
    from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

    map_index = -1 if ti.map_index is None else ti.map_index
    states = RuntimeTaskInstance.get_task_states(
        dag_id=ti.dag_id, task_ids=[ti.task_id], run_ids=[ti.run_id], map_index=map_index
    )
    # A mapped task's instance goes by another name in the answer.
    name = ti.task_id if map_index < 0 else f"{ti.task_id}_{map_index}"
    state = states.get(ti.run_id, {}).get(name)
    return None if state is None else str(getattr(state, "value", state))
