"""The spans below a task's own, as OpenTelemetry's SDK exports them; and that there are none without it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from opentelemetry import trace

from airflow_provider_batchdl._airflow.tracing import span
from airflow_provider_batchdl.emulator import Emulator, Fault, ResultSpec
from airflow_provider_batchdl.operators.run import BatchJobOperator
from tests.support.airflow_api import ExecutionApi, in_runtime
from tests.support.airflow_features import needs_task_state_store
from tests.support.airflow_fixtures import Polls
from tests.support.airflow_jobs import VENDORS, download, work
from tests.support.leaks import find_secrets

pytest.importorskip("airflow.sdk._shared.observability.traces", reason="the task's span is Airflow 3.2's and later")


@dataclass
class Spans:
    """What was exported."""

    exporter: Any
    tracer: Any

    @contextmanager
    def of_task(self, *, sampled: bool = True) -> Iterator[Any]:
        """The span that Airflow's worker makes of a task, below the one that the scheduler handed it."""
        from airflow.sdk._shared.observability.traces import new_dagrun_trace_carrier
        from airflow.sdk.execution_time import task_runner

        carrier = new_dagrun_trace_carrier()
        if not sampled:
            carrier["traceparent"] = carrier["traceparent"][:-2] + "00"
        details: Any = SimpleNamespace(ti=in_runtime(context_carrier=carrier))
        with task_runner._make_task_span(details) as current:
            yield current

    @property
    def ours(self) -> list[Any]:
        """The provider's, in the order in which they ended."""
        return [each for each in self.exporter.get_finished_spans() if each.name.startswith("batchdl.")]

    @property
    def text(self) -> str:
        """Everything that would be sent."""
        return "\n".join(each.to_json() for each in self.exporter.get_finished_spans())


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Spans:
    """Tracing is on, as `[traces] otel_on` turns it on, and what is exported stays here."""
    from airflow.sdk.execution_time import task_runner
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    # The process has one provider, which can be set once; a test gives it back.
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", provider)
    tracer = provider.get_tracer("airflow")
    monkeypatch.setattr(task_runner, "tracer", tracer)
    return Spans(exporter, tracer)


def run(vendor: str, folder: Path, **arguments: Any) -> Callable[[], BatchJobOperator]:
    return partial(BatchJobOperator, task_id="run", destination=f"{folder}/out/", **work(vendor, folder), **arguments)


@pytest.mark.parametrize("vendor", VENDORS)
def test_submit_wait_and_download_are_children_of_the_task(
    connections: Emulator, api: ExecutionApi, polls: Polls, tmp_path: Path, spans: Spans, vendor: str
) -> None:
    with spans.of_task() as task:
        outcome = api.run(run(vendor, tmp_path))
    assert outcome.state == "success", outcome.error
    assert [each.name for each in spans.ours] == ["batchdl.submit", "batchdl.wait", "batchdl.download"]
    for each in spans.ours:
        assert each.parent.span_id == task.get_span_context().span_id
        assert each.status.status_code is trace.StatusCode.UNSET
        assert each.attributes["batchdl.vendor"] == vendor
        assert each.attributes["batchdl.job_id"] == outcome.value["job_id"]
    assert {name: value for name, value in spans.ours[-1].attributes.items() if name != "batchdl.rows"} == {
        "batchdl.vendor": vendor,
        "batchdl.job_id": outcome.value["job_id"],
        "batchdl.files": len(outcome.value["files"]),
        "batchdl.bytes": outcome.value["bytes"],
        "batchdl.connections": 1,
        "batchdl.resumed": 0,
        "batchdl.restarted": 0,
    }
    assert spans.ours[-1].attributes.get("batchdl.rows") == outcome.value["files"][0]["rows"]
    assert not find_secrets(spans.text)


def test_a_deferred_task_has_the_spans_of_its_two_parts(
    connections: Emulator, api: ExecutionApi, polls: Polls, tmp_path: Path, spans: Spans
) -> None:
    """In between, Airflow's own span of the trigger tells of the wait."""
    with spans.of_task():
        outcome = api.run_to_end(run("revenuebase", tmp_path, deferrable=True))
    assert outcome.state == "success", outcome.error
    assert [each.name for each in spans.ours] == ["batchdl.submit", "batchdl.download"]


@needs_task_state_store
def test_a_retrys_decision_has_the_span_of_airflows_own(
    connections: Emulator, api: ExecutionApi, polls: Polls, tmp_path: Path, spans: Spans
) -> None:
    """Names and attributes as in Airflow 3.4's `ResumableJobMixin`."""
    connections.world.run_seconds = 3600
    with spans.of_task() as task:
        for try_number in (1, 2):
            api.run(run("proofy", tmp_path, deferrable=True), try_number=try_number)
    found = [each for each in spans.exporter.get_finished_spans() if each.name == "resumable_job.resume_decision"]
    assert {each.parent.span_id for each in found} == {task.get_span_context().span_id}
    common = {"operator": "BatchJobOperator", "resumable.external_id_key": "batchdl_job"}
    [job] = connections.jobs("proofy")
    first, second = (dict(each.attributes) for each in found)
    assert first == {**common, "resumable.decision": "fresh_submit"}
    assert second.pop("resumable.prior_status")
    assert second == {**common, "resumable.decision": "reconnect", "resumable.external_id": job.id}


def test_a_download_that_broke_says_how_often(
    connections: Emulator, api: ExecutionApi, polls: Polls, tmp_path: Path, spans: Spans
) -> None:
    job = connections.add_job("apartmentiq", ResultSpec(bytes=3_000_000))
    connections.add_fault(Fault("cut", operation="store", after_bytes=1_000_000, times=2))
    with spans.of_task():
        outcome = api.run(download(job, tmp_path))
    assert outcome.state == "success", outcome.error
    [ended] = spans.ours
    assert ended.attributes["batchdl.resumed"] == 2
    assert not find_secrets(spans.text)


def test_an_error_is_recorded_without_secrets(
    connections: Emulator, api: ExecutionApi, polls: Polls, tmp_path: Path, spans: Spans
) -> None:
    """The store's words hold a signed link, as they do where a proxy answers with the address that it was asked for."""
    job = connections.add_job("apartmentiq", ResultSpec(bytes=3_000))
    body = "no such object: https://store.example/x?X-Amz-Signature=0123456789abcdef&Expires=1"
    connections.add_fault(
        Fault("status", operation="store", status=404, body=body, content_type="text/plain", times=99)
    )
    with spans.of_task():
        outcome = api.run(download(job, tmp_path))
    assert outcome.state == "up_for_retry"
    [ended] = spans.ours
    assert ended.status.status_code is trace.StatusCode.ERROR
    assert ended.status.description.startswith("ResultExpiredError: ")
    [event] = ended.events
    assert event.name == "exception"
    assert event.attributes["exception.type"] == "ResultExpiredError"
    assert "X-Amz-Signature=***" in event.attributes["exception.message"]
    assert set(event.attributes) == {"exception.type", "exception.message"}  # a traceback may hold anything
    assert "0123456789abcdef" not in spans.text
    assert not find_secrets(spans.text)


def test_a_job_that_fails_ends_the_wait_with_an_error(
    connections: Emulator, api: ExecutionApi, polls: Polls, tmp_path: Path, spans: Spans
) -> None:
    connections.world.run_seconds = 3600

    def fail() -> None:
        connections.jobs("revenuebase")[0].fail()

    polls.before_next(fail)
    with spans.of_task():
        outcome = api.run(run("revenuebase", tmp_path))
    assert outcome.state == "up_for_retry"
    assert [(each.name, each.status.status_code.name) for each in spans.ours] == [
        ("batchdl.submit", "UNSET"),
        ("batchdl.wait", "ERROR"),
    ]


@pytest.mark.parametrize("how", ["no task's span", "not sampled"])
def test_where_the_task_is_not_traced_nothing_is(
    connections: Emulator, api: ExecutionApi, polls: Polls, tmp_path: Path, spans: Spans, how: str
) -> None:
    if how == "not sampled":
        with spans.of_task(sampled=False):
            outcome = api.run(run("revenuebase", tmp_path))
    else:
        outcome = api.run(run("revenuebase", tmp_path))
    assert outcome.state == "success", outcome.error
    assert spans.ours == []


def test_attributes_pass_the_redactor(spans: Spans) -> None:
    with spans.of_task(), span("submit", vendor="https://a.example/?sig=0123456789") as note:
        note(job_id="https://user:hunter2hunter2@b.example/", rows=None)
    [made] = spans.ours
    assert dict(made.attributes) == {
        "batchdl.vendor": "https://a.example/?sig=***",
        "batchdl.job_id": "https://***@b.example/",
    }


def test_without_opentelemetry_it_is_not_imported() -> None:
    """The module and a whole span, in a process of its own that refuses the import."""
    code = (
        "import json, sys\n"
        "sys.modules['opentelemetry'] = None\n"
        "from airflow_provider_batchdl._airflow.tracing import span\n"
        "with span('submit', vendor='proofy') as note:\n"
        "    note(job_id='1')\n"
        "print(json.dumps([name for name in sys.modules if name.startswith('opentelemetry')]))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=240, check=True)
    assert json.loads(done.stdout) == ["opentelemetry"]
