"""One request and one answer, as the emulated APIs see them."""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from starlette.requests import Request

from airflow_provider_batchdl.emulator.content import BytesContent, Content
from airflow_provider_batchdl.emulator.faults import Fault
from airflow_provider_batchdl.emulator.jobs import EmulatedJob
from airflow_provider_batchdl.emulator.world import World

Headers = list[tuple[str, str]]


@dataclass
class Reply:
    """An answer before it is put on the wire.

    Attributes:
        status: HTTP status.
        content: the body's source.
        headers: headers without Content-Type and Content-Length.
        start: first byte of ``content`` to send.
        stop: end (exclusive) of the bytes to send; ``None`` is all.
        chunked: send in chunks, without a length.
        bytes_per_second: speed of the body; ``None`` is as fast as it goes.
    """

    status: int
    content: Content
    headers: Headers = field(default_factory=list)
    start: int = 0
    stop: int | None = None
    chunked: bool = False
    bytes_per_second: int | None = None

    @property
    def length(self) -> int:
        """Number of body bytes."""
        return (self.content.size if self.stop is None else self.stop) - self.start

    def pieces(self) -> Iterator[bytes]:
        """Yield the body."""
        return self.content.chunks(self.start, self.stop)


def text_reply(status: int, text: str | bytes, content_type: str, headers: Iterable[tuple[str, str]] = ()) -> Reply:
    """Return an answer with a short body."""
    data = text.encode() if isinstance(text, str) else text
    return Reply(status, BytesContent(data, content_type), list(headers))


def json_reply(status: int, document: Any, headers: Iterable[tuple[str, str]] = ()) -> Reply:
    """Return an answer with a JSON body. Half of a surrogate pair, which only an escape can say, is escaped."""
    text = json.dumps(document, ensure_ascii=False)
    escaped = re.sub("[\ud800-\udfff]", lambda half: f"\\u{ord(half[0]):04x}", text)
    return text_reply(status, escaped, "application/json", headers)


def redirect_reply(status: int, location: str) -> Reply:
    """Return a redirect without a body."""
    return text_reply(status, b"", "", [("location", location)])


class BadBodyError(ValueError):
    """A request body that cannot be read as what it should be."""


class RefusedError(Exception):
    """Ends the handling of a request with an answer."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.status)
        self.reply = reply


@dataclass
class Call:
    """A request on its way to a handler.

    Attributes:
        request: Starlette's request.
        world: the emulator's state.
        params: path parameters.
        fault: the fault that this request suffers.
    """

    request: Request
    world: World
    params: Mapping[str, str]
    fault: Fault | None = None

    @cached_property
    def query(self) -> dict[str, str]:
        """Last value of each query parameter."""
        return dict(self.request.query_params)

    def header(self, name: str) -> str:
        """Return a header's value, or an empty text."""
        return self.request.headers.get(name, "")

    @property
    def bearer(self) -> str:
        """The bearer token, or an empty text."""
        scheme, _, token = self.header("authorization").partition(" ")
        return token if scheme.lower() == "bearer" else ""

    @property
    def is_json(self) -> bool:
        """True if the body says that it is JSON."""
        kind = self.header("content-type").partition(";")[0].strip().lower()
        return kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))

    def faulty(self, kind: str) -> bool:
        """True if this request suffers a fault of a kind."""
        return self.fault is not None and self.fault.kind == kind

    def announced(self, size: int) -> int:
        """Return a size as the vendor says it: wrong, if this request suffers the fault ``wrong_size``."""
        return max(0, size + self.fault.length_delta) if self.fault and self.fault.kind == "wrong_size" else size

    async def json(self) -> Any:
        """Return the parsed JSON body.

        Raises:
            BadBodyError: where it isn't JSON; ``NaN`` and the like count as no JSON.
        """
        try:
            return json.loads(await self.request.body(), parse_constant=_refuse)
        except (ValueError, RecursionError) as error:
            raise BadBodyError(str(error)) from None

    async def json_object(self) -> dict[str, Any]:
        """Return the parsed JSON body, which must be an object.

        Raises:
            BadBodyError: where it isn't a JSON object or isn't declared as JSON.
        """
        if not self.is_json:
            raise BadBodyError("the content type is not application/json")
        document = await self.json()
        if not isinstance(document, dict):
            raise BadBodyError("the body is not a JSON object")
        return document


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")


Handler = Callable[[Call], Awaitable[Reply]]


@dataclass(frozen=True)
class Endpoint:
    """A route of an emulated API.

    Attributes:
        operation: name in the request log and for faults.
        method: HTTP method.
        path: Starlette path, from the origin's root.
        handler: makes the answer.
        spec: the OpenAPI operation object's fields that the route itself doesn't tell.
        open: needs no credentials and counts against no limit.
    """

    operation: str
    method: str
    path: str
    handler: Handler
    spec: Mapping[str, Any] = field(default_factory=dict)
    open: bool = False


class Api(ABC):
    """One emulated API: routes, what guards them, and what its errors look like.

    Args:
        world: the state of all vendors.
    """

    vendor: str

    def __init__(self, world: World) -> None:
        self.world = world

    @property
    def key(self) -> str:
        """The account's key or secret as of now."""
        return self.world.accounts.credentials[self.vendor].password

    @abstractmethod
    def endpoints(self) -> list[Endpoint]:
        """Return the routes."""

    async def operation_of(self, call: Call, endpoint: Endpoint) -> str:
        """Return the name of a request in the log and for faults: the route's, where one route does not do it all."""
        return endpoint.operation

    def guard(self, call: Call, endpoint: Endpoint) -> None:
        """Refuse a request without credentials or beyond the limits.

        Raises:
            RefusedError: as the vendor says it.
        """

    def dress(self, call: Call, reply: Reply) -> None:
        """Add what the vendor puts on every answer."""

    @abstractmethod
    def error(self, status: int, message: str) -> Reply:
        """Return an error in the vendor's shape."""

    def bad_body(self, problem: str) -> Reply:
        """Return the answer to a body that cannot be read."""
        return self.error(400, problem)

    def job(self, job_id: str, unknown: Reply) -> EmulatedJob:
        """Return a job by id.

        Raises:
            RefusedError: with the answer ``unknown``, where there is none.
        """
        job = self.world.job(self.vendor, job_id)
        if job is None:
            raise RefusedError(unknown)
        return job
