"""Google Cloud Storage: a resumable upload whose last bytes only `publish` sends, through Google's own client.

Sources: https://cloud.google.com/storage/docs/performing-resumable-uploads (a session, chunks that are multiples of
256 KiB, cancelling; bytes that a session has already are ignored when they are sent again),
https://cloud.google.com/storage/docs/resumable-uploads (the session's URL is a credential; it ends after a week),
https://cloud.google.com/storage/docs/request-preconditions (`ifGenerationMatch=0`),
https://cloud.google.com/storage/docs/data-validation (the CRC32C of the whole content, which the store compares).

Of Google's client this is the part below its file object: `BlobWriter` is an `io.IOBase`, which Python closes when
nobody refers to it any more, and closing publishes what was written so far. It also keeps a chunk in memory until then,
and drops the answer that has the ETag.
"""

from __future__ import annotations

import base64
import io
import json
import logging
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, wait
from functools import cached_property, partial
from importlib import import_module
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode
from weakref import WeakKeyDictionary

from airflow_provider_batchdl._redaction.redactor import excerpt
from airflow_provider_batchdl.transfer.sinks.buffered import (
    ABORT_SECONDS,
    Block,
    BlockSink,
    BlockSizes,
    Upload,
    object_at,
)

if TYPE_CHECKING:
    from gcsfs.core import GCSFileSystem

log = logging.getLogger(__name__)

GRAIN = 256 << 10
"""Every chunk but the last has a multiple of this many bytes (the store's rule)."""
CHUNK = 32 * GRAIN
"""Bytes in a chunk: 8 MiB, what Google recommends at least."""
TIMEOUT = (30.0, 300.0)
"""Seconds to connect, and to wait for an answer, where the file system says nothing else (`requests_timeout`)."""

_CANCELLED = frozenset({204, 404, 410, 499})
_NO_SESSION = frozenset({404, 410})


class GcsError(Exception):
    """A refusal by the store, with its HTTP status. Does not name the requested URL, which may be a session's."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status} {message}".strip())
        self.status = status


class GcsSink(BlockSink["GcsUpload"]):
    """A `Sink` for one object of Google Cloud Storage.

    Each chunk is sent while the next one is being filled; `publish` sends the last bytes. Memory: two chunks. With
    `create_only` the store sees to it when the object is to appear.

    An upload does not outlive `discard`. One of a worker that was killed outright (SIGKILL) is invisible and ends after
    a week. It is not resumed: its session's URL is a credential, and none is written down. The API lists no sessions,
    so `sweep` has nothing to do.
    """

    def __init__(self, fs: GCSFileSystem, path: str, uri: str, *, create_only: bool = False) -> None:
        new_upload = partial(GcsUpload, fs, *object_at(fs, path, uri), create_only=create_only)
        super().__init__(uri, BlockSizes(CHUNK, fixed=True, grow_every=1), new_upload, create_only=create_only)


class GcsUpload(Upload):
    """A resumable upload; one chunk is sent at a time, in a thread of its own, and the last bytes by `complete`.

    Its calls raise `GcsError` where the store refuses, else what requests and google-auth raise.
    """

    def __init__(self, fs: GCSFileSystem, bucket: str, name: str, *, create_only: bool) -> None:
        super().__init__()
        self._timeout = fs.requests_timeout if isinstance(fs.requests_timeout, int | float) else TIMEOUT
        self._fs = fs
        self._bucket, self._name = bucket, name
        self._objects = f"storage/v1/b/{quote(bucket, safe='')}/o"
        generation = "0" if create_only else None
        url = self._url(f"upload/{self._objects}", uploadType="resumable", ifGenerationMatch=generation)
        self._upload = _resumable_upload(url)
        self._stream = _Stream()
        self._checksum = 0
        self._rest = b""
        self._is_last = False
        self._aborted = False
        self._cancelling = threading.Lock()
        self._cancelled = False

    def send(self, block: Block) -> None:
        """Start sending a chunk, a multiple of `GRAIN` bytes, once the one before has arrived."""
        self._start(block.content())

    def finish(self, rest: Block | None = None) -> None:
        """Send all but the last bytes, at most `GRAIN`, and wait for them."""
        content = rest.content() if rest is not None else b""
        count = (len(content) - 1) // GRAIN * GRAIN
        if count > 0:
            self._start(content[:count])
        self._rest = content[max(count, 0) :]
        super().finish()

    def collect(self) -> Any:
        """Wait for the chunk under way. Returns the store's answer."""
        try:
            answer = self._flying[0].result()
        except Exception as error:  # noqa: BLE001  Google's client raises three libraries' errors
            raise _explained(error, has_session=self._upload.resumable_url is not None) from None
        self._flying.popleft()
        return answer

    def complete(self, rest: Block | None) -> object:
        """Send the last bytes, with the CRC32C of the whole: the store refuses content that it does not fit."""
        self._start(self._rest if rest is None else rest.content(), is_last=True)
        resource = json.loads(self.collect().content)
        checksum = self._hash()
        if resource.get("crc32c", checksum) != checksum:
            # Not Google: an emulator or a proxy that ignores the header. Only this very object is removed.
            path = f"{self._objects}/{quote(self._name, safe='')}"
            self._http.delete(self._url(path, ifGenerationMatch=resource.get("generation")), timeout=self._timeout)
            raise GcsError(400, f"the stored object's CRC32C is {resource['crc32c']} instead of {checksum}")
        self.attested = "crc32c" in resource
        self._fs.invalidate_cache(f"{self._bucket}/{self._name}")
        return resource.get("etag")

    def abort(self) -> None:
        """Cancel the session, even while a request is under way. Never raises."""
        self._aborted = True
        if self._flying and self._upload.resumable_url is None:
            wait(self._flying, ABORT_SECONDS)  # the session's URL is on its way
        self._cancel()

    @cached_property
    def _http(self) -> Any:
        return _session(self._fs)

    def request(self, method: str, url: str, *, headers: Mapping[str, str], **options: Any) -> Any:
        """Send one request of Google's client, which takes the upload for its transport."""
        checked = {"X-Goog-Hash": f"crc32c={self._hash()}"} if self._is_last else {}
        return self._http.request(method, url, headers={**headers, **checked}, **options)

    def _start(self, chunk: bytes, *, is_last: bool = False) -> None:
        super().finish()
        self.begun += 1
        self._flying.append(_in_background(self._advance, chunk, is_last=is_last))

    def _advance(self, chunk: bytes, *, is_last: bool) -> Any:
        """Send `chunk` until the session has all of it. Returns the last answer."""
        import google_crc32c

        upload, stream = self._upload, self._stream
        if upload.resumable_url is None:
            content_type = "application/octet-stream"
            metadata = {"name": self._name, "contentType": content_type}
            upload.initiate(self, stream, metadata, content_type, stream_final=False, timeout=self._timeout)
        stream.take(chunk)
        self._checksum = google_crc32c.extend(self._checksum, chunk)
        self._is_last = is_last
        while True:
            if self._aborted:
                self._cancel()
                raise GcsError(410, "the upload was cancelled")
            at = upload.bytes_uploaded
            stream.seek(at)
            # A chunk that is shorter than the upload's chunk size is the last one, to Google's client.
            upload._chunk_size = size = stream.end - at + (GRAIN if is_last else 0)
            if upload.chunk_size != size:
                raise RuntimeError("this version of google-cloud-storage has no chunk size that can be set")
            answer = upload.transmit_next_chunk(self, timeout=self._timeout)
            if upload.finished or (upload.bytes_uploaded == stream.end and not is_last):
                return answer
            if upload.bytes_uploaded <= at:
                raise GcsError(503, "the upload session takes no more bytes")

    def _url(self, path: str, **query: str | None) -> str:
        # `_get_params` adds who pays for the request where the bucket's owner does not.
        return f"{self._fs._location}/{path}?{urlencode(self._fs._get_params(query))}"

    def _hash(self) -> str:
        return base64.b64encode(self._checksum.to_bytes(4, "big")).decode()

    def _cancel(self) -> None:
        """Cancel the session once: a chunk's thread may see that it shall stop while `abort` is at it."""
        with self._cancelling:
            session = self._upload.resumable_url
            if session is None or self._cancelled:
                return
            self._cancelled = True
            try:
                status = self._http.delete(session, timeout=ABORT_SECONDS).status_code
                problem = None if status in _CANCELLED else str(status)
            except Exception as error:  # noqa: BLE001  see `abort`: never raises
                problem = type(error).__name__
            if problem is not None:
                log.warning(
                    "Could not cancel a resumable upload (%s); it stays invisible and ends within a week", problem
                )


class _Stream:
    """The object's bytes as Google's client reads them, by their place in the object: those of one chunk are there."""

    def __init__(self) -> None:
        self.end = self._start = 0
        self._chunk = io.BytesIO()

    def take(self, chunk: bytes) -> None:
        """Replace the chunk by the one that follows it."""
        self._start, self.end = self.end, self.end + len(chunk)
        self._chunk = io.BytesIO(chunk)

    def tell(self) -> int:
        return self._start + self._chunk.tell()

    def seek(self, at: int) -> None:
        self._chunk.seek(at - self._start)

    def read(self, size: int) -> bytes:
        return self._chunk.read(size)


_sessions: WeakKeyDictionary[GCSFileSystem, Any] = WeakKeyDictionary()


def _session(fs: GCSFileSystem) -> Any:
    """The session for the uploads of a file system, made once: each has a TLS context, which costs CPU."""
    from google.auth.credentials import AnonymousCredentials
    from google.auth.transport.requests import AuthorizedSession

    if fs not in _sessions:
        session = AuthorizedSession(fs.credentials.credentials or AnonymousCredentials())  # type: ignore[no-untyped-call]
        session.configure_mtls_channel()  # type: ignore[no-untyped-call]
        # requests would put what a ~/.netrc has for the host in the token's place.
        session.auth = lambda request: request
        _sessions[fs] = session
    return _sessions[fs]


def _resumable_upload(url: str) -> Any:
    try:
        library = import_module("google.cloud.storage._media.requests")
    except ImportError:  # google-cloud-storage 2, or one that has moved it
        library = import_module("google.resumable_media.requests")
    # No checksum: older versions of Google's client compare it when the object is visible already.
    return library.ResumableUpload(url, GRAIN, checksum=None)


def _in_background(function: Callable[..., Any], *args: Any, **arguments: Any) -> Future[Any]:
    """Run in a daemon thread: one that waits for a dead store must not keep the process alive."""
    future: Future[Any] = Future()

    def run() -> None:
        try:
            future.set_result(function(*args, **arguments))
        except BaseException as error:  # noqa: BLE001  raised where it is waited for
            future.set_exception(error)

    threading.Thread(target=run, name="batchdl-gcs-upload", daemon=True).start()
    return future


def _explained(error: Exception, *, has_session: bool) -> Exception:
    """The store's refusal, where an exception of Google's client stands for one; else the error of the last try."""
    from google.auth.exceptions import GoogleAuthError, TransportError

    error = getattr(error, "cause", None) or error
    if isinstance(error, GoogleAuthError) and not isinstance(error, TransportError) and not error.retryable:
        return GcsError(401, str(error))
    response = getattr(error, "response", None)
    if response is None:
        return error
    if has_session and response.status_code in _NO_SESSION:
        return GcsError(410, "the upload session is gone")
    try:
        message = str(response.json()["error"]["message"])
    except (ValueError, LookupError, TypeError):
        message = excerpt(response.text, 200)
    return GcsError(response.status_code, message)
