"""What is noted about a partial file: undamaged or nothing, and how many of its bytes it lets one trust."""

from __future__ import annotations

from dataclasses import replace

import pytest

from airflow_provider_batchdl.transfer import state
from airflow_provider_batchdl.transfer.state import PartialRecord, boot_id
from tests.transfer.partials import MIB, RECORD


class TestPartialRecord:
    def test_survives_as_json(self) -> None:
        record = replace(RECORD, target="ü", durable=3, boot="b")
        assert PartialRecord.from_json(record.to_json()) == record

    @pytest.mark.parametrize(
        "data",
        [
            b"",
            b"{",
            b"[]",
            b"1",
            b"{}",
            RECORD.to_json()[:-5],
            RECORD.to_json().replace(b'"version": 1', b'"version": 2'),
        ]
        + [RECORD.to_json().replace(b"4194304", wrong) for wrong in (b'"4"', b"4.5", b"null", b"true")]
        + [RECORD.to_json().replace(b'"durable": 0', b'"surplus": 0')],
    )
    def test_what_is_damaged_is_none(self, data: bytes) -> None:
        assert PartialRecord.from_json(data) is None

    def test_after_a_crash_of_the_machine_only_synced_bytes_count(self) -> None:
        assert replace(RECORD, boot=boot_id() or "b", durable=5).trusted(100) == (100 if boot_id() else 5)
        assert replace(RECORD, boot="an earlier start", durable=5).trusted(100) == 5
        assert replace(RECORD, boot="an earlier start", durable=200).trusted(100) == 100
        assert RECORD.trusted(100) == 0

    def test_a_byte_is_left_to_ask_for(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(state, "boot_id", lambda: "b")
        assert replace(RECORD, boot="b").trusted(5 * MIB) == 4 * MIB - 1
        assert replace(RECORD, boot="b", total=0).trusted(0) == 0
