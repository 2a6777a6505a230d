"""Google Cloud Storage: a resumable upload whose last bytes only `publish` sends."""

from __future__ import annotations

import sys
from functools import partial
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

    def __init__(self, fs: GCSFileSystem, path: str, uri: str, *, create_only: bool = False, retry: Any = None) -> None:
        new_upload = partial(GcsUpload, fs, *object_at(fs, path, uri), create_only=create_only, retry=retry)
        sizes = BlockSizes(CHUNK, fixed=True, grow_every=1)
        super().__init__(uri, sizes, sys.maxsize, Block, new_upload, create_only=create_only)
