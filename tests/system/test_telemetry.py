"""Metrics and spans of a run under a real scheduler and triggerer, as a StatsD server and a collector receive them."""

from __future__ import annotations

import json
import socket
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_batchdl.emulator import Emulator, Fault, ResultSpec
from demo.home import Settings
from tests.support.airflow_features import needs_task_spans
from tests.support.airflow_jobs import work
from tests.support.leaks import find_secrets
from tests.support.otlp_server import OtlpServer, Span
from tests.support.running import running
from tests.support.stack.local import LocalStack
from tests.support.statsd_server import Metric, StatsdServer

pytest.importorskip("statsd", reason="Airflow's metrics need its extra statsd")
# The whole DAG run is one fixture, which the first test pays for.
pytestmark = pytest.mark.timeout(1800)

DAG_ID = "telemetry"
# Jobs end when they were polled so often, a second apart, and Airflow has noticed the deferral everywhere.
POLLS = 5
FOREVER = 24 * 3600.0
SIGNATURE = "0123456789abcdef"
_DAG = """
import json
from airflow.sdk import DAG
from airflow_provider_batchdl.operators.download import DownloadBatchResultsOperator
from airflow_provider_batchdl.operators.run import BatchJobOperator

with DAG({dag_id!r}, schedule=None):
    for task in json.loads({runs!r}):
        BatchJobOperator(**task)
    DownloadBatchResultsOperator(**json.loads({download!r}))
"""


@dataclass
class Received:
    """What arrived of one run, and what it is compared with.

    Attributes:
        landings: what the tasks returned that landed something.
        triggerer: the UDP ports of the triggerer's processes.
    """

    statsd: StatsdServer
    otlp: OtlpServer
    vendors: Emulator
    landings: dict[str, Any]
    triggerer: set[int]

    def metrics(self, *, triggerer: bool) -> list[Metric]:
        """The provider's, from the triggerer's processes or from all others."""
        return [each for each in self.statsd.metrics("airflow.batchdl.") if (each.port in self.triggerer) == triggerer]

    def counters(self, *, triggerer: bool) -> dict[str, float]:
        """The counters' sums, by name without the prefix, with the tags: ``polls vendor=proofy kind=single``."""
        sums: Counter[str] = Counter()
        for each in self.metrics(triggerer=triggerer):
            if each.kind == "c":
                tags = "".join(f" {name}={value}" for name, value in each.tags.items())
                sums[each.name.removeprefix("airflow.batchdl.") + tags] += int(each.value)
        return dict(sums)

    def values(self, name: str, kind: str) -> list[Metric]:
        """The triggerer's values of a timer (``ms``) or gauge (``g``)."""
        found = [each for each in self.metrics(triggerer=True) if each.name == f"airflow.batchdl.{name}"]
        assert {each.kind for each in found} <= {kind}
        return found

    def polls(self, vendor: str) -> int:
        """How often a vendor was asked about a job while it was waited for; a download asks once more."""
        return polls_of(self.vendors, vendor) - 1

    def below(self, task_id: str) -> list[tuple[Span, Span]]:
        """The provider's spans of a task in order of time, each with the one that it is a child of."""
        known = {each.span_id: each for each in self.otlp.spans}
        pairs = [(each, known[each.parent_id]) for each in self.otlp.spans if each.name.startswith("batchdl.")]
        found = [(each, parent) for each, parent in pairs if parent.attributes["airflow.task_id"] == task_id]
        return sorted(found, key=lambda pair: pair[0].start)


def polls_of(vendors: Emulator, vendor: str) -> int:
    return sum(r.vendor == vendor and r.operation in ("status", "list") for r in vendors.requests)


@pytest.fixture(scope="module")
def received(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Received]:
    """The one run that all tests look at: a deferred job, one that a worker waits for, and a result that is gone."""
    with (
        running(StatsdServer()) as statsd,
        running(OtlpServer()) as otlp,
        Emulator(port=0, queue_seconds=0.0, run_seconds=FOREVER, rate_limits=False) as vendors,
        pytest.MonkeyPatch.context() as environment,
    ):
        environment.setenv("OTEL_TRACES_EXPORTER", "otlp_proto_http")
        environment.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", otlp.url)
        environment.setenv("OTEL_BSP_SCHEDULE_DELAY", "500")  # milliseconds
        # A datagram that the server has no room for is lost, and Airflow's own come by the hundred.
        metrics = {"statsd_on": True, "statsd_host": "127.0.0.1", "statsd_port": statsd.port}
        metrics["metrics_allow_list"] = "^batchdl"
        settings: Settings = {"metrics": {**metrics, "statsd_influxdb_enabled": True}, "traces": {"otel_on": True}}
        with LocalStack(tmp_path_factory.mktemp("telemetry"), settings) as stack:
            landings = run(stack, vendors, tmp_path_factory.mktemp("dags"))
            ports = {
                connection.laddr[1]
                for process in stack.processes("triggerer")
                for connection in process.net_connections("udp")
            }
            # Both send what they have kept when they end, and are not killed for taking their time.
            stack.wait("the tasks' processes to end", lambda: not stack.task_processes())
            stack.terminate("triggerer")
        yield Received(statsd, otlp, vendors, landings, ports)


def run(stack: LocalStack, vendors: Emulator, folder: Path) -> dict[str, Any]:
    """Run the DAG; what its tasks returned."""
    write_dag(folder, stack.home.landed, vendors)
    stack.prepare(folder, connections(vendors))
    run_id = stack.api.trigger(DAG_ID)
    jobs = ("apartmentiq", "proofy")
    stack.wait("polls of both jobs", lambda: all(polls_of(vendors, vendor) >= POLLS for vendor in jobs))
    stack.wait_until_noticed(DAG_ID, run_id, "deferred")
    for vendor in jobs:
        [job] = vendors.jobs(vendor)
        job.finish()
    stack.wait("the run to end", lambda: stack.api.run(DAG_ID, run_id)[0] in ("success", "failed"))
    tasks = {task.task_id: task for task in stack.api.tasks(DAG_ID, run_id)}
    assert {name: task.state for name, task in tasks.items()} == {
        "deferred": "success",
        "waiting": "success",
        "gone": "failed",
    }
    return {name: stack.api.returned(task) for name, task in tasks.items() if task.state == "success"}


def write_dag(folder: Path, landed: Path, vendors: Emulator) -> None:
    """The three tasks, and what they meet at the vendors."""
    place = f"file://{landed}/"
    runs = [
        {"task_id": "deferred", "deferrable": True, "destination": place, **work("apartmentiq", folder)},
        {"task_id": "waiting", "deferrable": False, "destination": place, **work("proofy", folder)},
    ]
    vendors.set_result("apartmentiq", ResultSpec(bytes=3_000_000))
    vendors.add_fault(Fault("status", vendor="apartmentiq", operation="submit", status=429, retry_after=0))
    vendors.add_fault(Fault("cut", vendor="apartmentiq", operation="store", after_bytes=1_000_000))
    job = vendors.add_job("batchcom", ResultSpec(bytes=3_000))
    # The store's words hold a signed link, as they do where a proxy answers with the address that it was asked for.
    body = f"no such object: https://store.example/x?X-Amz-Signature={SIGNATURE}&Expires=1"
    refused = Fault("status", vendor="batchcom", operation="store", status=404, body=body, content_type="text/plain")
    vendors.add_fault(replace(refused, times=99))
    download = {"task_id": "gone", "conn_id": "batchcom_default", "job_id": job.id, "destination": place}
    text = _DAG.format(dag_id=DAG_ID, runs=json.dumps(runs), download=json.dumps(download))
    (folder / f"{DAG_ID}.py").write_text(text)


def connections(vendors: Emulator) -> dict[str, dict[str, Any]]:
    found = {}
    for conn_id, fields in vendors.connections().items():
        extra = fields["extra"] if isinstance(fields["extra"], dict) else json.loads(fields["extra"] or "{}")
        pace = {"poll_interval": 1, "max_poll_interval": 1, "rate_limit": "1000/1"}
        found[conn_id] = {**fields, "extra": json.dumps({**extra, **pace})}
    return found


def test_what_a_deferred_task_counts_on_its_worker(received: Received) -> None:
    counters, landing = received.counters(triggerer=False), received.landings["deferred"]
    assert {name: value for name, value in counters.items() if "vendor=apartmentiq" in name} == {
        "retries vendor=apartmentiq operation=submit reason=rate_limited": 1,
        "submits vendor=apartmentiq": 1,
        "jobs vendor=apartmentiq state=succeeded": 1,
        "retries vendor=apartmentiq operation=download reason=dropped": 1,
        "downloads vendor=apartmentiq": 1,
        "download.files vendor=apartmentiq": 1,
        "download.bytes vendor=apartmentiq": landing["bytes"],
        "download.resumed vendor=apartmentiq": 1,
        "download.restarted vendor=apartmentiq": 0,
    }
    timers = [each for each in received.metrics(triggerer=False) if each.kind == "ms"]
    assert {each.name for each in timers} == {"airflow.batchdl.download.duration"}
    assert {each.tags["vendor"]: each.value for each in timers} == {
        landing["vendor"]: pytest.approx(landing["seconds"] * 1000, abs=0.01) for landing in received.landings.values()
    }


def test_what_a_task_counts_that_waits_on_its_worker(received: Received) -> None:
    counters, landing = received.counters(triggerer=False), received.landings["waiting"]
    assert {name: value for name, value in counters.items() if "vendor=proofy" in name} == {
        "submits vendor=proofy": 1,
        "polls vendor=proofy kind=single": received.polls("proofy"),
        "jobs vendor=proofy state=succeeded": 1,
        "downloads vendor=proofy": 1,
        "download.files vendor=proofy": 1,
        "download.bytes vendor=proofy": landing["bytes"],
        "download.resumed vendor=proofy": 0,
        "download.restarted vendor=proofy": 0,
    }


def test_what_the_triggerer_sends_from_its_own_process(received: Received) -> None:
    polls = received.polls("apartmentiq")
    assert received.counters(triggerer=True) == {"polls vendor=apartmentiq kind=single": polls}
    lags, unseen = received.values("poll.lag", "ms"), received.values("poll.unseen", "ms")
    assert (len(lags), len(unseen)) == (polls, 1)
    assert all(each.tags == {"vendor": "apartmentiq"} and each.value > 0 for each in lags + unseen)
    waits = received.values("waits", "g")
    assert {each.value for each in waits[:-1]} == {1}
    assert waits[-1].value == 0
    assert all(each.tags == {"vendor": "apartmentiq", "hostname": socket.gethostname()} for each in waits)


@needs_task_spans
def test_spans_are_children_of_the_tasks(received: Received) -> None:
    names = {
        "deferred": ["batchdl.submit", "batchdl.download"],
        "waiting": ["batchdl.submit", "batchdl.wait", "batchdl.download"],
        "gone": ["batchdl.download"],
    }
    for task_id, expected in names.items():
        pairs = received.below(task_id)
        assert [each.name for each, _ in pairs] == expected
        for each, parent in pairs:
            assert parent.name == f"worker.{task_id}"
            assert each.trace_id == parent.trace_id
            assert parent.start <= each.start <= each.end <= parent.end
    [(_, before), (_, after)] = received.below("deferred")
    assert before.span_id != after.span_id  # a worker's process before the deferral, and one after
    assert len({each.trace_id for each in received.otlp.spans if each.name.startswith(("batchdl.", "trigger."))}) == 1
    assert [each.attributes["airflow.task_id"] for each in received.otlp.spans if each.name.startswith("trigger.")] == [
        "deferred"
    ]


@needs_task_spans
def test_spans_say_what_was_done(received: Received) -> None:
    for task_id, landing in received.landings.items():
        known = {"batchdl.vendor": landing["vendor"], "batchdl.job_id": landing["job_id"]}
        *others, download = [each for each, _ in received.below(task_id)]
        assert [each.attributes for each in others] == [known] * len(others)
        assert download.attributes == known | {
            "batchdl.files": 1,
            "batchdl.bytes": landing["bytes"],
            "batchdl.rows": landing["files"][0]["rows"],
            "batchdl.connections": landing["connections"],
            "batchdl.resumed": landing["resumed"],
            "batchdl.restarted": 0,
        }
        assert not any(each.failed or each.events for each in (*others, download))


@needs_task_spans
def test_a_span_that_ends_with_an_error_says_so(received: Received) -> None:
    [(download, _)] = received.below("gone")
    [job] = received.vendors.jobs("batchcom")
    assert download.attributes == {"batchdl.vendor": "batchcom", "batchdl.job_id": job.id}
    assert download.failed
    assert download.status.startswith("ResultExpiredError: ")
    assert set(download.events) == {"exception"}
    assert set(download.events["exception"]) == {"exception.type", "exception.message"}


def test_nothing_that_was_sent_holds_a_secret(received: Received) -> None:
    datagrams = b"\n".join(datagram for datagram, _ in received.statsd.datagrams)
    text = (datagrams + b"\n".join(received.otlp.requests)).decode("latin-1")
    assert "batchdl.submits" in text
    assert not find_secrets(text)
    assert SIGNATURE not in text
    for credentials in received.vendors.credentials.values():
        assert credentials.password not in text
