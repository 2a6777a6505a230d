"""The S3 calls behind `S3Sink`: one object, one multipart upload of it."""

from __future__ import annotations

import asyncio
import hashlib
import io
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from airflow_provider_batchdl.transfer.sinks.errors import store_code

if TYPE_CHECKING:
    from s3fs import S3FileSystem

log = logging.getLogger(__name__)

PRECONDITION_FAILED = "PreconditionFailed"
"""The code of a refusal because the object exists."""
ABORT_SECONDS = 60.0
"""A dead store may hold a task that is being killed no longer than this."""
ATTEMPTS = 3
"""Tries of one body, each with botocore's own retries inside."""


class S3Object:
    """One key of one bucket, through the s3fs file system's client, loop and extra arguments."""

    def __init__(self, fs: S3FileSystem, bucket: str, key: str, path: str, *, create_only: bool = False) -> None:
        self.fs = fs
        self.create_only = create_only
        self._path = path
        self._names = {"Bucket": bucket, "Key": key}

    def call(self, method: str, *, timeout: float | None = None, **arguments: Any) -> dict[str, Any]:
        """One S3 call without a body. Raises what s3fs raises."""
        from fsspec.asyn import sync

        answer: dict[str, Any] = sync(self.fs.loop, self.call_async, method, timeout=timeout, **arguments)
        return answer

    async def call_async(self, method: str, **arguments: Any) -> dict[str, Any]:
        """`call` as a coroutine on the file system's loop."""
        answer: dict[str, Any] = await self.fs._call_s3(method, **self._names, **arguments)
        return answer

    async def send_async(self, method: str, body: io.BytesIO, **arguments: Any) -> dict[str, Any]:
        """One S3 call with a body, rewound before every try.

        `fs._call_s3` would call again with the same, exhausted file and so upload an empty part; botocore's retries
        inside one call do rewind. A file, not bytes, because aiohttp then sends it in pieces instead of copying
        it whole.
        """
        from botocore.exceptions import HTTPClientError

        await self.fs.set_session()
        client = await self.fs.get_s3(self._names["Bucket"])
        function = getattr(client, method)
        for attempt in range(1, ATTEMPTS + 1):
            body.seek(0)
            try:
                wanted = self.fs._get_s3_method_kwargs(function, **self._names, **arguments, Body=body)
                answer: dict[str, Any] = await function(**wanted)
                return answer
            except HTTPClientError:
                if attempt == ATTEMPTS:
                    raise
                await asyncio.sleep(0.2 * 2**attempt)
        raise AssertionError("unreachable")

    def put(self, body: io.BytesIO) -> str | None:
        """Write the whole object with one PUT, which S3 makes atomic. Returns its ETag."""
        try:
            answer = self.wait(self.begin(self.send_async, "put_object", body, **self.condition))
        except Exception as error:
            if store_code(error) != PRECONDITION_FAILED:
                raise
            digest = hashlib.md5(body.getbuffer(), usedforsecurity=False).hexdigest()
            answer = self.mine_after_all(error, digest)
        return self.published(answer)

    @property
    def condition(self) -> dict[str, Any]:
        """The arguments that make the last request replace nothing."""
        return {"IfNoneMatch": "*"} if self.create_only else {}

    def exists(self) -> bool:
        """Whether the object is there."""
        try:
            self.call("head_object")
        except FileNotFoundError:
            return False
        return True

    def mine_after_all(self, error: Exception, etag: str | None) -> dict[str, Any]:
        """What the store says of an object with our very content, where a repeated request met its own success.

        Args:
            error: what the last request raised; raised again where it means anything else.
            etag: that of our content.
        """
        repeated = isinstance(error, FileNotFoundError) or store_code(error) == PRECONDITION_FAILED
        answer = self.call("head_object") if repeated else {}
        if etag is None or str(answer.get("ETag")).strip('"') != etag:
            raise error
        return answer

    def published(self, answer: dict[str, Any]) -> str | None:
        """The ETag of an answer that made the object visible; forgets what the file system cached about it."""
        self.fs.invalidate_cache(self._path)
        etag = answer.get("ETag")
        return str(etag).strip('"') if etag else None

    def begin(self, function: Callable[..., Awaitable[Any]], *args: Any, **arguments: Any) -> asyncio.Task[Any]:
        """Start a coroutine on the file system's loop and return its task at once."""
        from fsspec.asyn import sync

        async def start() -> asyncio.Task[Any]:
            return asyncio.ensure_future(function(*args, **arguments))

        task: asyncio.Task[Any] = sync(self.fs.loop, start)
        return task

    def wait(self, task: asyncio.Task[Any], *, timeout: float | None = None) -> Any:
        """The task's result. A signal that raises in this thread leaves the task running."""
        from fsspec.asyn import sync

        async def result() -> Any:
            return await task

        return sync(self.fs.loop, result, timeout=timeout)


class MultipartUpload:
    """One multipart upload; parts are numbered as they are sent."""

    def __init__(self, target: S3Object) -> None:
        self._object = target
        # The task is kept, not only its result: a signal that arrives while the store answers must not lose the id.
        self._created = target.begin(target.call_async, "create_multipart_upload")
        self._upload_id: str | None = None
        self._flying: deque[tuple[asyncio.Task[Any], io.BytesIO]] = deque()
        self._parts: list[dict[str, Any]] = []
        self.parts_begun = 0

    @property
    def in_flight(self) -> int:
        """Parts sent and not yet collected."""
        return len(self._flying)

    def send(self, body: io.BytesIO) -> None:
        """Start uploading `body` as the next part. The buffer is lent until `collect` returns it."""
        self.parts_begun += 1
        names = {"PartNumber": self.parts_begun, "UploadId": self._id()}
        self._flying.append((self._object.begin(self._object.send_async, "upload_part", body, **names), body))

    def collect(self) -> io.BytesIO:
        """Wait for the oldest part under way; returns its buffer. Raises what its upload raised."""
        task, body = self._flying[0]
        answer = self._object.wait(task)
        self._flying.popleft()
        # The store wants back the checksums it answered with where it keeps them per part.
        kept = {name: value for name, value in answer.items() if name == "ETag" or name in _CHECKSUMS}
        self._parts.append({"PartNumber": len(self._parts) + 1, **kept})
        return body

    def complete(self) -> str | None:
        """Make the object visible. Returns its ETag."""
        try:
            wanted = {"MultipartUpload": {"Parts": self._parts}, **self._object.condition}
            answer = self._object.call("complete_multipart_upload", UploadId=self._id(), **wanted)
        except Exception as error:  # noqa: BLE001  raised again there
            # A completion whose answer was lost is repeated by the client and then finds no such upload.
            answer = self._object.mine_after_all(error, composite_etag(self._parts))
        return self._object.published(answer)

    def abort(self) -> None:
        """Stop the parts under way and abort the upload until the store no longer knows it. Never raises.

        A part that is still arriving may survive the first abort
        (https://docs.aws.amazon.com/AmazonS3/latest/API/API_AbortMultipartUpload.html), hence the check.
        """
        try:
            self._stop_parts()
            upload_id = self._id(timeout=ABORT_SECONDS)
        except Exception as error:  # noqa: BLE001  see the docstring: never raises
            log.debug("No multipart upload to abort: %s", type(error).__name__)
            return
        try:
            for _ in range(3):
                self._object.call("abort_multipart_upload", UploadId=upload_id, timeout=ABORT_SECONDS)
                self._object.call("list_parts", UploadId=upload_id, timeout=ABORT_SECONDS)
        except FileNotFoundError:
            return
        except Exception as error:  # noqa: BLE001  see the docstring: never raises
            # A key may well be allowed to abort but not to list; the abort itself has then been accepted.
            log.warning(
                "Could not confirm that multipart upload %s is gone (%s); the bucket's lifecycle rule has to remove it",
                upload_id,
                type(error).__name__,
            )

    def _stop_parts(self) -> None:
        from fsspec.asyn import sync

        async def stop(tasks: list[asyncio.Task[Any]]) -> None:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        tasks = [task for task, _ in self._flying]
        self._flying.clear()
        if tasks:
            sync(self._object.fs.loop, stop, tasks, timeout=ABORT_SECONDS)

    def _id(self, *, timeout: float | None = None) -> str:
        if self._upload_id is None:
            self._upload_id = str(self._object.wait(self._created, timeout=timeout)["UploadId"])
        return self._upload_id


_CHECKSUMS = frozenset(
    {"ChecksumCRC32", "ChecksumCRC32C", "ChecksumCRC64NVME", "ChecksumSHA1", "ChecksumSHA256"},
)


def composite_etag(parts: list[dict[str, Any]]) -> str | None:
    """The ETag S3 gives an object made of `parts`: MD5 over the parts' MD5s, a dash, their number.

    None where the parts' ETags are no MD5s (some encryption settings, some other stores). Documented at
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html.
    """
    try:
        digests = b"".join(bytes.fromhex(str(part["ETag"]).strip('"')) for part in parts)
    except ValueError:
        return None
    return f"{hashlib.md5(digests, usedforsecurity=False).hexdigest()}-{len(parts)}"
