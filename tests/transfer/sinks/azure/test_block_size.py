"""How large a blob's blocks are: every blob that Azure takes fits, announced or not."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_batchdl.transfer.sinks.azure.sink import BLOCK, GROW_EVERY, MAX_BLOCKS, PLANNED_BLOCKS, block_size
from tests.transfer.sinks.azure.containers import MIB


def test_is_eight_mebibytes_up_to_three_hundred_gigabytes() -> None:
    assert {block_size(0, size) for size in (None, 0, 1, 350 * 1024**3)} == {BLOCK}


@given(st.integers(1, 170 * 1024**4))
def test_every_blob_azure_takes_fits(size: int) -> None:
    assert block_size(0, size) * PLANNED_BLOCKS >= size
    assert block_size(0, size) == block_size(size // block_size(0, size), size) <= 4000 * MIB


def test_grows_where_nothing_or_too_little_was_announced() -> None:
    for announced in (None, 1, 100 * 1024**3):
        assert sum(block_size(number, announced) for number in range(MAX_BLOCKS)) > 1024**4
    assert block_size(GROW_EVERY, None) == 2 * BLOCK
