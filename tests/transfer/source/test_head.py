"""The head of a response: what is believed of it, whatever stands in it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_batchdl.transfer.source.framing import MOST_BYTES, framing_of
from airflow_provider_batchdl.transfer.source.head import (
    ContentRange,
    Identity,
    ResponseHead,
    range_headers,
    resumed_identity,
)

NOW = datetime(2026, 11, 29, 8, 0, tzinfo=UTC)
ETAG, OTHER = '"v1"', '"v2"'


def head(status: int = 200, **headers: str) -> ResponseHead:
    return ResponseHead.of(status, [(name.replace("_", "-").title(), value) for name, value in headers.items()])


def date(seconds_ago: float) -> str:
    return format_datetime(NOW - timedelta(seconds=seconds_ago), usegmt=True)


@pytest.mark.parametrize(
    "value", ["-1", "unknown", "1e4", "", "+5", "5_0", "0x5", "5.0", "five", "5;5", "5 5", "\u0665", "\xb2"]
)
def test_a_length_that_is_no_number_is_none(value: str) -> None:
    assert framing_of([], [value]).kind is None
    assert framing_of([], [value, "7"]).kind is None


@pytest.mark.parametrize("lines", [["5"], [" 5\t"], ["5, 5"], ["5", "5"], ["05"], ["5", "5,5"]])
def test_one_number_is_a_length_however_often_it_is_said(lines: list[str]) -> None:
    assert (framing_of([], lines).kind, framing_of([], lines).length) == ("content-length", 5)


@pytest.mark.parametrize("lines", [["5, 6"], ["5", "6"], [str(MOST_BYTES + 1)], ["9" * 19]])
def test_two_lengths_and_absurd_ones_are_a_fault(lines: list[str]) -> None:
    assert framing_of([], lines).fault


@pytest.mark.parametrize(
    "lines", [["chunked"], ["Chunked "], ["identity, CHUNKED"], ["identity", "chunked"], [",chunked,"]],
)  # fmt: skip
def test_chunks_are_told_however_they_are_written(lines: list[str]) -> None:
    assert framing_of(lines, ["5"]).kind == "chunked"  # RFC 9112, section 6.3: the length does not count beside it


@pytest.mark.parametrize(
    "lines",
    [["gzip, chunked"], ["gzip", "chunked"], ["chunked, chunked"], ["chunked", "chunked"], ["xchunked"], ["chunked;q"],
     ["chunked, gzip"], ["gzip"], ["chunked, identity, deflate"]],
)  # fmt: skip
def test_a_transfer_coding_that_is_not_undone_is_a_fault(lines: list[str]) -> None:
    assert framing_of(lines, ["5"]).fault


def test_identity_is_no_transfer_coding() -> None:
    assert framing_of(["identity"], ["5"]).length == 5


@given(st.lists(st.text(max_size=12), max_size=3), st.lists(st.text(max_size=30), max_size=3))
def test_any_framing_is_one_of_three_or_a_fault(codings: list[str], lengths: list[str]) -> None:
    found = framing_of(codings, lengths)
    assert (found.length is not None) == (found.kind == "content-length")
    assert not (found.fault and found.kind)


@given(
    st.integers(100, 599),
    st.lists(
        st.tuples(
            st.sampled_from(
                ["ETag", "Last-Modified", "Date", "Content-Range", "Content-Length", "Location", "Content-Type",
                 "Content-Encoding", "Transfer-Encoding", "Accept-Ranges", "Retry-After", "X-Other"]
            ),
            st.text(st.characters(max_codepoint=255), max_size=40),
        ),
        max_size=12,
    ),
)  # fmt: skip
def test_any_bytes_make_a_head(status: int, lines: list[tuple[str, str]]) -> None:
    found = ResponseHead.of(status, lines)
    assert found.identity == found.identity
    sent = found.headers.get("location", "").encode("latin-1")
    assert (found.location or "").encode("utf-8", "surrogateescape") == sent
    assert found.content_range is None or isinstance(found.content_range, ContentRange)
    for value in found.headers.values():
        assert not any(ord(letter) < 0x20 or ord(letter) == 0x7F for letter in value)
    for name, value in range_headers(7, found.identity).items():
        assert value.encode("latin-1"), name


@given(st.integers(0, MOST_BYTES), st.integers(0, MOST_BYTES), st.integers(0, MOST_BYTES))
def test_a_range_is_read_where_it_makes_sense(start: int, last: int, total: int) -> None:
    found = head(206, content_range=f"bytes {start}-{last}/{total}").content_range
    assert found == (ContentRange(start, last + 1, total) if start <= last < total else None)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("bytes 0-4/5", ContentRange(0, 5, 5)),
        ("Bytes 0-4/*", ContentRange(0, 5, None)),
        ("bytes */5", ContentRange(None, None, 5)),
        ("bytes 4-0/5", None),
        ("bytes 0-5/5", None),
        ("bytes 0-4", None),
        ("items 0-4/5", None),
        ("bytes -4/5", None),
        ("bytes 0-4/5, bytes 0-4/5", None),
        (f"bytes 0-4/{'9' * 5000}", None),
        ("", None),
    ],
)
def test_content_range(text: str, expected: ContentRange | None) -> None:
    assert head(206, content_range=text).content_range == expected


@pytest.mark.parametrize(
    ("etag", "strong"),
    [('"v1"', True), ('"\xe9"', True), ('W/"v1"', False), ("v1", False), ('""', False), ('"a"b"', False),
     ('"a b"', False),     ('"a', False), ("", False)],
)  # fmt: skip
def test_only_a_strong_etag_is_a_validator(etag: str, strong: bool) -> None:
    assert head(etag=etag).identity.validator == (etag if strong else None)


@pytest.mark.parametrize(
    ("age", "holds"), [(0, False), (0.5, False), (1, False), (59, False), (60, True), (9e6, True), (-5, False)]
)
def test_a_date_is_a_validator_when_the_file_cannot_have_changed_since(age: float, holds: bool) -> None:
    found = head(date=date(0), last_modified=date(age)).identity
    assert (found.validator == date(age)) is holds


@pytest.mark.parametrize("other", [{}, {"date": "yesterday"}, {"date": date(0), "last_modified": "0"}])
def test_a_date_alone_is_no_validator(other: dict[str, str]) -> None:
    assert head(200, **{"last_modified": date(9e6), **other}).identity.validator is None


def test_a_header_that_says_two_things_says_nothing() -> None:
    lines = [
        ("ETag", ETAG),
        ("etag", OTHER),
        ("Content-Type", "text/csv"),
        ("Content-Type", "text/csv"),
        ("X", "1"),
        ("x", "2"),
    ]
    found = ResponseHead.of(200, lines)
    assert found.identity.validator is None
    assert found.headers == {"content-type": "text/csv", "x": "1, 2"}
    assert ResponseHead.of(302, [("Location", "/a"), ("Location", "/b")]).fault


@pytest.mark.parametrize(
    ("raw", "url"),
    [("/r\xc3\xa9sultat.csv", "/r\xe9sultat.csv"), ("/a b?c=%20&d=\x85", "/a b?c=%20&d=\udc85"), ("https://x/y?z=1#f", "https://x/y?z=1#f")],
)  # fmt: skip
def test_a_location_is_what_was_written_whatever_bytes_it_has(raw: str, url: str) -> None:
    assert head(302, location=raw).location == url


class TestResumedIdentity:
    EXPECTED = Identity(ETAG, 100, date(9e6), ())
    GOOD: ClassVar = {
        "etag": ETAG,
        "content_range": "bytes 40-99/100",
        "content_length": "60",
        "last_modified": date(9e6),
    }

    def test_the_rest_of_the_same_file(self) -> None:
        assert resumed_identity(head(206, **self.GOOD), self.EXPECTED, 40, None) == self.EXPECTED
        assert resumed_identity(head(206, **self.GOOD), self.EXPECTED, 40, 100) == self.EXPECTED

    @pytest.mark.parametrize(
        "other",
        [
            {"etag": ""},
            {"etag": OTHER},
            {"etag": f"W/{ETAG}"},
            {"last_modified": date(9e5)},
            {"content_range": "bytes 40-98/99"},
            {"content_range": "bytes 40-99/*"},
            {"content_range": "bytes 39-99/100"},
            {"content_range": "bytes 40-79/100"},
            {"content_range": ""},
            {"content_length": "61"},
            {"content_length": "59"},
            {"content_type": "multipart/byteranges; boundary=x"},
            {"content_encoding": "gzip"},
            {"transfer_encoding": "gzip, chunked"},
        ],
        ids=str,
    )
    def test_what_may_be_another(self, other: dict[str, str]) -> None:
        assert resumed_identity(head(206, **self.GOOD | other), self.EXPECTED, 40, None) is None

    def test_the_file_of_a_date_must_have_that_date(self) -> None:
        expected = Identity(date(9e6), 100, date(9e6))
        plain = {"content_range": "bytes 40-99/100"}
        assert resumed_identity(head(206, **plain, last_modified=date(9e6)), expected, 40, None)
        assert resumed_identity(head(206, **plain, last_modified=date(9e5)), expected, 40, None) is None
        assert resumed_identity(head(206, **plain), expected, 40, None) is None

    @pytest.mark.parametrize(("before", "now"), [(f"W/{ETAG}", f"W/{OTHER}"), (f"W/{ETAG}", OTHER), ("v1", "v2")])
    def test_another_etag_is_another_file_however_weak(self, before: str, now: str) -> None:
        expected = head(200, etag=before, content_length="100", last_modified=date(9e6), date=date(0)).identity
        part = {"content_range": "bytes 40-99/100", "last_modified": date(9e6)}
        for etag, same in ((before, True), ("", True), (now, False)):
            given = {"etag": etag} if etag else {}
            assert (resumed_identity(head(206, **part, **given), expected, 40, None) is not None) is same

    def test_a_part_need_not_repeat_the_coding(self) -> None:
        expected = Identity(ETAG, 100, date(9e6), ("gzip",))
        for coding in ({}, {"content_encoding": "x-gzip"}):
            assert resumed_identity(head(206, **self.GOOD, **coding), expected, 40, None) == expected
        assert resumed_identity(head(206, **self.GOOD, content_encoding="br"), expected, 40, None) is None

    def test_a_size_is_learned(self) -> None:
        expected = Identity(ETAG, None)
        found = resumed_identity(head(206, etag=ETAG, content_range="bytes 40-99/100"), expected, 40, None)
        assert found is not None
        assert found.total == 100

    def test_without_a_validator_nothing_is_the_same(self) -> None:
        assert resumed_identity(head(206, **self.GOOD), Identity(None, 100), 40, None) is None
        assert resumed_identity(head(206, **self.GOOD), None, 40, None) is None
