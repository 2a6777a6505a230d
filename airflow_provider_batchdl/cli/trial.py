"""One job, from submit to result, with what each pointer of the vendor's document found."""

from __future__ import annotations

import json
import time
from typing import Any

from airflow_provider_batchdl._redaction.redactor import excerpt
from airflow_provider_batchdl._tasks.destinations import check_place
from airflow_provider_batchdl.exceptions import BatchDlError, InvalidRequestError
from airflow_provider_batchdl.hooks.base import BatchApiHook
from airflow_provider_batchdl.jobs import Job
from airflow_provider_batchdl.options import DEFAULTS
from airflow_provider_batchdl.vendors.declared import Declared
from airflow_provider_batchdl.vendors.declared.calls import Pointers
from airflow_provider_batchdl.vendors.pointers import several

LONGEST_SHOWN = 80
# Different values that are shown of one step and place: a list may have a hundred thousand items.
MOST_VALUES = 20


class Trial:
    """A walk through a document's steps."""

    def __init__(self, hook: BatchApiHook) -> None:
        self.hook = hook
        self._shown: dict[tuple[str, str], set[str]] = {}
        self.rows: list[dict[str, Any]] = []
        """The steps, each with its place in the answer, and what was found there."""
        vendor = hook.vendor
        if isinstance(vendor, Declared):
            vendor.on_notice = self._note

    def run(
        self, request: str | None, file: str | None, job_id: str | None, *, timeout: float, destination: str | None
    ) -> None:
        """Walk through: check, submit or the job's status, list, wait, files, and download.

        Nothing is submitted if the destination or the credentials fail: a job may cost something.
        """
        if destination is not None:
            check_place(destination, DEFAULTS)
        good, words = self.hook.test_connection()
        self._add("check", "", words if good else f"failed: {words}")
        if not good and job_id is None:
            raise InvalidRequestError(
                "The check failed, so nothing was submitted.",
                vendor=self.hook.vendor.name,
                remedy="Correct the connection, or what the document has for the check, and try again.",
            )
        job = self.hook.get_job(job_id) if job_id else self.hook.submit_job(request, file)
        self._add("status" if job_id else "submit", "", f"job {job.id}, {job.vendor_state or 'no state yet'}")
        if self.hook.vendor.listing is not None:
            self._list(job)
        job = self._wait(job, timeout)
        if not self.hook.vendor.ensure_results(job):
            self._add("wait", "", f"no end within {timeout:g} s")
            return
        for each in self.hook.vendor.result_files(job):
            facts = {name: value for name, value in each.to_dict().items() if value is not None}
            self._add("files", "", json.dumps(facts))
        if destination is not None:
            landing = self.hook.download(job.id, destination)
            for landed in landing.files:
                self._add("download", "", f"{landed.bytes:,} bytes to {landed.uri}")

    def _list(self, job: Job) -> None:
        try:
            found = any(each.id == job.id for each in self.hook.list_jobs())
            self._add("list", "", f"job {job.id} is {'' if found else 'not '}in it")
        except BatchDlError as error:
            self._add("list", "", f"failed: {error}")

    def _wait(self, job: Job, timeout: float) -> Job:
        """Poll the job until it has ended; a row for each state."""
        deadline = time.monotonic() + timeout
        while True:
            before, job = job, self.hook.get_job(job.id)
            if before.vendor_state != job.vendor_state or job.state.is_terminal:
                self._add("status", "", f"{job.vendor_state} counts as {job.state}")
            if job.state.is_terminal or time.monotonic() > deadline:
                return job
            time.sleep(min(self.hook.poll_interval, max(0.0, deadline - time.monotonic())))

    def _note(self, operation: str, pointers: Pointers, found: object) -> None:
        shown = f"{len(found)} items" if isinstance(found, list) else "nothing" if found is None else repr(found)
        self._add(operation, " or ".join(each or "the whole answer" for each in several(pointers)), shown)

    def _add(self, step: str, place: str, found: str) -> None:
        values = self._shown.setdefault((step, place), set())
        if len(values) > MOST_VALUES:
            return
        shown = excerpt(found, LONGEST_SHOWN if place else 500)
        if shown not in values:
            values.add(shown)
            is_last = len(values) > MOST_VALUES
            self.rows.append({"step": step, "place": place or None, "found": "…" if is_last else shown})
