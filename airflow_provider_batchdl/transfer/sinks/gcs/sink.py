"""Google Cloud Storage: a resumable upload whose last bytes only `publish` sends."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_batchdl.transfer.sinks.base import STORE_CHECKSUM
from airflow_provider_batchdl.transfer.sinks.buffered import Block, BlockSink
from airflow_provider_batchdl.transfer.sinks.errors import ended, no_object
from airflow_provider_batchdl.transfer.sinks.gcs.upload import GRAIN, GcsError, GcsUpload

if TYPE_CHECKING:
    from gcsfs.core import GCSFileSystem

CHUNK = 32 * GRAIN
"""Bytes in a chunk: 8 MiB, what Google recommends at least."""
SMALL = GRAIN
"""Bytes a finalized sink keeps in memory at most; a job can have hundreds of parts that wait for the last one."""

_PRECONDITION_FAILED = 412


class GcsSink(BlockSink[Block]):
    """A `Sink` for one object of Google Cloud Storage.

    Each chunk is sent while the next one is being filled; `publish` sends the last bytes. Memory: two chunks. The
    CRC32C of the whole content goes with the last request, and the store refuses content that it does not fit
    (https://cloud.google.com/storage/docs/data-validation).

    An upload does not outlive `discard`. One of a worker that was killed outright (SIGKILL) is invisible and ends after
    a week. It is not resumed: its session's URL is a credential, and none is written down. The API lists no sessions,
    so `sweep` has nothing to do.

    Args:
        fs: the gcsfs file system.
        path: the object's path as `fs` names it.
        uri: the object's address for people.
        create_only: replace no object; the store sees to it when the object is to appear (`ifGenerationMatch=0`).
        retry: see `GcsUpload`.
    """

    def __init__(self, fs: GCSFileSystem, path: str, uri: str, *, create_only: bool = False, retry: Any = None) -> None:
        self.uri = uri
        bucket, name, _ = fs.split_path(path)
        if not bucket or not name or path.endswith("/"):
            raise no_object(uri)
        self._create_only = create_only
        self._new_upload = partial(GcsUpload, fs, bucket, name, create_only=create_only, retry=retry)
        self._forget_cached = partial(fs.invalidate_cache, path)
        self._begin()

    def _begin(self) -> None:
        self.written = 0
        self._upload: GcsUpload | None = None
        self._finalized = False
        self._room = self._size = CHUNK
        self._buffer: Block | None = Block()

    def finalize(self) -> None:
        """Send all but the last bytes, at most `SMALL`; only the request that makes the object visible is left."""
        buffer = self._open_buffer()
        self._finalized = True
        if self.written > SMALL:
            self._guard("upload", self._send_most, buffer)

    def publish(self) -> str | None:
        """Send the last bytes: the object appears whole. Returns its ETag."""
        buffer = self._buffer if self._finalized else self._open_buffer()
        if buffer is None:
            raise ended(self.uri)
        etag: str | None = self._guard("publish", self._complete, buffer)
        self.attested = (STORE_CHECKSUM,)
        self._upload, self._buffer, self._finalized = None, None, False
        self._forget_cached()
        return etag

    def discard(self) -> None:
        """Cancel the upload. Never raises; may be called again."""
        upload, self._upload, self._buffer, self._finalized = self._upload, None, None, False
        if upload is not None:
            upload.abort()

    def _send(self, buffer: Block) -> None:
        self._begun().send(buffer.content())
        self._buffer, self._room = Block(), CHUNK

    def _send_most(self, buffer: Block) -> None:
        content, upload = buffer.content(), self._begun()
        count = (len(content) - 1) // GRAIN * GRAIN
        if count:
            upload.send(content[:count])
        self._buffer = Block()
        self._buffer.write(memoryview(content[count:]))  # a copy, which does not hold the rest
        upload.wait()

    def _complete(self, buffer: Block) -> str | None:
        return self._begun().finish(buffer.content())

    def _begun(self) -> GcsUpload:
        if self._upload is None:
            self._upload = self._new_upload()
        return self._upload

    def _is_in_the_way(self, error: Exception) -> bool:
        return self._create_only and isinstance(error, GcsError) and error.status == _PRECONDITION_FAILED
