"""A block has the bytes that were written to it, whatever chunks they came in; every object fits into its blocks."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_batchdl.transfer.sinks import azure
from airflow_provider_batchdl.transfer.sinks.buffered import GATHERED, WORTH_KEEPING, Block, BlockSizes
from airflow_provider_batchdl.transfer.sinks.s3 import sink as s3

SIZES = st.sampled_from([0, 1, 100, WORTH_KEEPING - 1, WORTH_KEEPING, WORTH_KEEPING + 1, GATHERED, GATHERED + 1])


@given(sizes=st.lists(st.tuples(SIZES, st.booleans()), max_size=12), largest=st.integers(1000, 2 * GATHERED))
def test_what_is_written_can_be_sent_again_and_again(sizes: list[tuple[int, bool]], largest: int) -> None:
    block, expected = Block(), b""
    for number, (size, changes) in enumerate(sizes):
        chunk = bytes([number + 1]) * size
        own = bytearray(chunk) if changes else chunk
        block.write(memoryview(own))
        expected += chunk
        if isinstance(own, bytearray):
            own[:] = bytes(size)
    for _ in range(2):
        pieces = list(block.pieces(largest))
        assert b"".join(pieces) == expected
        assert all(0 < len(piece) <= largest for piece in pieces)
    assert block.file().read() == block.content() == expected
    assert b"".join(block.pieces(largest)) == expected
    assert block.size == len(expected)


def test_a_slice_of_a_chunk_is_held_without_a_copy() -> None:
    chunk = bytes(3 * WORTH_KEEPING)
    block = Block()
    block.write(memoryview(chunk)[WORTH_KEEPING:])
    [piece] = block.pieces(len(chunk))
    assert piece.obj is chunk


def test_small_chunks_are_gathered() -> None:
    """Each piece is a trip to the socket, for TLS even a record of its own."""
    block = Block()
    for _ in range(1000):
        block.write(memoryview(bytes(1000)))
    assert len(list(block.pieces(8 << 20))) == 2


MIB, GIB = 1 << 20, 1 << 30
S3 = {"smallest": s3.BLOCK, "most_planned": s3.PLANNED_PARTS, "grow_every": s3.GROW_EVERY}
AZURE = {"smallest": azure.BLOCK, "most_planned": azure.PLANNED_BLOCKS, "grow_every": azure.GROW_EVERY}


@pytest.mark.parametrize(("store", "most"), [(S3, 70 * GIB), (AZURE, 350 * GIB)])
def test_blocks_have_eight_mebibytes_up_to_a_large_size(store: dict[str, Any], most: int) -> None:
    assert {BlockSizes.of(size, **store).size(1) for size in (None, 0, 1, most)} == {8 * MIB}


@pytest.mark.parametrize(("store", "largest"), [(S3, 5 * GIB), (AZURE, 4000 * MIB)])
@given(data=st.data())
def test_every_object_that_a_store_takes_fits(store: dict[str, Any], largest: int, data: st.DataObject) -> None:
    size = data.draw(st.integers(1, (5 if store is S3 else 170) * 1024 * GIB))
    sizes = BlockSizes.of(size, **store, fixed=data.draw(st.booleans()))
    first = sizes.size(1)
    assert first * store["most_planned"] >= size
    assert first % MIB == 0
    assert first == sizes.size(-(-size // first)) <= largest


@pytest.mark.parametrize(
    ("store", "most", "room"), [(S3, s3.MAX_PARTS, 480 * GIB), (AZURE, azure.MAX_BLOCKS, 1024 * GIB)]
)
def test_blocks_grow_where_nothing_or_too_little_was_announced(store: dict[str, Any], most: int, room: int) -> None:
    for announced in (None, 1):
        sizes = BlockSizes.of(announced, **store)
        assert sum(sizes.size(number) for number in range(1, most + 1)) > room
    assert BlockSizes.of(None, **store).size(store["grow_every"] + 1) == 2 * store["smallest"]
    assert BlockSizes.of(None, **store, fixed=True).size(most) == store["smallest"]
