"""Requests to Azure Blob Storage for one block blob, and the blocks of one upload to it."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from airflow_provider_batchdl.transfer.sinks.buffered import SMALL, Block, Upload
from airflow_provider_batchdl.transfer.sinks.fsspec_loop import LoopTasks

if TYPE_CHECKING:
    from adlfs import AzureBlobFileSystem

_CHECKED = {"validate_content": True}
"""The client sends each request's MD5 with it; the store answers 400 (`Md5Mismatch`) where its own differs.

https://learn.microsoft.com/rest/api/storageservices/put-block#request-headers. CRC64 would cost less CPU, but needs the
package azure-storage-extensions.
"""

# azure-core logs forty lines at INFO for every request, that is for every block.
_REQUESTS = logging.getLogger(f"{__name__}.requests")
_REQUESTS.setLevel(logging.WARNING)


class AzureBlob(LoopTasks):
    """One blob of one container, through the adlfs file system's client, loop and time-outs.

    The client has the connection's credentials and retries transient failures.
    """

    def __init__(self, fs: AzureBlobFileSystem, container: str, name: str, path: str) -> None:
        super().__init__(fs)
        self.client = fs.service_client.get_blob_client(container, name)
        self._path = path
        self._settings = {"logger": _REQUESTS, **getattr(fs, "_timeout_kwargs", {})}

    def begin(self, function: Callable[..., Awaitable[Any]], *args: Any, **arguments: Any) -> asyncio.Task[Any]:
        """Start one call of `client` with the connection's time-outs. Its task raises what azure-core raises."""
        return super().begin(function, *args, **arguments, **self._settings)

    def put(self, data: bytes) -> str | None:
        """Write the whole blob with one Put Blob, which is atomic and replaces an existing one. Returns its ETag."""
        return self.published(self.call(self.client.upload_blob, data, length=len(data), overwrite=True, **_CHECKED))

    def published(self, answer: Any) -> str | None:
        """The ETag in the response that made the blob visible; drops the file system's cached listing of its folder."""
        # Not by the blob's own path: adlfs searches for listings of folders.
        self.fs.invalidate_cache(self._path.rpartition("/")[0])
        etag = answer.get("etag")
        return str(etag).strip('"') if etag else None


class BlockUpload(Upload[Block]):
    """The blocks of one upload; the blob does not change before `complete`."""

    def __init__(self, blob: AzureBlob, *, create_only: bool) -> None:
        super().__init__()
        self._blob = blob
        self._create_only = create_only
        # Every block of a blob needs an id of the same length, other writers' unfinished blocks included
        # (learn.microsoft.com/rest/api/storageservices/put-block). These have that of adlfs's own, 32 characters.
        self._upload = secrets.token_hex(12)
        self._ids: list[str] = []

    def send(self, block: Block) -> None:
        """See `Upload`."""
        self._ids.append(f"{self._upload}{self.begun:08d}")
        self.begun += 1
        # A file, not bytes, because aiohttp then sends it in pieces instead of copying it whole; the client rewinds it
        # before it sends it again.
        stage = self._blob.client.stage_block
        self._flying.append(self._blob.begin(stage, self._ids[-1], block.file(), length=block.size, **_CHECKED))

    def collect(self) -> None:
        """See `Upload`."""
        self._blob.wait(self._flying[0])
        self._flying.popleft()

    def complete(self, rest: Block | None) -> str | None:
        """Make the blob consist of these blocks; write a small one at once. Returns its ETag."""
        from azure.core import MatchConditions
        from azure.core.exceptions import HttpResponseError
        from azure.storage.blob import BlobBlock

        if rest is not None:
            # To Azurite, for one, a Put Blob that is to create finds a blob where only unfinished blocks are.
            if not self.begun and rest.size <= SMALL and not self._create_only:
                return self._blob.put(rest.content())
            self.finish(rest)
        blocks = [BlobBlock(block) for block in self._ids]
        condition = {"match_condition": MatchConditions.IfMissing} if self._create_only else {}
        try:
            answer = self._blob.call(self._blob.client.commit_block_list, blocks, **_CHECKED, **condition)
        except HttpResponseError:
            # The client retries a request whose response was lost; the retry then meets its own success.
            if not self._are_committed():
                raise
            answer = self._blob.call(self._blob.client.get_blob_properties)
        return self._blob.published(answer)

    def abort(self) -> None:
        """Cancel pending requests; the blocks stay. Never raises."""
        self._blob.stop()

    def _are_committed(self) -> bool:
        from azure.core.exceptions import AzureError

        try:
            committed, _ = self._blob.call(self._blob.client.get_block_list, "committed")
        except AzureError:
            return False
        # The ids are unique to this upload; an empty blob has none.
        return bool(self._ids) and [block.id for block in committed] == self._ids
