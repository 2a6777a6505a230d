"""The control surface: what a test in another process does over HTTP."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Any

from airflow_provider_batchdl.emulator.exchange import Api, BadBodyError, Call, Endpoint, Reply, json_reply
from airflow_provider_batchdl.emulator.faults import Fault
from airflow_provider_batchdl.emulator.jobs import EmulatedJob
from airflow_provider_batchdl.emulator.openapi import document
from airflow_provider_batchdl.emulator.states import VENDORS
from airflow_provider_batchdl.emulator.synthetic import ResultSpec
from airflow_provider_batchdl.emulator.world import World

BASE = "/_emulator"


def job_view(job: EmulatedJob) -> dict[str, Any]:
    """Return a job as JSON."""
    return {
        "id": job.id,
        "vendor": job.vendor,
        "vendor_state": job.vendor_state,
        "submitted_at": job.submitted_at,
        "filename": job.filename,
        "cancelled": job.cancelled,
    }


class Control(Api):
    """Routes under ``/_emulator``, and ``/openapi.json``. None is logged, limited or harmed by faults."""

    vendor = "emulator"

    def __init__(self, world: World, host: Any, apis: list[Api]) -> None:
        super().__init__(world)
        self._host = host
        self._apis = apis

    def endpoints(self) -> list[Endpoint]:
        """Return the routes."""
        routes = [
            ("health", "GET", f"{BASE}/health", self.health),
            ("connections", "GET", f"{BASE}/connections", self.connections),
            ("jobs", "GET", f"{BASE}/jobs", self.jobs),
            ("requests", "GET", f"{BASE}/requests", self.requests),
            ("add_job", "POST", f"{BASE}/jobs", self.add_job),
            ("add_fault", "POST", f"{BASE}/faults", self.add_fault),
            ("reset", "POST", f"{BASE}/reset", self.reset),
            ("openapi", "GET", "/openapi.json", self.openapi),
        ]
        return [Endpoint(name, method, path, handler, open=True) for name, method, path, handler in routes]

    def error(self, status: int, message: str) -> Reply:
        """Return an error."""
        return json_reply(status, {"error": message})

    async def health(self, call: Call) -> Reply:
        """Say that the server is up."""
        return json_reply(200, {"status": "ok", "time": time.time(), "emulated_time": self.world.clock.time()})

    async def connections(self, call: Call) -> Reply:
        """Return Airflow connections by id."""
        return json_reply(200, self._host.connections())

    async def jobs(self, call: Call) -> Reply:
        """Return every job."""
        return json_reply(200, {"jobs": [job_view(job) for vendor in VENDORS for job in self.world.jobs(vendor)]})

    async def requests(self, call: Call) -> Reply:
        """Return the request log."""
        return json_reply(200, {"requests": [asdict(record) for record in self.world.log.snapshot()]})

    async def add_job(self, call: Call) -> Reply:
        """Add a job: ``{"vendor", "state"?, "filename"?, "message"?, "dated"?, "result"?}``.

        The result has the fields of `ResultSpec`.
        """
        body = await call.json_object()
        try:
            result = ResultSpec(**body["result"]) if body.get("result") else None
            job = self._host.add_job(
                body.get("vendor", ""), result, body.get("state", "succeeded"), body.get("filename")
            )
        except (TypeError, ValueError) as problem:
            raise BadBodyError(str(problem)) from None
        job.message, job.dated = body.get("message", job.message), body.get("dated")
        return json_reply(201, job_view(job))

    async def add_fault(self, call: Call) -> Reply:
        """Order a fault: the fields of `Fault` as JSON."""
        body = await call.json_object()
        try:
            self.world.faults.add(Fault(**body))
        except (TypeError, ValueError) as problem:
            raise BadBodyError(str(problem)) from None
        return json_reply(201, {"ordered": body["kind"]})

    async def reset(self, call: Call) -> Reply:
        """Go back to the seed state."""
        self.world.reset()
        return json_reply(200, {"status": "ok"})

    async def openapi(self, call: Call) -> Reply:
        """Describe the vendors' routes as OpenAPI."""
        return json_reply(200, document(self._apis, self.world.origin))
