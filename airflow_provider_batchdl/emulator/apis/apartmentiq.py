"""ApartmentIQ's bulk API.

Sources: the vendor's OpenAPI document of the results call and its pages on jobs, errors, limits and authentication.
"""

from __future__ import annotations

import math
import uuid
from datetime import UTC, datetime
from typing import Any

from airflow_provider_batchdl.emulator.accounts import TOKEN_SECONDS
from airflow_provider_batchdl.emulator.apis.apartmentiq_requests import SUBMIT_SPEC, problem_of, recipe_for
from airflow_provider_batchdl.emulator.downloads import result_content
from airflow_provider_batchdl.emulator.exchange import (
    Api,
    Call,
    Endpoint,
    RefusedError,
    Reply,
    json_reply,
    redirect_reply,
    text_reply,
)
from airflow_provider_batchdl.emulator.jobs import EmulatedJob
from airflow_provider_batchdl.emulator.limits import FixedWindow
from airflow_provider_batchdl.emulator.listing import whole_number
from airflow_provider_batchdl.emulator.oauth import TOKEN_SPEC, token_for_client
from airflow_provider_batchdl.emulator.openapi import body, query
from airflow_provider_batchdl.emulator.states import Phase
from airflow_provider_batchdl.emulator.store import link_to

BASE = "/apartmentiq/api"
LIMIT, WINDOW = 100, 300
"""100 requests per five minutes: third party; the vendor says not to rely on a number."""
QUOTA_LIMIT = 5000
MAX_PAGE = 100

_ACCOUNTS = [{"id": 42, "name": "Acme Properties"}]
_WHOLE = {"type": "integer", "minimum": 1}


class ApartmentIQ(Api):
    """Routes under ``/apartmentiq/api``, and the token endpoint at the origin's ``/oauth/token``."""

    vendor = "apartmentiq"

    def endpoints(self) -> list[Endpoint]:
        """Return the routes."""
        jobs = f"{BASE}/v1/bulk_api/jobs"
        page = query(page=_WHOLE, per_page={**_WHOLE, "maximum": MAX_PAGE})
        quota = body({"account_id": {"type": "integer"}})
        return [
            Endpoint("token", "POST", "/oauth/token", self.token, TOKEN_SPEC, open=True),
            Endpoint("check", "GET", f"{BASE}/v1/accounts", self.accounts, page),
            Endpoint("balance", "POST", f"{BASE}/v2/properties/bulk/quota_impact", self.quota, quota),
            Endpoint("submit", "POST", jobs, self.submit, SUBMIT_SPEC),
            Endpoint("list", "GET", jobs, self.listing, page),
            Endpoint("status", "GET", f"{jobs}/{{job_id}}", self.status),
            Endpoint("cancel", "DELETE", f"{jobs}/{{job_id}}", self.cancel),
            Endpoint("download", "GET", f"{jobs}/{{job_id}}/results", self.results),
        ]

    def error(self, status: int, message: str, error: str = "") -> Reply:
        """Return the documented error object."""
        names = {401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 400: "Invalid parameter"}
        title = error or names.get(status, message)
        return json_reply(status, {"error": title} if title == message else {"error": title, "message": message})

    def bad_body(self, problem: str) -> Reply:
        """Return the answer to a body that cannot be read."""
        return self.error(400, problem, "Bad Request")

    def guard(self, call: Call, endpoint: Endpoint) -> None:
        """Check the bearer token and the limit."""
        if not self.world.accounts.knows_token(self.vendor, call.bearer, self.world.clock.time()):
            raise RefusedError(self.error(401, "Missing or invalid bearer token"))
        verdict = self.world.take("apartmentiq", "account", lambda: FixedWindow(LIMIT, WINDOW, aligned=False))
        if verdict.allowed:
            return
        wait = max(1, math.ceil(verdict.reset_after))
        headers = [
            ("x-ratelimit-limit", str(verdict.limit)),
            ("x-ratelimit-reset-after", str(wait)),
            ("x-ratelimit-reset", str(math.ceil(self.world.clock.time() + verdict.reset_after))),
            ("retry-after", str(wait)),
        ]
        words = "You have exceeded the rate limit for this API."
        raise RefusedError(text_reply(429, words, "text/plain; charset=utf-8", headers))

    # --- accounts

    async def token(self, call: Call) -> Reply:
        """Issue a token."""
        token = await token_for_client(call, self.vendor, refused_status=401)
        answer = {"access_token": token, "token_type": "Bearer", "expires_in": TOKEN_SECONDS[self.vendor]}
        return json_reply(200, {**answer, "scope": "api", "created_at": int(self.world.clock.time())})

    async def accounts(self, call: Call) -> Reply:
        """Return the accounts."""
        return self._page_of(call, "data", _ACCOUNTS)

    async def quota(self, call: Call) -> Reply:
        """Return what is left of the quota."""
        if not isinstance((await call.json_object()).get("account_id"), int):
            return self.error(400, "account_id is required")
        used = QUOTA_LIMIT + 1 if self.world.accounts.quota_exceeded.get(self.vendor) else 120
        counts = {"requested_records": 0, "new_records": 0, "prev_records": 0, "expected_new_consumed_quota": used}
        return json_reply(200, {"total_quota": QUOTA_LIMIT, "consumed_quota": used, **counts})

    def _page_of(self, call: Call, name: str, items: list[dict[str, Any]]) -> Reply:
        """Return one page of a list, with the documented pagination object; bad numbers are a 400 (an inference)."""
        page, size = whole_number(call.query.get("page", ""), 1), whole_number(call.query.get("per_page", ""), 50)
        if page < 1:
            return self.error(400, "page must be a positive integer")
        if not 1 <= size <= MAX_PAGE:
            return self.error(400, f"per_page must be between 1 and {MAX_PAGE}")
        pages = max(1, math.ceil(len(items) / size))
        pagination = {"current_page": page, "total_pages": pages, "total_count": len(items), "per_page": size}
        return json_reply(200, {name: items[(page - 1) * size : page * size], "pagination": pagination})

    # --- jobs

    async def submit(self, call: Call) -> Reply:
        """Create a job; 201 is an inference, the page shows no status.

        ``callback_url`` is checked and never called: what the vendor sends there is documented nowhere.
        """
        request = await call.json_object()
        if problem := problem_of(request):
            return json_reply(400, {"error": problem})
        if self.world.accounts.quota_exceeded.get(self.vendor):
            numbers = {"quota_limit": QUOTA_LIMIT, "quota_usage": QUOTA_LIMIT + 1}
            return json_reply(429, {"error": "Trial API quota limit exceeded", **numbers})
        recipe = recipe_for(request, self.world.seed)
        job = self.world.add_job(self.vendor, request=request, recipe=recipe, format=request["output_format"])
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

    def _find(self, call: Call, forbidden: Reply | None = None) -> EmulatedJob:
        """Return the job that a path names, or refuse as documented.

        Somebody else's job is a 403; that some have no body is an inference ("some 403").
        """
        try:
            job_id = str(uuid.UUID(call.params["job_id"]))
        except ValueError:
            raise RefusedError(self.error(400, "job_id must be a valid UUID")) from None
        job = self.job(job_id, self.error(404, "Job with the specified ID does not exist"))
        if job.forbidden:
            raise RefusedError(forbidden or text_reply(403, b"", ""))
        return job

    async def listing(self, call: Call) -> Reply:
        """Return a page of jobs, newest first (vendor's documentation)."""
        jobs = [self._describe(job) for job in self.world.jobs(self.vendor)[::-1]]
        if call.faulty("endless_list"):
            invented = {"job_id": str(uuid.uuid4()), "status": "submitted", "report_type": "property"}
            total = whole_number(call.query.get("page", ""), 1) + 1
            return json_reply(200, {"jobs": [*jobs[:99], invented], "pagination": {"total_pages": total}})
        return self._page_of(call, "jobs", jobs)

    async def status(self, call: Call) -> Reply:
        """Return one job."""
        return json_reply(200, self._describe(self._find(call)))

    async def cancel(self, call: Call) -> Reply:
        """Cancel a job; that a finished one answers "Invalid operation" is an inference."""
        job = self._find(call)
        if job.phase.is_terminal:
            return self.error(400, f"Job cannot be cancelled because it is {job.vendor_state}", "Invalid operation")
        job.ask_to_cancel(lingering=False)
        return json_reply(200, self._describe(job))

    async def results(self, call: Call) -> Reply:
        """Redirect to the results in the store: 302 to a link of seven days (vendor's OpenAPI)."""
        job = self._find(call, self.error(403, "You do not have permission to download results for this job"))
        if job.phase is not Phase.SUCCEEDED:
            message = "Results are not available because the job has not completed successfully"
            return self.error(400, message, "Invalid operation")
        await result_content(call, job)
        stored = self.world.links.store(f"apartmentiq-bulk/{job.id}/{job.part_name(1)}", job, 1)
        return redirect_reply(302, link_to(self.world, stored))


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
