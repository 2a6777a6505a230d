"""The CRC-32 of a whole from those of its pieces."""

from __future__ import annotations

import zlib

from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_batchdl.transfer.sinks.s3.part import combined, to_base64


@given(st.lists(st.binary(max_size=3000)))
def test_of_pieces_is_that_of_the_whole(pieces: list[bytes]) -> None:
    assert combined((zlib.crc32(piece), len(piece)) for piece in pieces) == zlib.crc32(b"".join(pieces))


def test_of_large_pieces() -> None:
    piece = bytes(range(256)) * 5000
    assert combined([(zlib.crc32(piece), len(piece))] * 7) == zlib.crc32(piece * 7)


def test_as_headers_have_it() -> None:
    assert to_base64(zlib.crc32(b"123456789")) == "y/Q5Jg=="
