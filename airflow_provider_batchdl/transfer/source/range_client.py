"""Open a result file from a given byte: the vendor's request for it, or the link that led to it, asked for again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from threading import Lock

from airflow_provider_batchdl._redaction.redactor import get_logger
from airflow_provider_batchdl.client import BatchClient
from airflow_provider_batchdl.client.retry_events import emit_retry
from airflow_provider_batchdl.exceptions import (
    BatchDlError,
    InvalidRequestError,
    ResultExpiredError,
    ResultNotReadyError,
    TransferError,
    UnexpectedResponseError,
)
from airflow_provider_batchdl.jobs import Job, ResultFile
from airflow_provider_batchdl.transfer.source.head import Identity, ResponseHead, range_headers, resumed_identity
from airflow_provider_batchdl.transfer.source.redirects import Answer, follow, send
from airflow_provider_batchdl.transfer.source.stream import ResultStream
from airflow_provider_batchdl.vendors.base import ApiRequest
from airflow_provider_batchdl.vendors.retry_after import asked_wait

log = get_logger(__name__)

# Statuses of a server that is still preparing the file (202) or has none (204).
_NOT_READY = (202, 204)
# An expired link, or one that leads to nothing any more.
_REFUSALS = frozenset({400, 401, 403, 404, 410})


class RangeRefusedError(TransferError):
    """A range was requested, and the response is something else."""


@dataclass(frozen=True)
class Source:
    """Source of a result file: one of a job's, and the client of the job's account."""

    client: BatchClient
    job: Job
    file: ResultFile


class RangeClient:
    """Client for ranges of one result file. Thread-safe.

    The vendor is asked for the file once; the link that it names or redirects to is used until the store refuses it.
    Then one thread asks the vendor for a new one, for all threads. (Batch.com makes a new file for each such request.)
    A link may be signed: it is stored nowhere else.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._vendor = source.client.vendor
        self.vendor = self._vendor.name
        self._request: ApiRequest | None = None
        self._locating = Lock()
        # A URL beyond the connection's origin, and the vendor's request that led there.
        self._link: tuple[str, ApiRequest] | None = None
        self._asked_before = False
        self._asking = Lock()

    def open(self, offset: int = 0, identity: Identity | None = None) -> ResultStream | None:
        """Open the file at ``offset``, if it is still ``identity``, else at 0; None where it ends at ``offset``.

        Raises `BatchDlError`: the vendor or the store refused, typed; `TRY_AGAIN` can be retried.
        """
        requested = range_headers(offset, identity)
        url, response, head = self._answer(requested)
        same = resumed_identity(head, identity, offset, None) if requested else None
        if same is not None:
            return ResultStream(response, url, head, offset, same)
        known = identity.total if identity is not None else None
        # Some servers answer with 200 and the rest of the file: what is not surely of its size is asked for without a
        # range.
        is_sure = not requested or (known is not None and known == head.identity.total)
        if head.is_whole and not head.fault and is_sure:
            return ResultStream(response, url, head)
        response.close()
        if head.status == 416 and identity is not None and _ends_at(offset, identity, head):
            return None
        if head.status in _NOT_READY:
            raise ResultNotReadyError(
                f"The download request returned status {head.status}: there is no result yet.",
                status=head.status,
                retry_after=asked_wait(self._vendor.retry_after, head.headers),
            )
        if offset:  # another start, total or file: restart from byte 0
            return self.open()
        part = "its Content-Range is not that of the whole file" if head.status in (200, 206) else None
        why = f": {head.fault or part}" if head.fault or part else ""
        raise UnexpectedResponseError(f"The download request returned status {head.status}{why}.", status=head.status)

    def open_part(self, start: int, end: int, identity: Identity) -> ResultStream:
        """Open the bytes from ``start`` to ``end``, exclusive, of the file ``identity``.

        Raises:
            RangeRefusedError: the server sent something else: the whole file, another range, another file.
            BatchDlError: the vendor or the store refused, typed; `TRY_AGAIN` can be retried.
        """
        url, response, head = self._answer(range_headers(start, identity, end))
        if resumed_identity(head, identity, start, end) is not None:
            return ResultStream(response, url, head, start, identity)
        response.close()
        raise RangeRefusedError(
            f"A range of the file was requested; the response, status {head.status}, is not that range."
        )

    def _answer(self, extra: Mapping[str, str]) -> Answer:
        """Use the link, where there is one that is not refused; else ask the vendor."""
        link = self._link
        if link is not None:
            try:
                return follow(self._source.client, *link, extra)
            except (ResultExpiredError, UnexpectedResponseError):
                log.info("The download link was refused; requesting a new one from %s", self._vendor.label)
                emit_retry(self.vendor, "download", "expired_link")
                self._forget(link[1])
        elif self._asked_before:
            return self._ask(extra)
        with self._asking:
            if self._link is link or self._link is None:
                return self._ask(extra)
            link = self._link
        return follow(self._source.client, *link, extra)

    def _ask(self, extra: Mapping[str, str]) -> Answer:
        """Ask the vendor for the file, and remember the link that it names or redirects to."""
        request, is_new = self._located()
        try:
            answer = send(self._source.client, request, extra)
        except BatchDlError as error:
            if error.status not in _REFUSALS:
                raise
            self._forget(request)
            refused = request
            # The vendor has just named it: the retry of the transfer asks again, after a back-off.
            if is_new or (request := self._located()[0]) == refused:
                raise
            answer = send(self._source.client, request, extra)
        self._asked_before = True
        self._link = None if self._vendor.is_home(answer[0]) else (answer[0], request)
        return answer

    def _located(self) -> tuple[ApiRequest, bool]:
        """The vendor's request for the file, and whether the vendor has just named it."""
        with self._locating:
            if self._request is not None:
                return self._request, False
            client, job = self._source.client, self._source.job
            request: object = client.run(self._vendor.locate(job, self._source.file))
            if not isinstance(request, ApiRequest):
                raise InvalidRequestError(
                    f"The class of the vendor {self.vendor} has no request for a result file: its method locate "
                    f"returned {type(request).__name__}.",
                    remedy=f"Correct the class of the vendor {self.vendor}.",
                )
            self._request = request
            return request, True

    def _forget(self, refused: ApiRequest) -> None:
        """Have the vendor asked again, if ``refused`` is still the current request."""
        with self._locating:
            if self._request is refused:
                self._request = None


def _ends_at(offset: int, identity: Identity, head: ResponseHead) -> bool:
    """True if a 416 says that the file ends at ``offset``.

    The request was conditional (If-Range), so the file is still the same. Where its size was not known, the response
    has it: ``Content-Range: bytes */size`` (RFC 9110, section 15.5.17).
    """
    if identity.total is not None:
        return identity.total == offset
    found = head.content_range
    same = identity.etag is not None and head.headers.get("etag", identity.etag) == identity.etag
    return same and found is not None and found.start is None and found.total == offset
