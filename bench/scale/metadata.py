"""Fills the metadata database as ten thousand tasks that have just deferred would, through Airflow's own models.

A program of its own, since Airflow reads its configuration when it is imported: the order comes on standard input.
"""

from __future__ import annotations

import json
import random
import sys
from datetime import datetime, timedelta
from typing import Any

from airflow._shared.timezones import timezone
from airflow.models.connection import Connection
from airflow.models.dagbundle import DagBundleModel
from airflow.models.dagrun import DagRun
from airflow.models.serialized_dag import SerializedDagModel
from airflow.models.taskinstance import TaskInstance
from airflow.models.trigger import Trigger
from airflow.sdk import DAG
from airflow.serialization.definitions.dag import SerializedDAG
from airflow.serialization.serialized_objects import LazyDeserializedDAG
from airflow.utils.session import create_session
from airflow.utils.state import DagRunState, TaskInstanceState
from airflow.utils.types import DagRunTriggeredByType, DagRunType
from sqlalchemy import text
from sqlalchemy.orm import Session

from airflow_provider_batchdl.sensors.job import BatchJobSensor
from bench.scale.triggers import KINDS

DAG_ID = "scale"
BUNDLE = "scale"
TIMEOUT = timedelta(days=7)
AT_ONCE = 1000

# Every change of a waiting task instance, when it is made: what the scheduler would see, none overwritten by the next.
AUDIT = """
CREATE TABLE changes (
    at double precision, task_id text, map_index int, was text, state text, next_method text, next_kwargs text
);
CREATE FUNCTION record_change() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO changes VALUES (
        extract(epoch FROM clock_timestamp()), NEW.task_id, NEW.map_index, OLD.state, NEW.state, NEW.next_method,
        NEW.next_kwargs::text
    );
    RETURN NULL;
END $$;
CREATE TRIGGER record_change AFTER UPDATE OF state ON task_instance FOR EACH ROW EXECUTE FUNCTION record_change();
"""


def main() -> None:
    """Obey the order."""
    order: dict[str, Any] = json.load(sys.stdin)
    with create_session() as session:
        for connection in order["connections"]:
            session.add(Connection(**connection))
        run, serialized = _dag_run(order["ids"], session)
        rows = [(name, index, job_id) for name, ids in order["ids"].items() for index, job_id in enumerate(ids)]
        random.Random(0).shuffle(rows)  # tasks of all accounts defer at all times
        now = timezone.utcnow()
        for begin in range(0, len(rows), AT_ONCE):
            some = rows[begin : begin + AT_ONCE]
            triggers = [_trigger(order["kind"], f"{name}_default", job_id, now) for name, _, job_id in some]
            session.add_all(triggers)
            session.flush()  # gives them their ids
            session.add_all(
                _deferred(serialized.get_task(name), run, index, trigger, now)
                for (name, index, _), trigger in zip(some, triggers, strict=True)
            )
            session.flush()
        session.execute(text(AUDIT))
    with create_session() as session:
        session.execute(text("ANALYZE"))


def _dag_run(names: Any, session: Session) -> tuple[DagRun, SerializedDAG]:
    """A running DAG run, of a DAG with one mapped sensor for each account."""
    with DAG(DAG_ID, schedule=None) as dag:
        for name in names:
            # The rows below stand in for what it would expand to.
            BatchJobSensor.partial(task_id=name, conn_id=f"{name}_default", deferrable=True).expand(job_id=["one"])
    session.add(DagBundleModel(name=BUNDLE))
    session.flush()
    SerializedDAG.bulk_write_to_db(BUNDLE, None, [dag], session=session)
    SerializedDagModel.write_dag(LazyDeserializedDAG.from_dag(dag), bundle_name=BUNDLE, session=session)
    session.flush()
    stored = SerializedDagModel.get_dag(DAG_ID, session=session)
    assert stored is not None
    now = timezone.utcnow()
    run = stored.create_dagrun(
        run_id="run",
        run_after=now,
        run_type=DagRunType.MANUAL,
        triggered_by=DagRunTriggeredByType.TEST,
        state=DagRunState.RUNNING,
        start_date=now,
        session=session,
    )
    session.execute(text("DELETE FROM task_instance"))  # those of the mapped tasks come below, with their indexes
    return run, stored


def _trigger(kind: str, conn_id: str, job_id: str, now: datetime) -> Trigger:
    """A row as the Execution API makes it when a `BatchJobSensor` defers."""
    deadline = (now + TIMEOUT).timestamp()
    path, kwargs = KINDS[kind](conn_id, job_id, deadline=deadline, since=now.timestamp()).serialize()
    row = Trigger(classpath=path, kwargs={})
    row.encrypted_kwargs = json.dumps(kwargs)
    return row


def _deferred(task: Any, run: DagRun, index: int, trigger: Trigger, now: datetime) -> TaskInstance:
    row = TaskInstance(
        task, run.created_dag_version_id, run_id=run.run_id, state=TaskInstanceState.DEFERRED, map_index=index
    )
    row.try_number, row.start_date = 1, now
    row.trigger_id = trigger.id
    row.next_method, row.next_kwargs = "execute_complete", {}
    row.trigger_timeout = now + TIMEOUT
    return row


if __name__ == "__main__":
    main()
