"""JSON lines: complete ones pass, a cut inside a line is told, in any chunking."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_batchdl.exceptions import TruncatedDownloadError
from airflow_provider_batchdl.transfer.content.lines import MAX_LINE, JsonLinesCheck
from tests.transfer.content.strategies import documents, sizes, values
from tests.transfer.content.verdicts import chunked, judge, verdict


@given(st.lists(values, min_size=1, max_size=10), sizes, st.sampled_from(["\n", "\r\n", "\n\n"]), st.booleans())
def test_complete(rows: list[Any], cuts: list[int], newline: str, final: bool) -> None:
    data = (newline.join(json.dumps(row) for row in rows) + newline * final).encode()
    assert verdict(JsonLinesCheck(), chunked(data, cuts))[:3] == ("ok", "jsonl", len(rows))


@given(st.lists(documents, min_size=1, max_size=5), st.data())
def test_a_cut_inside_a_line_is_told(rows: list[Any], data: st.DataObject) -> None:
    lines = [json.dumps(row).encode() for row in rows]
    cut = data.draw(st.integers(1, len(lines[-1]) - 1))
    text = b"\n".join([*lines[:-1], lines[-1][:cut]])
    assert verdict(JsonLinesCheck(), chunked(text, data.draw(sizes)))[0] == "TruncatedDownloadError"


def test_first_line_must_parse() -> None:
    assert judge("jsonl", b"email,status\na,b\n")[0] == "UnexpectedResponseError"


def test_an_overlong_line() -> None:
    line = b'{"a":"' + b"x" * (MAX_LINE + 5) + b'"}'
    assert judge("jsonl", b"{}\n" + line) == ("ok", "jsonl", 2, None)
    assert judge("jsonl", b"{}\n" + line[:-2])[0] == "TruncatedDownloadError"


def test_messages_show_no_values() -> None:
    check = JsonLinesCheck()
    check.feed(b'{}\n{"email":"ann@corp.example')
    with pytest.raises(TruncatedDownloadError) as caught:
        check.finish()
    assert "ann" not in str(caught.value)
