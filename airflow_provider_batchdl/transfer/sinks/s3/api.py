"""The S3 calls for one object, through the s3fs file system's client."""

from __future__ import annotations

import contextlib
import hashlib
import io
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from airflow_provider_batchdl.transfer.sinks.buffered import Block
from airflow_provider_batchdl.transfer.sinks.errors import store_code
from airflow_provider_batchdl.transfer.sinks.fsspec_loop import LoopTasks
from airflow_provider_batchdl.transfer.sinks.s3.part import to_base64

if TYPE_CHECKING:
    from s3fs import S3FileSystem

MOST_PAGES = 1000
"""Pages of a list, of a thousand items each: a store that repeats a page must not hold a task for ever."""


class WrongObjectError(Exception):
    """The store made another object than the one that was sent."""


async def client_of(fs: S3FileSystem, names: Mapping[str, str]) -> Any:
    """The file system's client for a bucket. A coroutine on the file system's loop."""
    await fs.set_session()
    return await fs.get_s3(names["Bucket"])


def pages(fs: S3FileSystem, method: str, after: Mapping[str, str], **arguments: Any) -> Iterator[dict[str, Any]]:
    """The pages of a list; ``after`` has the argument that names the next page, by the member that has its value."""
    for _ in range(MOST_PAGES):
        page: dict[str, Any] = fs.call_s3(method, **arguments)
        yield page
        if not page.get("IsTruncated"):
            return
        arguments |= {name: page.get(member, "") for member, name in after.items()}


class S3Object(LoopTasks):
    """One key of one bucket, through the s3fs file system's client, loop and extra arguments."""

    def __init__(self, fs: S3FileSystem, bucket: str, key: str, *, create_only: bool = False) -> None:
        super().__init__(fs)
        self.create_only = create_only
        self.path = f"{bucket}/{key}"
        self.names = {"Bucket": bucket, "Key": key}

    def request(self, method: str, *, timeout: float | None = None, **arguments: Any) -> dict[str, Any]:
        """One S3 call without a body. Raises what s3fs raises."""
        answer: dict[str, Any] = self.fs.call_s3(method, **self.names, **arguments, timeout=timeout)
        return answer

    async def send_async(self, method: str, body: io.BytesIO, **arguments: Any) -> dict[str, Any]:
        """One S3 call with a body, retried as s3fs retries, and rewound before every try.

        `fs._call_s3` would call again with the same, exhausted file and so upload an empty part. A file, not bytes,
        because aiohttp then sends it in pieces instead of copying it whole.
        """
        from s3fs.core import _error_wrapper

        function = getattr(await client_of(self.fs, self.names), method)
        wanted = self.fs._get_s3_method_kwargs(function, **self.names, **arguments, Body=body)

        async def send() -> Any:
            body.seek(0)
            return await function(**wanted)

        answer: dict[str, Any] = await _error_wrapper(send, retries=self.fs.retries)
        return answer

    async def takes_checksums(self) -> bool:
        """True where the client may send CRC-32 checksums: it is not configured to send none, or others."""
        client = await client_of(self.fs, self.names)
        # Before botocore 1.36 there is no such setting, and no checksum.
        wanted = getattr(client.meta.config, "request_checksum_calculation", "when_required")
        return wanted == "when_supported" and "ChecksumAlgorithm" not in self.fs.s3_additional_kwargs

    def put(self, content: Block) -> tuple[bool, object]:
        """Write the whole object with one PUT, which S3 makes atomic.

        Returns:
            Whether the store confirmed its checksum, and its ETag.
        """
        wanted = {"ChecksumCRC32": to_base64(content.crc32)} if self.wait(self.begin(self.takes_checksums)) else {}
        try:
            answer = self.wait(self.begin(self.send_async, "put_object", content.file(), **wanted, **self.condition))
        except Exception as error:  # noqa: BLE001  raised again there
            digest = hashlib.md5(content.content(), usedforsecurity=False).hexdigest()
            answer = self.mine_after_all(error, digest)
        etag = self.published(answer)
        return self.is_attested(answer, wanted), etag

    def is_attested(self, answer: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
        """True where the store confirms, in its answer, the checksum of the object that it was asked to make.

        Raises:
            WrongObjectError: the object has another checksum. A store does this that neither compares the checksum
                with its own nor ignores it. The object is removed.
        """
        checksum, found = wanted.get("ChecksumCRC32"), answer.get("ChecksumCRC32")
        if checksum is None or found is None or found == checksum:
            return checksum is not None and found == checksum
        what = f"the object has the checksum {found}, the bytes sent have {checksum}"
        try:
            self.request("delete_object", **({"VersionId": answer["VersionId"]} if answer.get("VersionId") else {}))
        except Exception as error:  # noqa: BLE001  every store raises its own kinds
            raise WrongObjectError(f"{what}; it could not be removed ({type(error).__name__})") from None
        raise WrongObjectError(f"{what}; it was removed")

    @property
    def condition(self) -> dict[str, Any]:
        """The arguments that make the last request replace nothing."""
        return {"IfNoneMatch": "*"} if self.create_only else {}

    def exists(self) -> bool:
        """True where the object exists, as far as the key may know: without a right to read, S3 answers 403 to both."""
        try:
            self.request("head_object")
        except (FileNotFoundError, PermissionError):
            return False
        return True

    def mine_after_all(self, error: Exception, etag: str | None) -> dict[str, Any]:
        """The store's answer about an object with exactly our content, where a repeated request met its own success.

        Anything else that ``error`` means is raised; ``etag`` is that of our content.
        """
        repeated = isinstance(error, FileNotFoundError) or store_code(error) == "PreconditionFailed"
        answer: dict[str, Any] = {}
        with contextlib.suppress(Exception):  # nothing is there; or who may only write cannot know
            answer = self.request("head_object") if repeated else {}
        if etag is None or str(answer.get("ETag")).strip('"') != etag:
            raise error
        return answer

    def published(self, answer: dict[str, Any]) -> object:
        """The ETag of an answer that made the object visible; forgets what the file system cached about it."""
        self.fs.invalidate_cache(self.path)
        return answer.get("ETag")
