"""Azure Blob Storage: blocks that only `publish` commits.

`adlfs`'s own file object is not used. Read in adlfs 2026.8 (`spec.py`, `AzureBlobFile`): it uploads each block while
the writer waits, holds a second copy of it, and when it is closed commits all bytes so far, also while an exception
unwinds. Here the same client (credentials, endpoint, time-outs) sends the same requests.

Sources: https://learn.microsoft.com/rest/api/storageservices/put-block (blocks are no part of the blob until committed;
those of a blob that never is are dropped a week after the last; 4000 MiB a block),
https://learn.microsoft.com/rest/api/storageservices/put-block-list (the commit, which also drops all blocks it does not
name), https://learn.microsoft.com/azure/storage/blobs/scalability-targets (50,000 blocks a blob).
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from airflow_provider_batchdl.transfer.sinks.azure.upload import AzureUpload
from airflow_provider_batchdl.transfer.sinks.buffered import Block, BlockSink, BlockSizes, object_at

if TYPE_CHECKING:
    from adlfs import AzureBlobFileSystem

BLOCK = 8 << 20
"""Bytes in a block where nothing asks for larger ones."""
PLANNED_BLOCKS = 45_000
"""Blocks a blob of known size is cut into at most: a tenth of the store's 50,000 is left for a wrong hint."""
GROW_EVERY = 10_000
"""Blocks after which the block size doubles: 8 MiB blocks then end at 2.3 TiB instead of 390 GiB."""
MAX_BLOCKS = 50_000


class AzureSink(BlockSink[Block, AzureUpload]):
    """A `Sink` for one block blob.

    Up to `SMALL` bytes become one Put Blob at `publish` (also 0 bytes); more become blocks, which one Put Block List
    then makes the blob. With `create_only` the last request is always a Put Block List, and says `If-None-Match: *`.
    Every request carries its MD5, and the store refuses what arrives otherwise; the list that is committed names the
    blocks in their order. So the store has checked every byte of a blob that appears.

    Uncommitted blocks are invisible to listings and readers. But Azure has no request that drops blocks and nothing
    else: deleting the blob would also delete what another writer publishes at that moment. So the blocks of a discarded
    upload stay, and are billed, until somebody publishes the same blob, or a week has passed.

    Two writers to one blob do not mix, but the first to publish drops the other's blocks, whose `publish` then is a
    retryable `DestinationError`.
    """

    def __init__(
        self,
        fs: AzureBlobFileSystem,
        path: str,
        uri: str,
        *,
        expected_bytes: int | None = None,
        create_only: bool = False,
        block: int = BLOCK,
        grow_every: int = GROW_EVERY,
    ) -> None:
        new_upload = partial(AzureUpload, fs, *object_at(fs, path, uri), create_only=create_only)
        sizes = BlockSizes.of(expected_bytes, smallest=block, most_planned=PLANNED_BLOCKS, grow_every=grow_every)
        super().__init__(uri, sizes, MAX_BLOCKS, Block, new_upload, create_only=create_only)
