"""The requests to Azure Blob Storage that make one block blob, through the adlfs file system's client and loop."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from airflow_provider_batchdl.transfer.sinks.buffered import SMALL, Block, Upload
from airflow_provider_batchdl.transfer.sinks.fsspec_loop import LoopTasks

if TYPE_CHECKING:
    import asyncio

    from adlfs import AzureBlobFileSystem

_CHECKED = {"validate_content": True}
"""The client sends each request's MD5 with it; the store answers 400 (`Md5Mismatch`) where its own differs.

https://learn.microsoft.com/rest/api/storageservices/put-block#request-headers. CRC64 would cost less CPU, but needs the
package azure-storage-extensions.
"""

# azure-core logs forty lines at INFO for every request, that is for every block.
_REQUESTS = logging.getLogger(f"{__name__}.requests")
_REQUESTS.setLevel(logging.WARNING)


class AzureUpload(Upload[Block]):
    """The blocks of one blob, which does not change before `complete`.

    The client has the connection's credentials and time-outs, and retries transient failures.
    """

    def __init__(self, fs: AzureBlobFileSystem, container: str, name: str, *, create_only: bool) -> None:
        super().__init__()
        self.tasks = LoopTasks(fs)
        self._client = fs.service_client.get_blob_client(container, name)
        # Not the blob's own path: adlfs searches for listings of folders.
        self._folder = f"{container}/{name}".rpartition("/")[0]
        self.settings = {"logger": _REQUESTS, **getattr(fs, "_timeout_kwargs", {})}
        self._create_only = create_only
        # Every block of a blob needs an id of the same length, other writers' unfinished blocks included
        # (learn.microsoft.com/rest/api/storageservices/put-block). These have that of adlfs's own, 32 characters.
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

    def complete(self, rest: Block | None) -> str | None:
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
        etag = answer.get("etag")
        return str(etag).strip('"') if etag else None

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
