"""Google Cloud Storage: a resumable upload whose last bytes only `publish` sends."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from airflow_provider_batchdl.transfer.sinks.buffered import Block, BlockSink, BlockSizes, object_at
from airflow_provider_batchdl.transfer.sinks.gcs.upload import GRAIN, GcsUpload

if TYPE_CHECKING:
    from gcsfs.core import GCSFileSystem

CHUNK = 32 * GRAIN
"""Bytes in a chunk: 8 MiB, what Google recommends at least."""


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

    most_blocks = sys.maxsize

    def __init__(self, fs: GCSFileSystem, path: str, uri: str, *, create_only: bool = False, retry: Any = None) -> None:
        self._fs, self._retry = fs, retry
        self._bucket, self._name = object_at(fs, path, uri)
        super().__init__(uri, BlockSizes(CHUNK, fixed=True, grow_every=1), Block, create_only=create_only)

    def _new_upload(self, *, one_block: bool) -> GcsUpload:
        return GcsUpload(self._fs, self._bucket, self._name, create_only=self._create_only, retry=self._retry)

    def _at_once(self, buffer: Block) -> tuple[bool, str | None]:
        return True, self._begun(one_block=True).complete_with(buffer.content())
