"""A part of an upload has the bytes that were written to it, whatever chunks they came in."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_batchdl.transfer.sinks.s3.part import GATHERED, WORTH_KEEPING, Part

SIZES = st.sampled_from([0, 1, 100, WORTH_KEEPING - 1, WORTH_KEEPING, WORTH_KEEPING + 1, GATHERED, GATHERED + 1])


@given(sizes=st.lists(st.tuples(SIZES, st.booleans()), max_size=12), largest=st.integers(1000, 2 * GATHERED))
def test_what_is_written_can_be_sent_again_and_again(sizes: list[tuple[int, bool]], largest: int) -> None:
    part, expected = Part(), b""
    for number, (size, changes) in enumerate(sizes):
        chunk = bytes([number + 1]) * size
        own = bytearray(chunk) if changes else chunk
        part.write(memoryview(own))
        expected += chunk
        if isinstance(own, bytearray):
            own[:] = bytes(size)
    for _ in range(2):
        pieces = list(part.pieces(largest))
        assert b"".join(pieces) == expected
        assert all(0 < len(piece) <= largest for piece in pieces)
    assert part.file().read() == expected
    assert b"".join(part.pieces(largest)) == expected
    assert part.size == len(expected)


def test_a_slice_of_a_chunk_is_held_without_a_copy() -> None:
    chunk = bytes(3 * WORTH_KEEPING)
    part = Part()
    part.write(memoryview(chunk)[WORTH_KEEPING:])
    [piece] = part.pieces(len(chunk))
    assert piece.obj is chunk


def test_small_chunks_are_gathered() -> None:
    """Each piece is a trip to the socket, for TLS even a record of its own."""
    part = Part()
    for _ in range(1000):
        part.write(memoryview(bytes(1000)))
    assert len(list(part.pieces(8 << 20))) == 2
