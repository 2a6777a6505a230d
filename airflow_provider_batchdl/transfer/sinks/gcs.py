"""Google Cloud Storage: a resumable upload whose last bytes only `publish` sends.

gcsfs's own file object is not used. Read in gcsfs 2026.10 (`core.py`, `GCSFile`): every block is sent while the writer
waits, so that the network and the vendor take turns; `close` before `commit` loses less than 256 KiB that are left;
no checksum goes with the upload (its `consistency` looks afterwards, when the object is visible). Here the same file
system object (credentials, endpoint, HTTP session) sends the same requests.
"""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING

from airflow_provider_batchdl.transfer.sinks.errors import ended, no_object
from airflow_provider_batchdl.transfer.sinks.gcs_api import PRECONDITION_FAILED, GcsError, GcsObject
from airflow_provider_batchdl.transfer.sinks.gcs_upload import ResumableUpload
from airflow_provider_batchdl.transfer.sinks.store import StoreSink, only

if TYPE_CHECKING:
    from gcsfs.core import GCSFileSystem

GRAIN = 256 << 10
"""Every chunk but the last has a multiple of this many bytes (the store's rule)."""
CHUNK = 32 * GRAIN
"""Bytes in a chunk: 8 MiB, what Google recommends at least."""
SMALL = GRAIN
"""Bytes a sealed sink keeps in memory at most; a job can have hundreds of parts that wait for the last one."""


class GcsSink(StoreSink[io.BytesIO]):
    """A `Sink` for one object of Google Cloud Storage.

    Up to one chunk becomes one request at `publish` (also 0 bytes); more becomes a resumable upload, each chunk on its
    way while the next one is being filled, and the last bytes kept back for `publish`. Memory: two chunks. The CRC32C
    of the whole content goes with the last request, and the store refuses content that it does not fit.

    An upload does not outlive `discard`. A worker killed outright (SIGKILL) leaves one that nobody sees and that ends
    by itself after a week (https://cloud.google.com/storage/docs/resumable-uploads#session-uris); the API lists none,
    so `sweep` has nothing to do.

    With `create_only` the request that begins an upload says `ifGenerationMatch=0`, which the store obeys when the
    object is to appear (https://cloud.google.com/storage/docs/request-preconditions).
    """

    def __init__(self, fs: GCSFileSystem, path: str, uri: str, *, create_only: bool = False) -> None:
        self.uri = uri
        self.written = 0
        bucket, name, _ = fs.split_path(path)
        if not bucket or not name or name.endswith("/"):
            raise no_object(uri)
        self._object = GcsObject(fs, bucket, name, path, create_only=create_only)
        self._begin()

    def _begin(self) -> None:
        self.written = 0
        self._checksum = 0
        self._upload: ResumableUpload | None = None
        self._sealed = False
        self._filled = 0
        self._buffer: io.BytesIO | None = io.BytesIO()

    def write(self, data: bytes | memoryview) -> None:
        """Append `data`; waits for the store only where the chunk before has not arrived yet."""
        import google_crc32c

        view = memoryview(data).cast("B")
        while view:
            buffer = self._open_buffer()
            # A full chunk is only sent once more bytes come: `publish` always has something to send.
            if self._filled == CHUNK:
                self._guard("upload", self._send, buffer, CHUNK)
                continue
            taken = bytes(view[: CHUNK - self._filled])
            self._checksum = google_crc32c.extend(self._checksum, taken)
            buffer.write(taken)
            self._filled += len(taken)
            self.written += len(taken)
            view = view[len(taken) :]

    def seal(self) -> None:
        """Send all but the last bytes, at most `SMALL`; only the request that makes the object visible is left."""
        buffer = self._open_buffer()
        self._sealed = True
        if self._upload is not None or self.written > SMALL:
            self._guard("upload", self._send_most, buffer)

    def publish(self) -> str | None:
        """Send the last bytes: the object appears whole. Returns its ETag."""
        buffer = self._buffer if self._sealed else self._open_buffer()
        if buffer is None:
            raise ended(self.uri)
        etag: str | None = self._guard("publish", self._complete, buffer)
        self._upload, self._buffer, self._sealed = None, None, False
        return etag

    def discard(self) -> None:
        """Cancel the upload. Never raises; may be called again."""
        upload, self._upload, self._buffer, self._sealed = self._upload, None, None, False
        if upload is not None:
            upload.abort()

    def _send(self, buffer: io.BytesIO, count: int) -> None:
        """Start sending the first `count` bytes of the buffer; go on with another that has the rest."""
        if self._upload is None:
            self._upload = ResumableUpload(self._object)
        with buffer.getbuffer() as content:
            rest = bytes(content[count : self._filled])
        # Overwriting memory the process already has is several times cheaper than touching fresh pages.
        spare = self._upload.send(only(buffer, count)) or io.BytesIO()
        spare.seek(0)
        spare.write(rest)
        self._buffer, self._filled = spare, len(rest)

    def _send_most(self, buffer: io.BytesIO) -> None:
        count = (self._filled - 1) // GRAIN * GRAIN
        if count:
            self._send(buffer, count)
        if self._upload is not None:
            self._upload.collect()
        if self._buffer is not None:
            # A new one: a buffer cut short keeps its memory.
            self._buffer = io.BytesIO(only(self._buffer, self._filled).getvalue())

    def _complete(self, buffer: io.BytesIO) -> str | None:
        checksum = base64.b64encode(self._checksum.to_bytes(4, "big")).decode()
        body = only(buffer, self._filled)
        if self._upload is not None:
            return self._upload.finish(body, checksum)
        resource = self._object.wait(self._object.begin(self._object.put, body.getvalue(), checksum))
        return self._object.published(resource)

    def _is_in_the_way(self, error: Exception) -> bool:
        return isinstance(error, GcsError) and error.status == PRECONDITION_FAILED
