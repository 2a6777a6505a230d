"""Where a result file is: the vendor's request for it, asked for again once it is refused."""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock

from airflow_provider_batchdl.client import BatchClient
from airflow_provider_batchdl.exceptions import BatchDlError, InvalidRequestError
from airflow_provider_batchdl.jobs import Job, ResultFile
from airflow_provider_batchdl.vendors.base import ApiRequest

# An expired link, or one that leads to nothing any more.
_REFUSALS = frozenset({400, 401, 403, 404, 410})


@dataclass(frozen=True)
class Source:
    """Source of a result file.

    Args:
        client: the account's client, which puts credentials on requests.
        job: the job.
        file: one of its result files.
    """

    client: BatchClient
    job: Job
    file: ResultFile


class Locator:
    """The vendor's request for a result file, which may hold a signed URL: it is stored nowhere else. Thread-safe."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._request: ApiRequest | None = None
        self._lock = Lock()

    def current(self) -> tuple[ApiRequest, bool]:
        """The request, and whether the vendor has just named it.

        Raises:
            BatchDlError: the vendor has no answer, or refuses.
        """
        with self._lock:
            if self._request is not None:
                return self._request, False
            self._request = self._located()
            return self._request, True

    def forget(self, refused: ApiRequest) -> None:
        """Have the vendor asked again, if ``refused`` is still the current request."""
        with self._lock:
            if self._request is refused:
                self._request = None

    def after(self, refused: ApiRequest, error: BatchDlError, *, is_new: bool) -> ApiRequest | None:
        """The request to send after ``error``; None where it would be the same, or no other helps.

        Args:
            refused: the request that was answered with the error.
            error: what it was answered.
            is_new: whether the vendor had just named it; then the retry of the transfer asks again, after a back-off.
        """
        if error.status not in _REFUSALS:
            return None
        self.forget(refused)
        if is_new:
            return None
        request, _ = self.current()
        return None if request == refused else request

    def _located(self) -> ApiRequest:
        client, job, file = self._source.client, self._source.job, self._source.file
        request: object = client.run(client.vendor.locate(job, file))
        if isinstance(request, ApiRequest):
            return request
        raise InvalidRequestError(
            f"The class of the vendor {client.vendor.name} has no request for a result file: its method locate "
            f"returned {type(request).__name__}.",
            vendor=client.vendor.name,
            job_id=job.id,
            remedy=f"Correct the class of the vendor {client.vendor.name}.",
        )
