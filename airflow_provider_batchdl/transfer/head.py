"""The head of a response, read in one place: what of it is believed, and as what.

A header that should come once and says two things says nothing. What cannot be parsed counts as missing. Control
characters become blanks (RFC 9110, section 5.5); other bytes beyond ASCII are kept, as ISO-8859-1.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import TYPE_CHECKING
from urllib.parse import quote

from airflow_provider_batchdl.transfer.decoding import codings_of
from airflow_provider_batchdl.transfer.framing import MOST_BYTES, Framing, framing_of
from airflow_provider_batchdl.transfer.identity import ContentRange, Identity

if TYPE_CHECKING:
    import urllib3

CLOCK_SKEW = timedelta(seconds=60)
"""So much older than the answer a ``Last-Modified`` must be to tell one version from the next: within one second a file
can change twice, and the two dates may be of two clocks (RFC 9110, section 8.8.2.2)."""

_ONCE = frozenset({
    "content-disposition", "content-length", "content-range", "content-type", "date", "etag", "last-modified",
    "location", "retry-after",
})  # fmt: skip
_CONTROL = re.compile(r"[\x00-\x1f\x7f]+")
_STRONG_ETAG = re.compile(r'"[\x21\x23-\x7e\x80-\xff]+"')
_CONTENT_RANGE = re.compile(r"bytes +(?:([0-9]{1,19})-([0-9]{1,19})|\*)/([0-9]{1,19}|\*)", re.IGNORECASE)
_URL_SAFE = "".join(chr(code) for code in range(0x21, 0x7F))


@dataclass(frozen=True)
class ResponseHead:
    """One response's head.

    Args:
        status: its status code.
        headers: those that are believed, by lower-case name, several lines of one joined by commas.
        framing: what the transport holds the body to.
        fault: why the body must not be believed.
    """

    status: int
    headers: Mapping[str, str]
    framing: Framing
    fault: str | None = None

    @classmethod
    def of(cls, status: int, lines: Iterable[tuple[str, str]], framing: Framing | None = None) -> ResponseHead:
        """The head of these header lines.

        Args:
            status: the response's status code.
            lines: names and values, as they came.
            framing: what the transport made of them; what they say, where left out.
        """
        headers: dict[str, str] = {}
        contradictory = set()
        for name, raw in lines:
            lowered, value = name.lower(), clean(raw)
            if (before := headers.setdefault(lowered, value)) != value:
                if lowered in _ONCE:
                    contradictory.add(lowered)
                else:
                    headers[lowered] = f"{before}, {value}"
        if framing is None:
            framing = framing_of(
                *([headers[name]] if name in headers else [] for name in ("transfer-encoding", "content-length"))
            )
        for name in contradictory:
            del headers[name]
        fault = framing.fault or ("it names two places" if "location" in contradictory else None)
        return cls(status, headers, framing, fault)

    @cached_property
    def content_range(self) -> ContentRange | None:
        """Which bytes of the file the body is; None where that is not said, or makes no sense."""
        match = _CONTENT_RANGE.fullmatch(self.headers.get("content-range", ""))
        if match is None:
            return None
        start, last, total = (None if text in (None, "*") else int(text) for text in match.groups())
        end = None if last is None else last + 1
        if start is not None and end is not None and (end <= start or end > (MOST_BYTES if total is None else total)):
            return None
        return ContentRange(start, end, total)

    @cached_property
    def identity(self) -> Identity:
        """The version of the file that this answer, a 200 or a 206, is of."""
        etag, modified = self.headers.get("etag", ""), self.headers.get("last-modified")
        strong = etag if _STRONG_ETAG.fullmatch(etag) else None
        total = self.framing.length
        if self.status == 206:
            total = self.content_range.total if self.content_range else None
        return Identity(strong or (modified if self._modified_is_strong else None), total, modified, self.codings)

    @property
    def _modified_is_strong(self) -> bool:
        modified, now = (_date(self.headers.get(name)) for name in ("last-modified", "date"))
        return modified is not None and now is not None and now - modified >= CLOCK_SKEW

    @cached_property
    def codings(self) -> tuple[str, ...]:
        """The content codings that it names, in the order in which they were applied."""
        return codings_of(self.headers.get("content-encoding", ""))

    @property
    def serves_ranges(self) -> bool:
        """Whether the server says that it serves parts of the file."""
        return self.status == 206 or self.headers.get("accept-ranges", "").lower() == "bytes"

    @property
    def is_whole(self) -> bool:
        """Whether a 200 is of the whole file; a ``Content-Range`` has no place in one, and may say that it is not."""
        if "content-range" not in self.headers:
            return True
        found = self.content_range
        return found is not None and found.start == 0 and found.end == found.total

    @property
    def location(self) -> str | None:
        """Where a redirect leads: ASCII, whatever bytes came (which are UTF-8 mostly)."""
        text = self.headers.get("location")
        return quote(text.encode("latin-1", "replace"), safe=_URL_SAFE) if text else None


def read_head(response: urllib3.BaseHTTPResponse) -> ResponseHead:
    """The head of a response, its framing as its connection enforces it (see `connection`)."""
    return ResponseHead.of(response.status, response.headers.items(), getattr(response, "framing", None))


def clean(value: str) -> str:
    """A header's value without control characters and blanks around it."""
    return (value if value.isprintable() else _CONTROL.sub(" ", value)).strip(" \t")


def _date(text: str | None) -> datetime | None:
    try:
        found = parsedate_to_datetime(text) if text else None
        return found if found is None or found.tzinfo else None
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
