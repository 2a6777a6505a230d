"""Parts sent straight to the store, each by one of a few threads."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable
from concurrent.futures import Future
from http.client import HTTPException
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, TypeAlias

from tenacity import Retrying

from airflow_provider_batchdl._redaction.redactor import get_logger
from airflow_provider_batchdl.client.policy import BACKOFF_CAP, backoff
from airflow_provider_batchdl.client.retrying import retry_options
from airflow_provider_batchdl.transfer.sinks.buffered import ABORT_SECONDS
from airflow_provider_batchdl.transfer.sinks.s3.connections import Answer, PartConnection, StoppedError
from airflow_provider_batchdl.transfer.sinks.s3.crc32 import to_base64
from airflow_provider_batchdl.transfer.sinks.s3.presign import CHECKSUM_HEADER, PartSigner
from airflow_provider_batchdl.vendors.retry_after import retry_after

if TYPE_CHECKING:
    from airflow_provider_batchdl.transfer.sinks.s3.part import Part

log = get_logger(__name__)

_PartTask: TypeAlias = "tuple[int, Part, Future[dict[str, Any]]]"

TRIES = 6
"""Of one part, with the same bytes; the waits between them are up to 1, 2, 4, 8 and 16 s."""
_PASSING = frozenset({"BadDigest", "ExpiredToken", "InternalError", "OperationAborted", "RequestTimeout", "SlowDown"})
"""Codes of refusals that the same bytes with a new signature may not meet again, whatever their status."""


class RefusedError(Exception):
    """The store does not take parts in this form; it may take them from the file system's client."""


class DirectParts:
    """Sends the parts of one upload, in as many threads as parts are under way at once, each with its own connection.

    None is left after `stop`.
    """

    def __init__(self, signer: PartSigner, upload_id: str) -> None:
        self._signer = signer
        self._upload_id = upload_id
        self._stopped = threading.Event()
        self._waiting: SimpleQueue[_PartTask | None] = SimpleQueue()
        self._workers: list[tuple[threading.Thread, PartConnection]] = []
        self._free = threading.Semaphore(0)

    def send(self, number: int, body: Part) -> Callable[[], dict[str, Any]]:
        """Start sending `body` as part `number`.

        Returns:
            What waits for it, and returns what is to be listed for it at the completion. Raises `RefusedError`, or what
            botocore would raise.
        """
        sent: Future[dict[str, Any]] = Future()
        if not self._free.acquire(blocking=False):
            connection = PartConnection(self._signer.tls, self._signer.timeouts)
            name = f"batchdl-s3-parts-{len(self._workers)}"
            thread = threading.Thread(target=self._work, args=(connection,), name=name, daemon=True)
            # Noted before it runs: a signal that raises in `start` must not hide it from `stop`.
            self._workers.append((thread, connection))
            thread.start()
        self._waiting.put((number, body, sent))
        return sent.result

    def stop(self) -> None:
        """End the parts under way and the threads."""
        self._stopped.set()
        for _, connection in self._workers:
            connection.stop()
        self.close()
        for thread, _ in self._workers:
            if thread.ident is not None:
                thread.join(ABORT_SECONDS)  # it may hang in name resolution

    def close(self) -> None:
        """Have the threads end, with their connections, once every part has been sent."""
        for _ in self._workers:
            self._waiting.put(None)

    def _work(self, connection: PartConnection) -> None:
        try:
            while errand := self._waiting.get():
                self._run(connection, *errand)
                del errand  # and with it the part's bytes
        finally:
            connection.close()

    def _run(self, connection: PartConnection, number: int, body: Part, sent: Future[dict[str, Any]]) -> None:
        try:
            answer = self._deliver(connection, number, body)
        except BaseException as error:  # noqa: BLE001  raised again where the result is asked for
            self._free.release()
            sent.set_exception(_bare(error))  # without the frames, which hold the bytes
        else:
            self._free.release()  # before anybody learns of this part, and has another
            sent.set_result(answer)

    def _deliver(self, connection: PartConnection, number: int, body: Part) -> dict[str, Any]:
        checksum = to_base64(body.crc32) if self._signer.checksums else None

        def on_retry(error: Exception, seconds: float) -> None:
            log.info("Retrying the upload of part %d in %.1f s: %s", number, seconds, _words(error))

        options = retry_options(
            TRIES,
            is_retryable=lambda error: not isinstance(error, RefusedError | StoppedError),
            delay=lambda failures, error: backoff(failures - 1, min(_asked(error), BACKOFF_CAP)),
            on_retry=on_retry,
            kind=Exception,
        )
        answer: dict[str, Any] = Retrying(**options, sleep=self._pause)(self._try, connection, number, body, checksum)
        return answer

    def _try(self, connection: PartConnection, number: int, body: Part, checksum: str | None) -> dict[str, Any]:
        part = self._signer.sign(self._upload_id, number, checksum)
        try:
            answer = connection.put(part, body)
        except ssl.SSLCertVerificationError as error:
            raise RefusedError(f"its certificate is not trusted: {error.verify_message}") from None
        except (OSError, HTTPException) as error:
            raise _unreachable(part.origin, error) from error
        if answer.status == 200 and "etag" in answer.headers:
            return _listed(answer)
        if not _passing(answer):
            raise RefusedError(f"{answer.status} {answer.code}")
        raise _client_error(answer)

    def _pause(self, seconds: float) -> None:
        if self._stopped.wait(seconds):
            raise StoppedError


def _listed(answer: Answer) -> dict[str, Any]:
    kept = {"ETag": answer.headers["etag"]}
    if CHECKSUM_HEADER in answer.headers:
        kept["ChecksumCRC32"] = answer.headers[CHECKSUM_HEADER]
    return kept


def _passing(answer: Answer) -> bool:
    return answer.code in _PASSING or answer.status in (408, 429) or (answer.status >= 500 and answer.status != 501)


def _client_error(answer: Answer) -> Exception:
    from botocore.exceptions import ClientError

    metadata = {"HTTPStatusCode": answer.status, "HTTPHeaders": answer.headers}
    said = {"Error": {"Code": answer.code, "Message": answer.message}, "ResponseMetadata": metadata}
    error: Exception = ClientError(said, "UploadPart")
    return error


def _asked(error: Exception) -> float:
    """Seconds that the store asks to wait."""
    response = getattr(error, "response", None)  # None with botocore's errors of connections
    return (retry_after(response["ResponseMetadata"]["HTTPHeaders"]) if response else None) or 0.0


def _words(error: Exception) -> str:
    """The status and code of the store's answer, or what broke; without the address, which holds a signature."""
    response = getattr(error, "response", None)
    if not response:
        return type(error.__cause__ or error).__name__
    return f"{response['ResponseMetadata']['HTTPStatusCode']} {response['Error']['Code']}"


def _unreachable(origin: str, error: Exception) -> Exception:
    """The error that botocore would raise for the same."""
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
