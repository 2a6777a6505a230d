"""Parts sent straight to the store, each by a thread on a plain HTTP/1.1 connection.

`http.client` hands a body to the socket as it is; aiohttp, as botocore uses it, copies it, hashes it and cuts it small.
It also logs no address, and these hold signatures.
"""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import TYPE_CHECKING, Any, cast

from tenacity import Retrying

from airflow_provider_batchdl._redaction.redactor import get_logger
from airflow_provider_batchdl.client.policy import BACKOFF_CAP, backoff
from airflow_provider_batchdl.client.retrying import retry_options
from airflow_provider_batchdl.transfer.sinks.buffered import ABORT_SECONDS
from airflow_provider_batchdl.transfer.sinks.s3.part import to_base64
from airflow_provider_batchdl.transfer.source.connection import cut
from airflow_provider_batchdl.vendors.retry_after import retry_after

if TYPE_CHECKING:
    from airflow_provider_batchdl.transfer.sinks.buffered import Block
    from airflow_provider_batchdl.transfer.sinks.s3.presign import PartSigner

log = get_logger(__name__)

TRIES = 6
"""Tries of one part, with the same bytes; the waits between them are up to 1, 2, 4, 8 and 16 s."""
PIECE = 1 << 20
"""Bytes handed over at a time: the time limit holds for each piece."""
LARGEST_ANSWER = 64 << 10
_PASSING = frozenset({"BadDigest", "ExpiredToken", "InternalError", "OperationAborted", "RequestTimeout", "SlowDown"})
"""Codes of refusals, of any status, after which a retry with the same bytes and a new signature may succeed."""
_BOTOCORES: tuple[tuple[type[Exception], str], ...] = (
    (ssl.SSLError, "SSLError"),
    (TimeoutError, "ReadTimeoutError"),
    (ConnectionRefusedError, "EndpointConnectionError"),
    (socket.gaierror, "EndpointConnectionError"),
    (Exception, "ConnectionClosedError"),
)
"""Errors of a connection, with the name of the error that botocore raises for each; the first that fits counts."""


class RefusedError(Exception):
    """The store does not take parts in this form; it may take them from the file system's client."""


class _StoppedError(Exception):
    """The upload is being given up."""


class DirectParts:
    """Sends the parts of one upload, on as many connections as parts are under way at once.

    No thread is left after `stop`.
    """

    def __init__(self, signer: PartSigner, upload_id: str) -> None:
        self._signer = signer
        self._upload_id = upload_id
        self._stopped = threading.Event()
        self._connections: list[_Connection] = []
        self._idle: list[_Connection] = []

    def send(self, number: int, body: Block) -> Callable[[], dict[str, Any]]:
        """Start sending `body` as part `number`. Returns what waits for the store's answer.

        That raises `RefusedError`, or what botocore would raise.
        """
        sent: Future[dict[str, Any]] = Future()
        if self._idle:
            connection = self._idle.pop()
        else:
            connection = _Connection(self._signer, self._stopped)
            self._connections.append(connection)
        # Noted before it runs: a signal that raises in `start` must not hide it from `stop`.
        connection.thread = threading.Thread(
            target=self._run, args=(connection, number, body, sent), name=f"batchdl-s3-part-{number}", daemon=True
        )
        connection.thread.start()
        return sent.result

    def stop(self) -> None:
        """End the parts under way and the threads."""
        self._stopped.set()
        for connection in self._connections:
            connection.interrupt()
        for connection in self._connections:
            if connection.thread is not None and connection.thread.ident is not None:
                connection.thread.join(ABORT_SECONDS)  # it may hang in name resolution
        self.close()

    def close(self) -> None:
        """Close the connections, once every part has been sent."""
        for connection in self._connections:
            connection.http.close()

    def _run(self, connection: _Connection, number: int, body: Block, sent: Future[dict[str, Any]]) -> None:
        try:
            answer = self._deliver(connection, number, body)
        except BaseException as error:  # noqa: BLE001  raised again where the result is asked for
            # Without the frames, its own and those of what led to it, which hold the bytes.
            error.__context__ = error.__cause__ = None
            sent.set_exception(error.with_traceback(None))
        else:
            self._idle.append(connection)  # before anybody learns of this part, and has another
            sent.set_result(answer)

    def _deliver(self, connection: _Connection, number: int, body: Block) -> dict[str, Any]:
        checksum = to_base64(body.crc32) if self._signer.checksums else None

        def on_retry(error: Exception, seconds: float) -> None:
            log.info("Retrying the upload of part %d in %.1f s: %s", number, seconds, _words(error))

        options = retry_options(
            TRIES,
            is_retryable=lambda error: not isinstance(error, RefusedError | _StoppedError),
            delay=lambda failures, error: backoff(failures - 1, min(_asked(error), BACKOFF_CAP)),
            on_retry=on_retry,
            kind=Exception,
        )
        answer: dict[str, Any] = Retrying(**options, sleep=self._pause)(self._try, connection, number, body, checksum)
        return answer

    def _try(self, connection: _Connection, number: int, body: Block, checksum: str | None) -> dict[str, Any]:
        from botocore import exceptions

        target, headers = self._signer.sign(self._upload_id, number, checksum)
        try:
            answer = connection.put(target, headers, body)
        except ssl.SSLCertVerificationError as error:
            raise RefusedError(f"its certificate is not trusted: {error.verify_message}") from None
        except (OSError, HTTPException) as error:
            name = next(name for kind, name in _BOTOCORES if isinstance(error, kind))
            raise getattr(exceptions, name)(endpoint_url=self._signer.origin.geturl(), error=error) from error
        # What is between a store and the worker may answer with XML that has no code, or several.
        status, code = answer["ResponseMetadata"]["HTTPStatusCode"], str(answer.get("Error", {}).get("Code"))
        if status == 200 and "ETag" in answer:
            return answer
        if code in _PASSING or status in (408, 429) or (status >= 500 and status != 501):
            raise exceptions.ClientError(answer, "UploadPart")
        raise RefusedError(f"{status} {code}")

    def _pause(self, seconds: float) -> None:
        if self._stopped.wait(seconds):
            raise _StoppedError


class _Connection:
    """A connection, and the thread that sends one part on it; any other thread may `interrupt` it."""

    def __init__(self, signer: PartSigner, stopped: threading.Event) -> None:
        connect_seconds, self._io_seconds = signer.timeouts
        host, port = signer.origin.hostname or "", signer.origin.port
        self.http = (
            HTTPConnection(host, port, timeout=connect_seconds)
            if signer.tls is None
            else HTTPSConnection(host, port, timeout=connect_seconds, context=signer.tls)
        )
        self.thread: threading.Thread | None = None
        self._parse = signer.parse
        self._stopped = stopped

    def put(self, target: str, headers: dict[str, str], body: Block) -> dict[str, Any]:
        """Send `body`. Returns the answer, or the refusal, as botocore parses it; raises what the connection does."""
        while True:
            used = self.http.sock is not None
            try:
                return self._exchange(target, headers, body)
            except BaseException as error:
                self.http.close()
                # The store may have closed what lay idle; that says nothing of the part.
                if used and isinstance(error, OSError | HTTPException) and not self._stopped.is_set():
                    continue
                raise

    def interrupt(self) -> None:
        """End what is under way, with an error there."""
        if (sock := self.http.sock) is not None:
            cut(sock)

    def _exchange(self, target: str, headers: dict[str, str], body: Block) -> dict[str, Any]:
        if self._stopped.is_set():
            raise _StoppedError
        if self.http.sock is None:
            self.http.connect()
            cast("socket.socket", self.http.sock).settimeout(self._io_seconds)
        broken: OSError | None = None
        try:
            headers = {"Content-Length": str(body.size), **headers}
            self.http.request("PUT", target, body=self._pieces(body), headers=headers)
        except (BrokenPipeError, ConnectionResetError) as error:
            broken = error  # a store that refuses answers and closes while the body is still on its way
        with self.http.getresponse() as response:
            said = response.read(LARGEST_ANSWER)
            if broken is not None and response.status < 300:
                raise broken  # it has not got all that it says it has
            if response.status >= 300 or not response.isclosed():
                self.http.close()
            return self._parse(response.status, response.getheaders(), said)

    def _pieces(self, body: Block) -> Iterator[memoryview]:
        for piece in body.pieces(PIECE):
            if self._stopped.is_set():
                raise _StoppedError
            yield piece


def _asked(error: Exception) -> float:
    """Seconds that the store asks to wait."""
    response = getattr(error, "response", None)  # None with botocore's errors of connections
    return (retry_after(response["ResponseMetadata"]["HTTPHeaders"]) if response else None) or 0.0


def _words(error: Exception) -> str:
    """The status and code of the store's answer, or what broke; without the address, which holds a signature."""
    response = getattr(error, "response", None)
    if not response:
        return type(error.__cause__ or error).__name__
    return f"{response['ResponseMetadata']['HTTPStatusCode']} {response['Error'].get('Code')}"
