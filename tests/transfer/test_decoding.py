"""A content coding that nobody asked for."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_batchdl.exceptions import TruncatedDownloadError, UnexpectedResponseError
from airflow_provider_batchdl.transfer.decoding import decoded, is_coded

MIB = 1 << 20
PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    " GZIP ": gzip.compress,
    "deflate": zlib.compress,
}


def chunked(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


@pytest.mark.parametrize("coding", PACKERS)
@given(data=st.binary(max_size=5000), size=st.integers(1, 700))
def test_it_is_undone_in_any_chunking(coding: str, data: bytes, size: int) -> None:
    assert b"".join(decoded(chunked(PACKERS[coding](data), size), coding)) == data


@pytest.mark.parametrize("coding", ["", "identity", " Identity "])
def test_none_leaves_the_chunks_alone(coding: str) -> None:
    assert list(decoded([b"a", b"", b"b"], coding)) == [b"a", b"", b"b"]
    assert not is_coded(coding)


@given(st.lists(st.binary(max_size=200), min_size=1, max_size=4), st.integers(1, 90))
def test_gzip_members_follow_one_another(members: list[bytes], size: int) -> None:
    packed = b"".join(gzip.compress(member, mtime=0) for member in members)
    assert b"".join(decoded(chunked(packed, size), "gzip")) == b"".join(members)


def test_a_bomb_comes_in_small_pieces() -> None:
    packed = gzip.compress(bytes(64 * MIB))
    assert len(packed) < MIB // 8
    sizes = [len(piece) for piece in decoded([packed], "gzip")]
    assert max(sizes) == MIB
    assert sum(sizes) == 64 * MIB


def test_whoever_stops_reading_has_unpacked_no_more_than_that() -> None:
    pieces = decoded(iter([gzip.compress(bytes(64 * MIB)), b"never asked for"]), "gzip")
    assert len(next(pieces)) == MIB
    pieces.close()  # type: ignore[attr-defined]


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_an_early_end_is_told(coding: str) -> None:
    packed = PACKERS[coding](b"email,status\n" * 100)
    for cut in (0, 1, 10, len(packed) - 1):
        with pytest.raises(TruncatedDownloadError, match="ends early") as caught:
            list(decoded([packed[:cut]], coding))
        assert caught.value.remedy


@pytest.mark.parametrize(
    ("body", "coding"),
    [
        (b"email,status\n", "gzip"),
        (gzip.compress(b"a", mtime=0) + b"junk", "gzip"),
        (gzip.compress(b"a", mtime=0)[:-8] + bytes(8), "gzip"),
        (b"anything", "br"),
        (b"anything", "gzip, br"),
        (b"anything", "x" * 5000),
    ],
)
def test_what_is_not_of_its_coding_is_refused(body: bytes, coding: str) -> None:
    with pytest.raises(UnexpectedResponseError) as caught:
        list(decoded([body], coding))
    assert caught.value.remedy
    assert len(caught.value.message) < 200
