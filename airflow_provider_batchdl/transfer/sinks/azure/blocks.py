"""Requests to Azure Blob Storage for one block blob, and the blocks of one upload to it."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import deque
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from airflow_provider_batchdl.transfer.sinks.buffered import ABORT_SECONDS
from airflow_provider_batchdl.transfer.sinks.fsspec_loop import begin, cancel, wait

if TYPE_CHECKING:
    from adlfs import AzureBlobFileSystem

    from airflow_provider_batchdl.transfer.sinks.buffered import Block

log = logging.getLogger(__name__)

_CHECKED = {"validate_content": True}
"""The client sends each request's MD5 with it; the store answers 400 (`Md5Mismatch`) where its own differs.

https://learn.microsoft.com/rest/api/storageservices/put-block#request-headers. CRC64 would cost less CPU, but needs the
package azure-storage-extensions.
"""

# azure-core logs forty lines at INFO for every request, that is for every block.
_REQUESTS = logging.getLogger(f"{__name__}.requests")
_REQUESTS.setLevel(logging.WARNING)


class AzureBlob:
    """One blob of one container, through the adlfs file system's client, loop and time-outs.

    Args:
        fs: the file system; its service client has the connection's credentials and retries transient failures.
        container: the container's name.
        name: the blob's name in it.
        path: the blob's path as the file system names it.
        create_only: refuse to replace a blob.
    """

    def __init__(
        self, fs: AzureBlobFileSystem, container: str, name: str, path: str, *, create_only: bool = False
    ) -> None:
        self.create_only = create_only
        self.client = fs.service_client.get_blob_client(container, name)
        self._fs = fs
        self._path = path
        self._settings = {"logger": _REQUESTS, **getattr(fs, "_timeout_kwargs", {})}
        self._under_way: set[asyncio.Task[Any]] = set()

    def begin(self, function: Callable[..., Awaitable[Any]], *args: Any, **arguments: Any) -> asyncio.Task[Any]:
        """Start one call of `client` on the file system's loop and return its task at once."""
        return begin(self._fs, function, *args, pending=self._under_way, **arguments, **self._settings)

    def wait(self, task: asyncio.Task[Any]) -> Any:
        """The task's result. If a signal raises in this thread, the task keeps running until `stop`."""
        return wait(self._fs, task)

    def call(self, function: Callable[..., Awaitable[Any]], *args: Any, **arguments: Any) -> Any:
        """One call of `client`. Raises what azure-core raises."""
        return self.wait(self.begin(function, *args, **arguments))

    def put(self, data: bytes) -> str | None:
        """Write the whole blob with one Put Blob, which is atomic and replaces an existing one. Returns its ETag."""
        return self.published(self.call(self.client.upload_blob, data, length=len(data), overwrite=True, **_CHECKED))

    def published(self, answer: Any) -> str | None:
        """The ETag in the response that made the blob visible; drops the file system's cached listing of its folder."""
        # Not by the blob's own path: adlfs searches for listings of folders.
        self._fs.invalidate_cache(self._path.rpartition("/")[0])
        etag = answer.get("etag")
        return str(etag).strip('"') if etag else None

    def stop(self) -> None:
        """Cancel all pending calls. Never raises."""
        try:
            cancel(self._fs, list(self._under_way), timeout=ABORT_SECONDS)
        except Exception as error:  # noqa: BLE001  see the docstring: never raises
            log.debug("Could not cancel pending requests to the store: %s", type(error).__name__)


class BlockUpload:
    """The blocks of one upload, in the order in which they are sent; the blob does not change before `commit`."""

    def __init__(self, blob: AzureBlob) -> None:
        self._blob = blob
        # Every block of a blob needs an id of the same length, other writers' unfinished blocks included
        # (learn.microsoft.com/rest/api/storageservices/put-block). These have that of adlfs's own, 32 characters.
        self._upload = secrets.token_hex(12)
        self._ids: list[str] = []
        self._flying: deque[asyncio.Task[Any]] = deque()

    @property
    def blocks_begun(self) -> int:
        """Number of blocks sent so far."""
        return len(self._ids)

    @property
    def in_flight(self) -> int:
        """Number of blocks sent and not yet collected."""
        return len(self._flying)

    def send(self, body: Block) -> None:
        """Start uploading `body` as the next block."""
        block = f"{self._upload}{len(self._ids):08d}"
        self._ids.append(block)
        # A file, not bytes, because aiohttp then sends it in pieces instead of copying it whole; the client rewinds it
        # before it sends it again.
        task = self._blob.begin(self._blob.client.stage_block, block, body.file(), length=body.size, **_CHECKED)
        self._flying.append(task)

    def collect(self) -> None:
        """Wait for the oldest block in flight. Raises its upload's exception."""
        self._blob.wait(self._flying[0])
        self._flying.popleft()

    def commit(self) -> str | None:
        """Make the blob consist of these blocks. Returns its ETag."""
        from azure.core import MatchConditions
        from azure.core.exceptions import HttpResponseError
        from azure.storage.blob import BlobBlock

        blocks = [BlobBlock(block) for block in self._ids]
        condition = {"match_condition": MatchConditions.IfMissing} if self._blob.create_only else {}
        try:
            answer = self._blob.call(self._blob.client.commit_block_list, blocks, **_CHECKED, **condition)
        except HttpResponseError:
            # The client retries a request whose response was lost; the retry then meets its own success.
            if not self._are_committed():
                raise
            answer = self._blob.call(self._blob.client.get_blob_properties)
        return self._blob.published(answer)

    def _are_committed(self) -> bool:
        from azure.core.exceptions import AzureError

        try:
            committed, _ = self._blob.call(self._blob.client.get_block_list, "committed")
        except AzureError:
            return False
        # The ids are unique to this upload; an empty blob has none.
        return bool(self._ids) and [block.id for block in committed] == self._ids
