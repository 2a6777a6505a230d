"""A content coding that nobody asked for."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_batchdl.exceptions import TruncatedDownloadError, UnexpectedResponseError
from airflow_provider_batchdl.transfer.source.decoding import codings_of, decoded, is_stored_coded

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


@pytest.mark.parametrize(
    "coding", ["", "identity", " Identity ", "identity, identity", "aws-chunked", "utf-8", "binary", "none", "x" * 5000]
)
def test_none_leaves_the_chunks_alone(coding: str) -> None:
    assert list(decoded([b"a", b"", b"b"], coding)) == [b"a", b"", b"b"]
    assert codings_of(coding) == ()


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
    for cut in (2, 10, len(packed) - 1):
        with pytest.raises(TruncatedDownloadError, match="ends early") as caught:
            list(decoded([packed[:cut]], coding))
        assert caught.value.remedy


@pytest.mark.parametrize(
    ("body", "coding"),
    [
        (gzip.compress(b"a", mtime=0) + b"\x1f\x8b\x08\xff", "gzip"),
        (gzip.compress(b"a", mtime=0)[:-8] + bytes(8), "gzip"),
        (b"anything", "br"),
        (b"anything", "gzip, br"),
        (gzip.compress(b"a", mtime=0), ", ".join(["gzip"] * 4)),
    ],
)
def test_what_is_not_of_its_coding_is_refused(body: bytes, coding: str) -> None:
    with pytest.raises(UnexpectedResponseError) as caught:
        list(decoded([body], coding))
    assert caught.value.remedy
    assert len(caught.value.message) < 200


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
@pytest.mark.parametrize("rest", [b"\n", b"junk behind it", b"\0\0\n", b"\r\n" * 900])
def test_what_follows_the_end_of_the_coded_data_is_no_part_of_it(coding: str, rest: bytes) -> None:
    body = b"email,status\n" * 100
    for size in (1, 3, 1000):
        assert b"".join(decoded(chunked(PACKERS[coding](body) + rest, size), coding)) == body


def test_half_the_mark_of_another_member_is_an_early_end() -> None:
    with pytest.raises(TruncatedDownloadError):
        list(decoded([gzip.compress(b"a") + b"\x1f\x8b"], "gzip"))


@pytest.mark.parametrize("coding", ["gzip", "deflate", "gzip, deflate", "br", "zstd", ", ".join(["gzip"] * 4)])
def test_nothing_is_nothing_in_every_coding(coding: str) -> None:
    assert b"".join(decoded([], coding)) == b"".join(decoded([b""], coding)) == b""


@pytest.mark.parametrize("coding", ["gzip", "deflate", "aws-chunked,gzip"])
@pytest.mark.parametrize(
    "body",
    [b"email,status\na@example.com,Valid\n", b"a", b"x", b'{"rows": []}', b"PAR1" + bytes(90), b"\x1f\x8bno gzip",
     b"x^,b\n1,2\n", b"H,b\n1,2\n", b"h\x81,b\n", b"x\x9cfoo,bar\n1,2\n" * 50],
)  # fmt: skip
def test_what_is_of_no_coding_is_taken_as_it_is(body: bytes, coding: str) -> None:
    for size in (1, 3, 1000):
        assert b"".join(decoded(chunked(body, size), coding)) == body


@given(data=st.binary(min_size=1, max_size=5000), size=st.integers(100, 700))
def test_deflate_without_its_envelope_is_undone(data: bytes, size: int) -> None:
    packer = zlib.compressobj(wbits=-15)
    packed = packer.compress(data) + packer.flush()
    assert b"".join(decoded(chunked(packed, size), "deflate")) == data


@given(data=st.binary(max_size=500), size=st.integers(1, 700))
def test_codings_are_undone_from_the_last_to_the_first(data: bytes, size: int) -> None:
    packed = zlib.compress(gzip.compress(data))
    assert b"".join(decoded(chunked(packed, size), "x-gzip, identity, deflate")) == data
    assert b"".join(decoded(chunked(packed, size), "gzip;q=1.0, deflate ; q=0.5")) == data


def test_a_packed_block_may_be_filled_up() -> None:
    packed = gzip.compress(b"a", mtime=0) + bytes(3) + gzip.compress(b"b", mtime=0) + bytes(700)
    assert b"".join(decoded(chunked(packed, 5), "gzip")) == b"ab"


@pytest.mark.parametrize(
    ("name", "coding", "stored"),
    [
        ("x.csv.gz", "gzip", True),
        ("x.CSV.GZ", "x-gzip", True),
        ("x.tgz", "gzip", True),
        ("x.json.zst", "zstd", True),
        ("x.csv", "gzip", False),
        ("x.gz", "deflate", False),
        ("x.gz", "gzip, gzip", True),
        ("x.gz", "deflate, gzip", False),
        ("x.gz", "", False),
        ("gz", "gzip", False),
    ],
)
def test_a_files_name_may_say_that_it_is_packed(name: str, coding: str, stored: bool) -> None:
    assert is_stored_coded(name, codings_of(coding)) is stored
