"""ApartmentIQ's bulk API.

Sources: the vendor's OpenAPI document of the results call and its pages on jobs, errors, limits and authentication.
"""

from __future__ import annotations

import math
import uuid
from datetime import UTC, datetime
from typing import Any

from airflow_provider_batchdl.emulator.apis.apartmentiq_pages import PAGE_SPEC, page_of
from airflow_provider_batchdl.emulator.apis.apartmentiq_requests import SUBMIT_SPEC, problem_of, recipe_for
from airflow_provider_batchdl.emulator.downloads import result_content
from airflow_provider_batchdl.emulator.exchange import (
    Api,
    BadBodyError,
    Call,
    Endpoint,
    Reply,
    json_reply,
    redirect_reply,
    text_reply,
)
from airflow_provider_batchdl.emulator.jobs import EmulatedJob
from airflow_provider_batchdl.emulator.limits import FixedWindow
from airflow_provider_batchdl.emulator.naming import result_names
from airflow_provider_batchdl.emulator.states import Phase
from airflow_provider_batchdl.emulator.store import link_to

BASE = "/apartmentiq/api"
LIMIT, WINDOW = 100, 300
"""100 requests per five minutes: third party; the vendor says not to rely on a number."""
QUOTA_LIMIT = 5000


class ApartmentIQ(Api):
    """Routes under ``/apartmentiq/api``, and the token endpoint at the origin's ``/oauth/token``."""

    vendor = "apartmentiq"

    def own_endpoints(self) -> list[Endpoint]:
        """Return the routes of jobs."""
        jobs = f"{BASE}/v1/bulk_api/jobs"
        return [
            Endpoint("submit", "POST", jobs, self.submit, SUBMIT_SPEC),
            Endpoint("list", "GET", jobs, self.listing, PAGE_SPEC),
            Endpoint("status", "GET", f"{jobs}/{{job_id}}", self.status),
            Endpoint("cancel", "DELETE", f"{jobs}/{{job_id}}", self.cancel),
            Endpoint("download", "GET", f"{jobs}/{{job_id}}/results", self.results),
        ]

    def error(self, status: int, message: str, error: str = "") -> Reply:
        """Return the documented error object."""
        names = {401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 400: "Invalid parameter"}
        title = error or names.get(status, message)
        return json_reply(status, {"error": title} if title == message else {"error": title, "message": message})

    def guard(self, call: Call, endpoint: Endpoint) -> Reply | None:
        """Check the bearer token and the limit."""
        scheme, _, token = call.header("authorization").partition(" ")
        if scheme.lower() != "bearer" or not self.world.accounts.knows_token(
            self.vendor, token, self.world.clock.time()
        ):
            return self.error(401, "Missing or invalid bearer token")
        verdict = self.world.take("apartmentiq", "account", lambda: FixedWindow(LIMIT, WINDOW, aligned=False))
        if verdict.allowed or not self.world.rate_limits:
            return None
        wait = max(1, math.ceil(verdict.reset_after))
        headers = [
            ("x-ratelimit-limit", str(verdict.limit)),
            ("x-ratelimit-reset-after", str(wait)),
            ("x-ratelimit-reset", str(math.ceil(self.world.clock.time() + verdict.reset_after))),
            ("retry-after", str(wait)),
        ]
        return text_reply(429, "You have exceeded the rate limit for this API.", "text/plain; charset=utf-8", headers)

    # --- jobs

    async def submit(self, call: Call) -> Reply:
        """Create a job; 201 is an inference, the page shows no status.

        ``callback_url`` is checked and never called: what the vendor sends there is documented nowhere.
        """
        try:
            body = await call.json_object()
        except BadBodyError as problem:
            return self.error(400, str(problem), "Bad Request")
        if problem_text := problem_of(body):
            return json_reply(400, {"error": problem_text})
        if self.world.accounts.quota_exceeded.get(self.vendor):
            return json_reply(
                429,
                {
                    "error": "Trial API quota limit exceeded",
                    "quota_limit": QUOTA_LIMIT,
                    "quota_usage": QUOTA_LIMIT + 1,
                },
            )
        job = self.world.add_job(self.vendor, request=body, recipe=recipe_for(body, self.world.seed))
        job.names = result_names(job, body["output_format"])
        return json_reply(201, self._describe(job))

    def _describe(self, job: EmulatedJob) -> dict[str, Any]:
        """Return the job object (vendor's documentation)."""
        request = job.request or {
            "report_type": "property",
            "output_format": job.result.format_for(self.vendor) if job.result else "csv",
            "property_ids": [1],
            "start_date": "2025-01-01",
            "end_date": "2025-01-31",
        }
        names = ("report_type", "output_format", "property_ids", "start_date", "end_date", "callback_url")
        message = job.message or "The job failed" if job.phase is Phase.FAILED else None
        return {
            "job_id": job.id,
            "status": job.vendor_state,
            **{name: request.get(name) for name in names},
            "property_ids": sorted(request["property_ids"]),  # in an order of its own, as Batch.com shows its lists
            "error_message": message,
            "created_at": job.dated or _moment(job.submitted_at),
            "updated_at": _moment(job.changed_at),
        }

    def _find(self, call: Call) -> EmulatedJob | Reply:
        """Return the job that a path names, or the documented refusal."""
        try:
            job_id = str(uuid.UUID(call.params["job_id"]))
        except ValueError:
            return self.error(400, "job_id must be a valid UUID")
        return self.world.job(self.vendor, job_id) or self.error(404, "Job with the specified ID does not exist")

    async def listing(self, call: Call) -> Reply:
        """Return a page of jobs, newest first (vendor's documentation)."""
        jobs = [self._describe(job) for job in self.world.jobs(self.vendor)[::-1]]
        if call.faulty("endless_list"):
            page = call.query.get("page", "1")
            invented = {"job_id": str(uuid.uuid4()), "status": "submitted", "report_type": "property"}
            total = (int(page) if page.isascii() and page.isdecimal() else 1) + 1
            return json_reply(200, {"jobs": [*jobs[:99], invented], "pagination": {"total_pages": total}})
        return page_of(self, call, "jobs", jobs)

    async def status(self, call: Call) -> Reply:
        """Return one job. Somebody else's job is a 403; that this one has no body is an inference ("some 403")."""
        job = self._find(call)
        if isinstance(job, Reply):
            return job
        return text_reply(403, b"", "") if job.forbidden else json_reply(200, self._describe(job))

    async def cancel(self, call: Call) -> Reply:
        """Cancel a job; that a finished one answers "Invalid operation" is an inference."""
        job = self._find(call)
        if isinstance(job, Reply):
            return job
        if job.forbidden:
            return text_reply(403, b"", "")
        if job.phase.is_terminal:
            return self.error(400, f"Job cannot be cancelled because it is {job.vendor_state}", "Invalid operation")
        job.ask_to_cancel(lingering=False)
        return json_reply(200, self._describe(job))

    async def results(self, call: Call) -> Reply:
        """Redirect to the results in the store: 302 to a link of seven days (vendor's OpenAPI)."""
        job = self._find(call)
        if isinstance(job, Reply):
            return job
        if job.forbidden:
            return self.error(403, "You do not have permission to download results for this job")
        if job.phase is not Phase.SUCCEEDED:
            message = "Results are not available because the job has not completed successfully"
            return self.error(400, message, "Invalid operation")
        await result_content(call, job)
        stored = self.world.links.store(f"apartmentiq-bulk/{job.id}/{job.part_name(1)}", job, 1)
        return redirect_reply(302, link_to(self.world, stored))


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
