"""S3 and everything that speaks it: a multipart upload that only `publish` completes.

`s3fs`'s own file object is not used. Read in s3fs 2026.9 (`core.py`, `S3File`): with `autocommit=False` it uploads
each block while the writer waits; `close` uploads the rest; `commit` completes but drops the ETag; an object below
one block whose upload was begun by `close` is sent as a multipart of one; `discard` sets the buffer to None, so
that the later `__del__` → `close` → `flush` prints an AttributeError; and every body above 1 MiB is handed to aiohttp
as raw bytes, which warns (ResourceWarning) and holds a second copy. Here the same file system object (credentials,
endpoint, retries, extra arguments such as server-side encryption) is asked for the same S3 calls directly. The parts
of larger objects it only signs: see `direct_parts`.

Sources: https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html (an upload is invisible until
completed, aborted parts are not billed), https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html (5 MiB to
5 GiB a part, 10,000 parts).
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from airflow_provider_batchdl.transfer.sinks.buffered import BlockSink, BlockSizes, object_at
from airflow_provider_batchdl.transfer.sinks.s3.api import S3Object
from airflow_provider_batchdl.transfer.sinks.s3.multipart import MultipartUpload

if TYPE_CHECKING:
    from s3fs import S3FileSystem

BLOCK = 8 << 20
"""Bytes in a part where nothing asks for larger ones."""
PLANNED_PARTS = 9_000
"""Parts an object of known size is cut into at most: a tenth of the store's 10,000 is left for a wrong hint."""
GROW_EVERY = 2_000
"""Parts after which the part size doubles: 8 MiB parts then end at 484 GiB instead of 78 GiB."""
MAX_PARTS = 10_000


class S3Sink(BlockSink[MultipartUpload]):
    """A `Sink` for one S3 object.

    Up to `SMALL` bytes (without `finalize`, up to one block) become one PUT at `publish`, also 0 bytes; more becomes a
    multipart upload. None stays open after `discard`; a worker killed outright (SIGKILL) can leave one, so buckets want
    the lifecycle rule "abort incomplete multipart uploads". With a `CheckpointedS3Sink` the next try resumes or aborts
    it.

    With `create_only` the last request says `If-None-Match: *`, which AWS, MinIO, SeaweedFS and others obey
    (https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html). A store that ignores the header
    is asked right before, so that only a writer in that very moment is overwritten; one that refuses it fails.
    """

    def __init__(
        self,
        fs: S3FileSystem,
        path: str,
        uri: str,
        *,
        expected_bytes: int | None = None,
        create_only: bool = False,
    ) -> None:
        self._object = S3Object(fs, *object_at(fs, path, uri), create_only=create_only)
        sizes = BlockSizes.of(
            expected_bytes,
            smallest=BLOCK,
            most_planned=PLANNED_PARTS,
            grow_every=GROW_EVERY,
            fixed=bool(getattr(fs, "fixed_upload_size", False)),
        )
        new_upload = partial(MultipartUpload, self._object)
        super().__init__(uri, sizes, new_upload, create_only=create_only, most_blocks=MAX_PARTS)
