"""Azure Blob Storage: blocks that only `publish` commits, through the adlfs file system's client and loop.

`adlfs`'s own file object is not used. Read in adlfs 2026.8 (`spec.py`, `AzureBlobFile`): it uploads each block while
the writer waits, holds a second copy of it, and when it is closed commits all bytes so far, also while an exception
unwinds. Here the same client (credentials, endpoint, time-outs) sends the same requests.

Sources: https://learn.microsoft.com/rest/api/storageservices/put-block (blocks are no part of the blob until committed;
those of a blob that never is are dropped a week after the last; 4000 MiB a block; ids of one length),
https://learn.microsoft.com/rest/api/storageservices/put-block-list (the commit, which also drops all blocks it does not
name), https://learn.microsoft.com/azure/storage/blobs/scalability-targets (50,000 blocks a blob).
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_batchdl.transfer.sinks.buffered import SMALL, Block, BlockSink, BlockSizes, Upload, object_at
from airflow_provider_batchdl.transfer.sinks.fsspec_loop import LoopTasks

if TYPE_CHECKING:
    import asyncio

    from adlfs import AzureBlobFileSystem

BLOCK = 8 << 20
"""Bytes in a block where nothing asks for larger ones."""
PLANNED_BLOCKS = 45_000
"""Blocks a blob of known size is cut into at most: a tenth of the store's 50,000 is left for a wrong hint."""
GROW_EVERY = 10_000
"""Blocks after which the block size doubles: 8 MiB blocks then end at 2.3 TiB instead of 390 GiB."""
MAX_BLOCKS = 50_000

_CHECKED = {"validate_content": True}
"""The client sends each request's MD5 with it; the store answers 400 (`Md5Mismatch`) where its own differs.

https://learn.microsoft.com/rest/api/storageservices/put-block#request-headers. CRC64 would cost less CPU, but needs the
package azure-storage-extensions.
"""

# azure-core logs forty lines at INFO for every request, that is for every block.
_REQUESTS = logging.getLogger(f"{__name__}.requests")
_REQUESTS.setLevel(logging.WARNING)


class AzureSink(BlockSink["AzureUpload"]):
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
        super().__init__(uri, sizes, new_upload, create_only=create_only, most_blocks=MAX_BLOCKS)


class AzureUpload(Upload):
    """The blocks of one blob, which does not change before `complete`. The client retries transient failures."""

    def __init__(self, fs: AzureBlobFileSystem, container: str, name: str, *, create_only: bool) -> None:
        super().__init__()
        self.tasks = LoopTasks(fs)
        self._client = fs.service_client.get_blob_client(container, name)
        # Not the blob's own path: adlfs searches for listings of folders.
        self._folder = f"{container}/{name}".rpartition("/")[0]
        self.settings = {"logger": _REQUESTS, **getattr(fs, "_timeout_kwargs", {})}
        self._create_only = create_only
        # Every block of a blob needs an id of the same length, other writers' unfinished blocks included. These have
        # that of adlfs's own, 32 characters.
        self._id = secrets.token_hex(12)
        self._blocks: list[str] = []

    def send(self, block: Block) -> None:
        """See `Upload`."""
        self._blocks.append(f"{self._id}{self.begun:08d}")
        self.begun += 1
        # A file, not bytes, because aiohttp then sends it in pieces instead of copying it whole; the client rewinds it
        # before it sends it again.
        stage = self._client.stage_block
        self._flying.append(self._start(stage, self._blocks[-1], block.file(), length=block.size, **_CHECKED))

    def collect(self) -> None:
        """See `Upload`."""
        self.tasks.wait(self._flying[0])
        self._flying.popleft()

    def complete(self, rest: Block | None) -> object:
        """Make the blob consist of these blocks; write a small one with one Put Blob, which is as atomic."""
        # To Azurite, for one, a Put Blob that is to create finds a blob where only unfinished blocks are.
        if rest is not None and not self.begun and rest.size <= SMALL and not self._create_only:
            put = self._client.upload_blob
            answer = self._call(put, rest.content(), length=rest.size, overwrite=True, **_CHECKED)
        else:
            if rest is not None:
                self.finish(rest)
            answer = self._commit()
        self.tasks.fs.invalidate_cache(self._folder)
        return answer.get("etag")

    def abort(self) -> None:
        """Cancel pending requests; blocks that were sent stay. Never raises."""
        self.tasks.stop()

    def _commit(self) -> Any:
        from azure.core import MatchConditions
        from azure.core.exceptions import AzureError, HttpResponseError
        from azure.storage.blob import BlobBlock

        blocks = [BlobBlock(block) for block in self._blocks]
        condition = {"match_condition": MatchConditions.IfMissing} if self._create_only else {}
        try:
            return self._call(self._client.commit_block_list, blocks, **_CHECKED, **condition)
        except HttpResponseError as error:
            # The client retries a request whose response was lost; the retry then meets its own success.
            try:
                committed, _ = self._call(self._client.get_block_list, "committed")
            except AzureError:
                raise error from None
            # The ids are unique to this upload; an empty blob has none.
            if not self._blocks or [block.id for block in committed] != self._blocks:
                raise
        return self._call(self._client.get_blob_properties)

    def _start(self, function: Callable[..., Awaitable[Any]], *args: Any, **arguments: Any) -> asyncio.Task[Any]:
        return self.tasks.begin(function, *args, **arguments, **self.settings)

    def _call(self, function: Callable[..., Awaitable[Any]], *args: Any, **arguments: Any) -> Any:
        return self.tasks.wait(self._start(function, *args, **arguments))
