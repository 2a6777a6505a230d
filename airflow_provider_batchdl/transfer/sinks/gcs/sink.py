"""Google Cloud Storage: a resumable upload whose last bytes only `publish` sends."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_batchdl.transfer.sinks.base import STORE_CHECKSUM
from airflow_provider_batchdl.transfer.sinks.buffered import Block, BlockSink, BlockSizes, object_at
from airflow_provider_batchdl.transfer.sinks.errors import ended
from airflow_provider_batchdl.transfer.sinks.gcs.upload import GRAIN, GcsError, GcsUpload

if TYPE_CHECKING:
    from gcsfs.core import GCSFileSystem

CHUNK = 32 * GRAIN
"""Bytes in a chunk: 8 MiB, what Google recommends at least."""

_PRECONDITION_FAILED = 412


class GcsSink(BlockSink[Block, GcsUpload]):
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
        bucket, name = object_at(fs, path, uri)
        self._create_only = create_only
        self._new_upload = partial(GcsUpload, fs, bucket, name, create_only=create_only, retry=retry)
        self._forget_cached = partial(fs.invalidate_cache, path)
        super().__init__(uri, BlockSizes(CHUNK, fixed=True, grow_every=1), Block)

    def discard(self) -> None:
        """Cancel the upload. Never raises; may be called again."""
        upload = self._end()
        if upload is not None:
            upload.abort()

    def _send(self, buffer: Block) -> None:
        self._begun().send(buffer.content())
        self._next_block(2)

    def _send_last(self, buffer: Block) -> None:
        content, upload = buffer.content(), self._begun()
        count = (len(content) - 1) // GRAIN * GRAIN
        if count:
            upload.send(content[:count])
        self._buffer = Block()
        self._buffer.write(memoryview(content[count:]))  # a copy, which does not hold the rest
        upload.wait()

    def _complete(self, buffer: Block | None) -> str | None:
        if buffer is None:
            raise ended(self.uri)
        etag = self._begun().finish(buffer.content())
        self.attested = (STORE_CHECKSUM,)
        self._forget_cached()
        return etag

    def _begun(self) -> GcsUpload:
        if self._upload is None:
            self._upload = self._new_upload()
        return self._upload

    def _is_in_the_way(self, error: Exception) -> bool:
        return self._create_only and isinstance(error, GcsError) and error.status == _PRECONDITION_FAILED
