"""Faults that a test orders, and the book that hands each to the request it is meant for."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import Literal, get_args

FaultKind = Literal[
    "status",
    "html",
    "redirect",
    "reset",
    "cut",
    "stall",
    "drip",
    "wrong_length",
    "no_length",
    "chunked_eof",
    "ignore_range",
    "wrong_range",
    "changed_file",
    "weak_etag",
    "expired_link",
    "bitflip",
    "checksum",
    "headers",
    "interim",
    "coding",
    "wrong_size",
    "endless_list",
]

Shape = Literal["vendor", "html", "text", "empty"]

RANGE_KINDS = frozenset({"ignore_range", "wrong_range"})
"""Kinds that only mean something to a request with a ``Range`` header, and wait for one."""


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong, for one or more requests.

    A fault applies to requests that match ``vendor``, ``operation`` and ``path_contains`` (each ``None`` = any). It
    skips the first ``after`` matches, then harms the next ``times``. One request suffers at most one fault; faults
    that match the same request are served in the order in which they were added.

    ======================  ==========================================================================================
    kind                    what the client meets (options in brackets)
    ======================  ==========================================================================================
    ``status``              an error (``status``, ``shape``, ``body``, ``content_type``, ``headers``, ``retry_after``)
    ``html``                200 with an HTML login page, as from a captive portal or an expired session
    ``redirect``            a redirect to any URL (``location``, ``status``: 302 unless said)
    ``reset``               the connection is dropped (TCP reset) after the request and before any answer
    ``cut``                 the connection ends in mid-body, its framing correct so far (``after_bytes``, ``abort``)
    ``stall``               silence (``after_bytes``, ``seconds``, ``before_headers``), then the rest
    ``drip``                a slow body (``bytes_per_second``), or a slow head (``before_headers``)
    ``wrong_length``        Content-Length is off by ``length_delta`` (declared minus real)
    ``no_length``           no length, no chunks, the close ends the body (``after_bytes`` cuts it short unseen)
    ``chunked_eof``         a chunked body without its last chunk (``after_bytes``)
    ``ignore_range``        200 and the whole file for a Range request
    ``wrong_range``         206 that starts earlier: ``range_shift`` bytes, or at the 64 KiB boundary below
    ``changed_file``        from this request on the result has other bytes and another ETag
    ``weak_etag``           the ETag is a weak one
    ``expired_link``        403 XML as S3 answers for a stale link (``code``)
    ``bitflip``             one bit of the body is wrong (``at_byte`` or ``after_bytes``, ``declare_checksum``)
    ``checksum``            no harm: true Content-MD5 and x-amz-checksum-sha256 headers are declared
    ``headers``             the answer under another head (``headers``, ``status``, ``chunked``, ``after_bytes``)
    ``interim``             ``100 Continue`` again and again before the answer (``seconds``)
    ``coding``              the body comes packed, and says so (``coding``; ``headers`` to say something else)
    ``endless_list``        a page of a list with pages says that another follows, with other jobs
    ``wrong_size``          Batch.com or Shopify announces another size (``length_delta``: announced minus real)
    ======================  ==========================================================================================

    Args:
        kind: which fault.
        vendor: its name, a key of ``Emulator.urls``; store requests carry their job's vendor.
        operation: for example ``submit``, ``status``, ``list``, ``cancel``, ``download``, ``store``, ``token``.
        path_contains: a piece of the request's path.
        times: how many requests to harm; must be at least 1.
        after: how many matching requests to let through first.
        processed: the request is carried out, only its answer is lost or replaced (``reset``, ``status``, ``html``).
        status: HTTP status for ``status`` (default 503), ``redirect`` (default 302) and ``headers`` (the real one).
            ``headers`` with 206 waits for a ``Range`` request and gives the part whatever ``If-Range`` says, as servers
            do that do not know it: with ``{"etag": None}``, nothing then tells which version the part is of.
        shape: who gives a ``status`` answer: ``vendor`` in its own error shape (default), or something in its place,
            a router, firewall or proxy, with ``html``, ``text`` or an ``empty`` body.
        body: body of a ``status`` answer, in place of the shape's.
        headers: extra headers of a ``status`` answer. Of a ``headers`` or ``coding`` one, those that stand in place of
            the real ones, ``None`` for none, several lines as one text with line breaks, any byte as ISO-8859-1:
            ``{"content-length": "-1"}``, ``{"transfer-encoding": "gzip, chunked"}``, ``{"etag": None}``.
        content_type: content type of a ``status`` answer's ``body``.
        retry_after: ``Retry-After`` of a ``status`` answer: seconds, or an HTTP date as text.
        after_bytes: body bytes sent before the harm; ``None`` is 0 for ``cut`` and ``stall``, the whole body for
            ``no_length``, ``chunked_eof`` and ``headers``, and ``at_byte`` for ``bitflip``.
        seconds: length of a ``stall`` or ``interim`` in real seconds.
        before_headers: a ``stall`` comes before the status line; a ``drip`` begins with it.
        bytes_per_second: speed of a ``drip``.
        length_delta: declared minus real length, in bytes.
        abort: a ``cut`` ends with a TCP reset rather than an orderly close.
        range_shift: how many bytes too early a ``wrong_range`` starts.
        location: target of a ``redirect``.
        code: S3 error code of an ``expired_link``: ``AccessDenied`` or ``ExpiredToken``.
        at_byte: offset in the whole file of the flipped bit.
        declare_checksum: a ``bitflip`` comes with the true content's checksums.
        chunked: the body of a ``headers`` answer is in chunks, whatever its head says.
        coding: ``gzip``, ``deflate`` (zlib's format) or ``raw-deflate`` (what many servers send as ``deflate``).

    Raises:
        ValueError: for an unknown kind or shape, a ``redirect`` without ``location``, ``times`` < 1 or ``after`` < 0.
    """

    kind: FaultKind
    _: KW_ONLY
    vendor: str | None = None
    operation: str | None = None
    path_contains: str | None = None
    times: int = 1
    after: int = 0
    processed: bool = False
    status: int | None = None
    shape: Shape = "vendor"
    body: bytes | str | None = None
    headers: Mapping[str, str | None] = field(default_factory=dict)
    content_type: str | None = None
    retry_after: float | str | None = None
    after_bytes: int | None = None
    seconds: float = 30.0
    before_headers: bool = False
    bytes_per_second: int = 1024
    length_delta: int = 1000
    abort: bool = False
    range_shift: int | None = None
    location: str | None = None
    code: str = "AccessDenied"
    at_byte: int = 0
    declare_checksum: bool = False
    chunked: bool = False
    coding: Literal["gzip", "deflate", "raw-deflate"] = "gzip"

    def __post_init__(self) -> None:
        """Refuse what could never harm anything."""
        if self.kind not in get_args(FaultKind):
            raise ValueError(f"unknown fault kind {self.kind!r}; known: {', '.join(get_args(FaultKind))}")
        if self.shape not in get_args(Shape):
            raise ValueError(f"unknown shape {self.shape!r}; known: {', '.join(get_args(Shape))}")
        if self.kind == "redirect" and not self.location:
            raise ValueError("a redirect fault needs a location")
        if self.times < 1 or self.after < 0:
            raise ValueError(f"times must be at least 1 and after not negative (got {self.times}, {self.after})")

    @property
    def ignores_if_range(self) -> bool:
        """True if a range is served whichever version of the file was requested."""
        return self.kind == "headers" and self.status == 206

    def matches(self, vendor: str, operation: str, path: str, *, ranged: bool) -> bool:
        """Tell whether a request is of the sort that this fault harms."""
        return (
            self.vendor in (None, vendor)
            and self.operation in (None, operation)
            and (self.path_contains is None or self.path_contains in path)
            and (ranged or not (self.kind in RANGE_KINDS or self.ignores_if_range))
        )


@dataclass
class _Ordered:
    fault: Fault
    skip: int
    left: int


class FaultBook:
    """The faults on order, thread-safe."""

    def __init__(self) -> None:
        self._ordered: list[_Ordered] = []
        self._lock = threading.Lock()

    def add(self, fault: Fault) -> None:
        """Put a fault at the end of the queue."""
        with self._lock:
            self._ordered.append(_Ordered(fault, fault.after, fault.times))

    def unused(self) -> list[Fault]:
        """Return the faults that have not harmed any request yet."""
        with self._lock:
            return [entry.fault for entry in self._ordered if entry.left == entry.fault.times]

    def clear(self) -> None:
        """Forget every fault."""
        with self._lock:
            self._ordered.clear()

    def take(self, vendor: str, operation: str, path: str, *, ranged: bool) -> Fault | None:
        """Return the fault that this request suffers, if any, and count it."""
        with self._lock:
            for entry in self._ordered:
                if not entry.fault.matches(vendor, operation, path, ranged=ranged):
                    continue
                if entry.skip:
                    entry.skip -= 1
                    continue
                entry.left -= 1
                if not entry.left:
                    self._ordered.remove(entry)
                return entry.fault
        return None
