"""The JSON API requests about one object of Google Cloud Storage, and which of them are worth repeating.

Sources: https://cloud.google.com/storage/docs/json_api/v1/objects/insert,
https://cloud.google.com/storage/docs/retry-strategy (what is worth another try),
https://cloud.google.com/storage/docs/request-preconditions (`ifGenerationMatch=0`) and
https://cloud.google.com/storage/docs/data-validation (content that its CRC32C does not fit is refused with 400 before
there is an object; one request says it in the object's metadata).

gcsfs's `_call` is not used: it writes every address, so an upload session's too, to the debug log, and repeats a chunk
without asking the session what it has. Its `initiate_upload` and `simple_upload` first ask for the bucket's kind, with
gRPC, which a proxy or an emulator may not speak.
"""

from __future__ import annotations

import asyncio
import io
import json
import random
import secrets
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote, urlencode

from airflow_provider_batchdl.redaction import excerpt
from airflow_provider_batchdl.transfer.sinks.loops import begin

if TYPE_CHECKING:
    from gcsfs.core import GCSFileSystem

ATTEMPTS = 6
"""Requests without progress after which a step is given up."""
FIRST_PAUSE = 0.5
"""Seconds before the second of them; doubled each time, plus up to as much again by chance."""
REQUEST_SECONDS = 300.0
"""One request takes no longer, where the file system says nothing else (`requests_timeout`)."""
CONNECT_SECONDS = 30.0
"""Nor does reaching the store."""
CONTENT_TYPE = "application/octet-stream"

CREATED = frozenset({200, 201})
PRECONDITION_FAILED = 412
_TRANSIENT = frozenset({408, 429, 500, 502, 503, 504})


class Answer(NamedTuple):
    """An HTTP answer, read."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def resource(self) -> dict[str, Any]:
        """The object's resource (https://cloud.google.com/storage/docs/json_api/v1/objects#resource)."""
        resource: dict[str, Any] = json.loads(self.body)
        return resource


class GcsError(Exception):
    """What the store refused. Says nothing of the address that was asked: it may be a session's.

    Attributes:
        status: the answer's HTTP status; 410 for an upload session that is gone.
    """

    def __init__(self, status: int, said: str) -> None:
        super().__init__(f"{status} {said}".strip())
        self.status = status

    @classmethod
    def of(cls, answer: Answer) -> GcsError:
        """The refusal that an answer is, in the store's words."""
        try:
            said = str(json.loads(answer.body)["error"]["message"])
        except (ValueError, LookupError, TypeError):
            said = excerpt(answer.body.decode("utf-8", "replace"), 200)
        return cls(answer.status, said)


class GcsObject:
    """One object, through the gcsfs file system's HTTP session, credentials and loop."""

    def __init__(self, fs: GCSFileSystem, bucket: str, name: str, path: str, *, create_only: bool = False) -> None:
        self.fs = fs
        self._name = name
        self._path = path
        self._bucket = f"b/{quote(bucket, safe='')}/o"
        self._condition = {"ifGenerationMatch": "0"} if create_only else {}

    async def send(
        self, method: str, url: str, body: io.BytesIO | None = None, *, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """One request.

        Args:
            method: the HTTP method.
            url: the address, encoded.
            body: what to send, from its position on. A file, not bytes: aiohttp then sends it in pieces.
            headers: beside those of the file system (`Authorization`).

        Returns:
            The answer, a refusal too.

        Raises:
            GcsError: the store was busy or broke down; what else aiohttp and google-auth raise where no answer came.
                `transient` tells those apart that are worth another try.
        """
        import aiohttp
        from yarl import URL

        await self.fs._set_session()
        async with self.fs.session.request(
            method,
            URL(url, encoded=True),
            # Not the file itself: for a repeated request, aiohttp 3.14.1 and 3.14.3 send what is left of it, nothing.
            data=None if body is None else aiohttp.BytesIOPayload(body),
            headers=self.fs._get_headers(dict(headers or {})),
            allow_redirects=False,
            timeout=self.fs.requests_timeout
            or aiohttp.ClientTimeout(total=REQUEST_SECONDS, sock_connect=CONNECT_SECONDS),
        ) as answer:
            read = Answer(answer.status, answer.headers, await answer.read())
        if read.status in _TRANSIENT:
            raise GcsError.of(read)
        return read

    async def start_upload(self) -> str:
        """Begin a resumable upload. Returns the session's address, which is a secret."""
        headers = {"Content-Type": "application/json", "X-Upload-Content-Type": CONTENT_TYPE}
        url = self._url("upload/storage/v1", name=self._name, uploadType="resumable", **self._condition)
        metadata = json.dumps({"name": self._name, "contentType": CONTENT_TYPE}).encode()
        answer = await repeated(lambda: self.send("POST", url, io.BytesIO(metadata), headers=headers))
        if answer.status not in CREATED or "Location" not in answer.headers:
            raise GcsError.of(answer)
        return str(answer.headers["Location"])

    async def put(self, data: bytes, checksum: str) -> dict[str, Any]:
        """Write the whole object with one request, which makes it visible whole.

        Args:
            data: its content.
            checksum: the content's CRC32C in base64; the store refuses content that it does not fit.

        Returns:
            The object's resource.
        """
        boundary = secrets.token_hex(16)
        metadata = json.dumps({"name": self._name, "contentType": CONTENT_TYPE, "crc32c": checksum})
        head = f"--{boundary}\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n{metadata}\r\n"
        head += f"--{boundary}\r\nContent-Type: {CONTENT_TYPE}\r\n\r\n"
        message = b"".join((head.encode(), data, f"\r\n--{boundary}--\r\n".encode()))
        headers = {"Content-Type": f'multipart/related; boundary="{boundary}"'}
        url = self._url("upload/storage/v1", uploadType="multipart", **self._condition)
        tries = 0

        async def once() -> Answer:
            nonlocal tries
            tries += 1
            return await self.send("POST", url, io.BytesIO(message), headers=headers)

        answer = await repeated(once)
        if answer.status == PRECONDITION_FAILED and tries > 1:
            # An earlier try, whose answer was lost, may have made the object that is now in the way.
            there = await repeated(lambda: self.send("GET", self._url("storage/v1", self._name)))
            if there.status in CREATED and _same_content(there.resource(), len(data), checksum):
                answer = there
        if answer.status not in CREATED:
            raise GcsError.of(answer)
        return answer.resource()

    def published(self, resource: dict[str, Any]) -> str | None:
        """The ETag of the object made visible; forgets what the file system cached about it."""
        self.fs.invalidate_cache(self._path)
        etag = resource.get("etag")
        return str(etag).strip('"') if etag else None

    def begin(self, function: Callable[..., Awaitable[Any]], *args: Any) -> asyncio.Task[Any]:
        """Start a coroutine on the file system's loop and return its task at once."""
        return begin(self.fs, function, *args)

    def wait(self, task: asyncio.Task[Any], *, timeout: float | None = None) -> Any:
        """The task's result. A signal that raises in this thread, or the time-out, leaves the task running."""
        from fsspec.asyn import sync

        async def result() -> Any:
            return await asyncio.shield(task)

        return sync(self.fs.loop, result, timeout=timeout)

    def _url(self, api: str, *names: str, **query: str) -> str:
        path = "/".join((self.fs._location, api, self._bucket, *(quote(name, safe="") for name in names)))
        # `_get_params` adds who pays for the request where the bucket's owner does not.
        asked = urlencode(self.fs._get_params(query), quote_via=quote)
        return f"{path}?{asked}" if asked else path


async def repeated(request: Callable[[], Awaitable[Answer]]) -> Answer:
    """The answer to a request that may be made again, where it takes several tries. Raises what the last one raised."""
    for number in range(1, ATTEMPTS + 1):
        try:
            return await request()
        except Exception as error:
            if number == ATTEMPTS or not transient(error):
                raise
            await asyncio.sleep(pause(number))
    raise AssertionError("unreachable")


def transient(error: Exception) -> bool:
    """Whether another try is worth it: the store is busy, or no answer came."""
    import aiohttp
    from google.auth.exceptions import TransportError

    if isinstance(error, GcsError):
        return error.status in _TRANSIENT
    return isinstance(error, aiohttp.ClientError | TimeoutError | TransportError)


def pause(number: int) -> float:
    """Seconds to wait after the failure of that number (from 1)."""
    return FIRST_PAUSE * 2.0 ** (number - 1) * (1 + random.random())


def _same_content(resource: dict[str, Any], size: int, checksum: str) -> bool:
    return (resource.get("size"), resource.get("crc32c")) == (str(size), checksum)
