"""JSON lines: counted where the file is proven, all parsed where it is not."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_batchdl.exceptions import TruncatedDownloadError
from airflow_provider_batchdl.transfer.content import base
from airflow_provider_batchdl.transfer.content.base import BLOCK, MOST
from airflow_provider_batchdl.transfer.content.lines import JsonLinesCheck
from tests.transfer.content.strategies import documents, sizes, values
from tests.transfer.content.verdicts import cut_at, in_steps, judged, report_of, report_on, some


@pytest.mark.parametrize("proven", [True, False])
@pytest.mark.parametrize("block", [10, BLOCK])
@settings(max_examples=40)
@given(
    st.lists(values, min_size=1, max_size=10), sizes, st.sampled_from(["\n", "\r\n", "\n\n", "\n \n"]), st.booleans()
)
def test_complete(proven: bool, block: int, rows: list[Any], cuts: list[int], newline: str, final: bool) -> None:
    data = (newline.join(json.dumps(row) for row in rows) + newline * final).encode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(base, "BLOCK", block)
        found = report_of(JsonLinesCheck(proven=proven), cut_at(data, cuts))
    assert (found.word, found.rows, found.error) == ("jsonl-end", len(rows), None)


@settings(max_examples=10)
@given(st.lists(documents, min_size=1, max_size=3))
def test_a_cut_inside_a_line_is_refused_and_one_behind_it_needs_a_second_reading(
    rows: list[Any],
) -> None:
    text = "\n".join(json.dumps(row) for row in rows).encode()
    for cut in some(range(1, len(text))):
        whole = text[cut : cut + 1] == b"\n" or text[cut - 1 : cut] == b"\n"
        assert judged("x.jsonl", text[:cut]) == ("read-twice" if whole else "TruncatedDownloadError")


@pytest.mark.parametrize(
    "data",
    [
        b"email,status\na,b\n",
        json.dumps([{"a": 1}, {"a": 2}], indent=2).encode(),
        json.dumps([{"a": 1}, {"a": 2}], indent=2).encode() + b"\n",
        b'[{"a": 1},\n{"a": 2}]\n',
        b'{"a": 1} {"a": 2}\n',
        b'{"a": 1}\n{"a": 2,\n"b": 1}\n',
        b'{"a": 1}\nno\n',
        b'{"a": NaN}\n',
        b"\x80\x81\n\x82\n",
    ],
)
def test_lines_that_are_no_json_land_without_a_number(data: bytes) -> None:
    found = report_on("x.jsonl", data, proven=True)
    assert (found.word, found.rows) == (None, None)


@pytest.mark.parametrize("step", [1 << 20, 50_021])
def test_several_blocks(step: int) -> None:
    rows = [json.dumps({"n": n, "tags": ["a\\", '"', "{[\n"]}) for n in range(30_000)]
    data = "\n".join([*rows[:20_000], "", "  ", *rows[20_000:]]).encode()
    assert len(data) > 3 * BLOCK
    for proven in (True, False):
        assert report_of(JsonLinesCheck(proven=proven), in_steps(data, step)).rows == 30_000


def test_a_pretty_document_behind_good_lines_is_no_jsonl() -> None:
    data = b'{"a": 1}\n' * 60_000 + json.dumps([{"a": 1}] * 60_000, indent=1).encode()
    assert report_on("x.jsonl", data, proven=True).rows is None


def test_an_overlong_line_is_counted_and_not_held() -> None:
    line = b'{"a":"' + b"x" * (MOST + 2 * BLOCK) + b'"}\n'
    for proven in (True, False):
        found = report_of(JsonLinesCheck(proven=proven), in_steps(b"{}\n" + line * 2 + b"{}\n", 1 << 20))
        assert found.rows == 4
        assert report_of(JsonLinesCheck(proven=proven), in_steps(b"{}\n" + line[:-1], 1 << 20)).rows == 2


def test_messages_show_no_values() -> None:
    error = report_on("x.jsonl", b'{}\n{"email":"ann@corp.example', proven=False).error
    assert isinstance(error, TruncatedDownloadError)
    assert "ann" not in str(error)


def test_latin_1_in_a_line_is_no_reason_not_to_count_it() -> None:
    assert report_on("x.jsonl", b'{"a": "\xe9"}\n{"a": 1}\n', proven=True).rows == 2


@pytest.mark.parametrize("block", [10, BLOCK])
def test_a_value_of_several_lines_is_no_line_where_all_are_parsed(block: int) -> None:
    for data in (b'[{"a": 1},\n{"a": 2}]\n', b'{"a": 1} {"a": 2}\n', b'1\n2\n{"a":\n3}\n'):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(base, "BLOCK", block)
            found = report_of(JsonLinesCheck(proven=False), [data])
        assert (found.word, found.rows, found.end) == (None, None, "open")


def test_several_values_a_line_are_no_lines_in_a_later_block_either(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "BLOCK", 20)
    found = report_of(JsonLinesCheck(proven=True), [b'{"a": 1}\n' * 9 + b'{"a": 1} {"b": 2}\n' * 9])
    assert (found.word, found.rows) == (None, None)


@pytest.mark.parametrize("junk", [b"junk", b"}", b"1 2", b'"a', b"a,b"])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_junk_in_the_middle_of_a_later_block_takes_the_rows(
    monkeypatch: pytest.MonkeyPatch, junk: bytes, end: bytes
) -> None:
    monkeypatch.setattr(base, "BLOCK", 200)
    lines = [b'{"a": 1}'] * 100
    for at, rows in ((None, 100), (70, None)):
        body = end.join([*lines[:at], *([junk] if at else []), *lines[at or 100 :], b""])
        assert report_of(JsonLinesCheck(proven=True), [body]).rows == rows
