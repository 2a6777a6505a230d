"""Parts sent straight to the store, each by one of a few threads."""

from __future__ import annotations

import base64
import socket
import ssl
import threading
from concurrent.futures import Future
from http.client import HTTPException
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, TypeAlias

from airflow_provider_batchdl.client.policy import BACKOFF_CAP, backoff
from airflow_provider_batchdl.redaction import get_logger
from airflow_provider_batchdl.transfer.sinks.s3_connections import PIECE, Answer, Connections, StoppedError
from airflow_provider_batchdl.transfer.sinks.s3_signing import CHECKSUM_HEADER, PartSigner

try:
    from isal.isal_zlib import crc32  # the same function at a seventh of the cost
except ImportError:
    from zlib import crc32

if TYPE_CHECKING:
    from airflow_provider_batchdl.transfer.sinks.part import Part

log = get_logger(__name__)

_Errand: TypeAlias = "tuple[int, Part, Future[dict[str, Any]]]"

TRIES = 6
"""Of one part, with the same bytes; the waits between them are up to 1, 2, 4, 8 and 16 s."""
STOP_SECONDS = 60.0
"""A thread that hangs in name resolution may hold a task that is being killed no longer than this."""
_PASSING = frozenset({"BadDigest", "ExpiredToken", "InternalError", "OperationAborted", "RequestTimeout", "SlowDown"})
"""Codes of refusals that the same bytes with a new signature may not meet again, whatever their status."""


class RefusedError(Exception):
    """The store does not take parts in this form; it may take them from the file system's client."""


class DirectParts:
    """Sends the parts of one upload, in as many threads as parts are under way at once. None is left after `stop`.

    Args:
        signer: signs for the object.
        upload_id: the upload's.
    """

    def __init__(self, signer: PartSigner, upload_id: str) -> None:
        self._signer = signer
        self._upload_id = upload_id
        self._connections = Connections(signer.tls, signer.timeouts)
        self._stopped = threading.Event()
        self._waiting: SimpleQueue[_Errand | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._free = threading.Semaphore(0)

    def send(self, number: int, body: Part) -> Future[dict[str, Any]]:
        """Start sending `body` as part `number`.

        Returns:
            What is to be listed for it at the completion. Its errors: `RefusedError`, or what botocore would raise.
        """
        sent: Future[dict[str, Any]] = Future()
        if not self._free.acquire(blocking=False):
            thread = threading.Thread(target=self._work, name=f"batchdl-s3-parts-{len(self._threads)}", daemon=True)
            # Noted before it runs: a signal that raises in `start` must not hide it from `stop`.
            self._threads.append(thread)
            thread.start()
        self._waiting.put((number, body, sent))
        return sent

    def stop(self) -> None:
        """End the parts under way and the threads."""
        self._stopped.set()
        self._connections.stop()
        self._dismiss()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(STOP_SECONDS)

    def close(self) -> None:
        """Close the connections, once every part has been sent. The threads end by themselves."""
        self._dismiss()
        self._connections.close()

    def _dismiss(self) -> None:
        for _ in self._threads:
            self._waiting.put(None)

    def _work(self) -> None:
        while errand := self._waiting.get():
            self._run(*errand)
            del errand  # and with it the part's bytes

    def _run(self, number: int, body: Part, sent: Future[dict[str, Any]]) -> None:
        try:
            answer = self._deliver(number, body)
        except BaseException as error:  # noqa: BLE001  raised again where the result is asked for
            self._free.release()
            sent.set_exception(_bare(error))  # without the frames, which hold the bytes
        else:
            self._free.release()  # before anybody learns of this part, and has another
            sent.set_result(answer)

    def _deliver(self, number: int, body: Part) -> dict[str, Any]:
        checksum = _checksum(body) if self._signer.checksums else None
        for tried in range(1, TRIES + 1):
            part = self._signer.sign(self._upload_id, number, checksum)
            retry_after = None
            try:
                answer = self._connections.put(part, body)
            except ssl.SSLCertVerificationError as error:
                raise RefusedError(f"its certificate is not trusted: {error.verify_message}") from None
            except (OSError, HTTPException) as error:
                failure, what = _unreachable(part.origin, error), type(error).__name__
            else:
                if answer.status == 200 and "etag" in answer.headers:
                    return _listed(answer)
                what = f"{answer.status} {answer.code}"
                if not _passing(answer):
                    raise RefusedError(what)
                failure, retry_after = _client_error(answer), _retry_after(answer)
            if tried == TRIES:
                raise failure
            wait = backoff(tried - 1, retry_after)
            log.info("The store did not take part %d (%s); sending it again in %.1f s.", number, what, wait)
            if self._stopped.wait(wait):
                raise StoppedError
        raise AssertionError("unreachable")


def _checksum(body: Part) -> str:
    sum_ = 0
    for piece in body.pieces(PIECE):
        sum_ = crc32(piece, sum_)
    return base64.b64encode(sum_.to_bytes(4, "big")).decode()


def _listed(answer: Answer) -> dict[str, Any]:
    kept = {"ETag": answer.headers["etag"]}
    if CHECKSUM_HEADER in answer.headers:
        kept["ChecksumCRC32"] = answer.headers[CHECKSUM_HEADER]
    return kept


def _passing(answer: Answer) -> bool:
    return answer.code in _PASSING or answer.status in (408, 429) or (answer.status >= 500 and answer.status != 501)


def _retry_after(answer: Answer) -> float | None:
    value = answer.headers.get("retry-after", "")
    return min(float(value), BACKOFF_CAP) if value.isdecimal() else None


def _client_error(answer: Answer) -> Exception:
    from botocore.exceptions import ClientError

    said = {"Error": {"Code": answer.code, "Message": answer.message}}
    error: Exception = ClientError({**said, "ResponseMetadata": {"HTTPStatusCode": answer.status}}, "UploadPart")
    return error


def _unreachable(origin: str, error: Exception) -> Exception:
    """What botocore would raise for the same."""
    from botocore import exceptions

    kind = exceptions.ConnectionClosedError
    if isinstance(error, ssl.SSLError):
        kind = exceptions.SSLError
    elif isinstance(error, TimeoutError):
        kind = exceptions.ReadTimeoutError
    elif isinstance(error, ConnectionRefusedError | socket.gaierror):
        kind = exceptions.EndpointConnectionError
    same: Exception = kind(endpoint_url=origin, error=error)
    return same


def _bare(error: BaseException) -> BaseException:
    """`error` without tracebacks, its own and those of what led to it."""
    error.__context__ = error.__cause__ = None
    return error.with_traceback(None)
