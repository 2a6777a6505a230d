"""Airflow's API server in a process of its own: users of several rights, and jobs as tasks leave them in its database.

``python -m tests.support.ui_server JOBS.json`` prints one line, the JSON ``{"url": …, "tokens": {user: …}}``, serves on
loopback, and ends when its standard input does.
"""

from __future__ import annotations

import json
import socket
import ssl
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from airflow_provider_batchdl._airflow.compat import has_page_sessions, ui_path
from tests.support.server_process import server_process
from tests.support.stack.programs import ProgramMissing
from tests.support.stack.servers import postgres

ROOT = Path(__file__).resolve().parents[2]
TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Never used, as it is plain HTTP: httpx would read the system's certificates for each client."""
# "stranger" may do what an admin may, but not with the DAG "private", nor with the connection "private_account".
# "narrow" may see no audit log and no assets, and "user", with Airflow's role of that name, no connections.
USERS = {"admin": "admin", "op": "op", "viewer": "viewer", "stranger": "admin", "narrow": "admin", "user": "user"}
PRIVATE_DAG = "private"
PRIVATE_CONNECTION = "private_account"
COOKIE = "_token"
DATABASES = ["sqlite", pytest.param("postgresql", marks=pytest.mark.long)]


@dataclass
class SeededJob:
    """One task instance and what it left behind.

    Attributes:
        note: the XCom ``batchdl_job``; None for a task of somebody else's.
        xcoms: its other XComs.
        poll: the XCom ``batchdl_poll``, of 40 seconds ago; its times are added.
        poll_stored_in: hours until it counts as stored. The page adds up what was stored in the last minutes, and it is
            to be among that however long the tests before take.
        record: what is in the task state store, where there is one.
        trigger: the arguments of its trigger, where it is deferred.
        assets: URIs of the assets that it has an event of.
        actions: what users did to it: events of Airflow's audit log.
    """

    note: Any = None
    dag_id: str = "nightly"
    run_id: str = "scheduled__2026-11-28T22:00:00+00:00"
    task_id: str = "land"
    map_index: int = -1
    state: str | None = "success"
    hours_ago: float = 5.0
    try_number: int = 1
    xcoms: dict[str, Any] = field(default_factory=dict)
    poll: dict[str, Any] | None = None
    poll_stored_in: float = 1.0
    record: dict[str, Any] | None = None
    trigger: dict[str, Any] | None = None
    assets: list[str] = field(default_factory=list)
    actions: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class UiServer:
    """A running server.

    Attributes:
        url: where it is, with the path of ``[api] base_url``.
        tokens: JSON web tokens by user.
    """

    url: str
    tokens: Mapping[str, str]

    def browser(self, user: str | None = "admin") -> httpx.Client:
        """A client with a user's session cookie, as a browser has it; without one for None."""
        cookies = {} if user is None else {COOKIE: self.tokens[user]}
        return httpx.Client(base_url=f"{self.url}/batchdl", cookies=cookies, trust_env=False, timeout=60, verify=TLS)


@contextmanager
def database(kind: str) -> Iterator[dict[str, str]]:
    """Have a database of one of the :data:`DATABASES`, for one server: the variables by which it is found."""
    with ExitStack() as stack:
        variables = {}
        if kind == "postgresql":
            try:
                _, variables["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] = stack.enter_context(postgres())
            except ProgramMissing as missing:
                pytest.skip(str(missing))
        yield variables


@contextmanager
def ui_server(
    home: Path, jobs: list[SeededJob], connections: Mapping[str, str], **variables: str
) -> Iterator[UiServer]:
    """Run a server.

    Args:
        home: an empty folder for its configuration and database.
        jobs: what is in its database.
        connections: the database's connections, as JSON by id.
        variables: more of its environment.
    """
    if not has_page_sessions():
        pytest.skip("Airflow 3.1.0 has no session of plugins' pages")
    settings = {
        "PYTHONPATH": str(ROOT),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__AUTH_MANAGER": "tests.support.ui_auth.PerDagAuthManager",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": ",".join(f"{user}:{role}" for user, role in USERS.items()),
        "_AIRFLOW_PROCESS_CONTEXT": "server",
        **variables,
    }
    seed = home / "seed.json"
    seed.write_text(json.dumps({"jobs": [asdict(job) for job in jobs], "connections": dict(connections)}))
    with server_process(home, ["-m", "tests.support.ui_server", str(seed)], settings) as told:
        yield UiServer(**told)


def main() -> None:
    """Serve until standard input ends."""
    import uvicorn
    from airflow.api_fastapi.app import create_app, get_auth_manager
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
    from airflow.models import import_all_models
    from airflow.models.base import Base
    from airflow.settings import engine

    prepare: Any = import_all_models
    prepare()
    Base.metadata.create_all(engine)
    seed = json.loads(Path(sys.argv[1]).read_text())
    store([SeededJob(**job) for job in seed["jobs"]], seed["connections"])
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()  # what asks before uvicorn is ready waits
        server = uvicorn.Server(uvicorn.Config(create_app(apps="core"), log_level="warning"))
        threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True).start()
        users = {name: SimpleAuthManagerUser(username=name, role=role.upper()) for name, role in USERS.items()}
        tokens = {name: get_auth_manager().generate_jwt(user) for name, user in users.items()}
        url = f"http://127.0.0.1:{listener.getsockname()[1]}{ui_path('')}"
        sys.stdout.write(json.dumps({"url": url, "tokens": tokens}) + "\n")
        sys.stdout.flush()
        sys.stdin.read()
        server.should_exit = True


def store(jobs: list[SeededJob], connections: Mapping[str, str]) -> None:
    """Put jobs and connections into Airflow's database."""
    from airflow.models import Connection, DagModel, DagRun, TaskInstance
    from airflow.models.dagbundle import DagBundleModel
    from airflow.models.trigger import Trigger
    from airflow.utils.session import create_session
    from sqlalchemy import insert, text

    from airflow_provider_batchdl._values.times import now, rfc3339

    at = now()
    with create_session(scoped=False) as session:
        session.execute(insert(DagBundleModel), [{"name": "dags"}])
        make_dag: Any = DagModel
        dag_ids = sorted({job.dag_id for job in jobs})
        session.add_all(make_dag(dag_id=dag_id, bundle_name="dags", fileloc="") for dag_id in dag_ids)
        session.flush()
        runs = {(job.dag_id, job.run_id): number for number, job in enumerate(jobs, 1)}
        more = {"run_type": "scheduled", "state": "success", "run_after": at, "start_date": at}
        rows = [{"id": number, "dag_id": dag, "run_id": run, **more} for (dag, run), number in runs.items()]
        session.execute(insert(DagRun), rows) if rows else None
        for job in jobs:
            place = {name: getattr(job, name) for name in ("dag_id", "run_id", "task_id", "map_index")}
            then = at - timedelta(hours=job.hours_ago)
            trigger_id = None
            if job.trigger is not None:
                trigger = Trigger("airflow_provider_batchdl.triggers.job.BatchJobTrigger", job.trigger)
                session.add(trigger)
                session.flush()
                trigger_id = trigger.id
            ended = None if job.state in ("running", "deferred") else then + timedelta(minutes=7)
            facts = {"state": job.state, "try_number": job.try_number, "start_date": then, "end_date": ended}
            facts |= {"pool": "default_pool", "operator": "BatchJobOperator", "max_tries": 0, "trigger_id": trigger_id}
            facts |= {"id": _uuid()} | ({"span_status": "not_started"} if hasattr(TaskInstance, "span_status") else {})
            session.execute(insert(TaskInstance).values(**place, **facts))
            for number in range(1, job.try_number):
                began = then - timedelta(hours=1)
                _store_earlier_try(session, {"try_number": number, "start_date": began, "end_date": then, **place})
            left = dict(job.xcoms) if job.note is None else {"batchdl_job": job.note, **job.xcoms}
            where = {"dag_run_id": runs[job.dag_id, job.run_id], **place, "timestamp": then}
            if job.poll is not None:
                polled = at - timedelta(seconds=40)
                times = {"polled_at": rfc3339(polled), "next_poll_at": rfc3339(polled + timedelta(seconds=30))}
                facts_of_it = {"key": "batchdl_poll", "value": times | job.poll, **where}
                facts_of_it["timestamp"] = at + timedelta(hours=job.poll_stored_in)
                _store_xcom(session, facts["id"], facts_of_it)
            for key, value in left.items():
                _store_xcom(session, facts["id"], {"key": key, "value": value, **where})
            if job.record is not None:
                _store_record(session, job.record, where)
            _store_events(session, job)
        for conn_id, described in connections.items():
            session.add(Connection.from_json(described, conn_id))
        if session.get_bind().dialect.name == "postgresql":
            # As its autovacuum does within a minute. Until then, plans are those for empty tables, and take seconds.
            session.execute(text("ANALYZE"))


def _store_earlier_try(session: Any, facts: dict[str, Any]) -> None:
    from airflow.models import TaskInstance
    from sqlalchemy import insert

    facts |= {"state": "failed", "pool": "default_pool"}
    try:
        from airflow.models.taskinstancehistory import TaskInstanceHistory
    except ImportError:  # Airflow 3.4
        session.execute(insert(TaskInstance).values(id=_uuid(), working_set=False, archived_reason="retry", **facts))
    else:
        session.execute(insert(TaskInstanceHistory).values(task_instance_id=_uuid(), **facts))


def _store_xcom(session: Any, ti_id: Any, facts: dict[str, Any]) -> None:
    from airflow.models import xcom
    from sqlalchemy import insert

    if hasattr(xcom, "XComModelV2"):  # Airflow 3.4
        facts = {name: facts[name] for name in ("key", "value", "timestamp")} | {"task_instance_id": ti_id}
        session.execute(insert(xcom.XComModelV2).values(**facts))
    else:
        session.execute(insert(xcom.XComModel).values(**facts))


def _store_events(session: Any, job: SeededJob) -> None:
    from airflow.models.asset import AssetEvent, AssetModel
    from airflow.models.log import Log

    place = {name: getattr(job, name) for name in ("dag_id", "run_id", "task_id", "map_index")}
    make_asset: Any = AssetModel
    make_event: Any = AssetEvent
    for uri in job.assets:
        asset = make_asset(name=uri, uri=uri, group="")
        session.add(asset)
        session.flush()
        source = {f"source_{name}": value for name, value in place.items()}
        session.add(make_event(asset_id=asset.id, extra={}, **source))
    make_entry: Any = Log
    for event in job.actions:
        session.add(make_entry(event, owner="alice", **place))


def _store_record(session: Any, record: Mapping[str, Any], where: Mapping[str, Any]) -> None:
    try:
        from airflow.models.task_state_store import TaskStateStoreModel
    except ImportError:  # before Airflow 3.3
        return
    facts = {name: value for name, value in where.items() if name != "timestamp"}
    if not hasattr(TaskStateStoreModel, "map_index"):  # Airflow 3.4
        facts["region_index"] = facts.pop("map_index")
    session.add(TaskStateStoreModel(key="batchdl_job", value=json.dumps(record), **facts))


def _uuid() -> Any:
    import uuid

    from airflow.models import TaskInstance

    made = uuid.uuid4()
    return str(made) if TaskInstance.__table__.c.id.type.python_type is str else made


if __name__ == "__main__":
    main()
