"""JSON: complete documents pass, cut ones are told, in any chunking; rows and members are noted."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_batchdl.transfer.content.base import SLICE
from airflow_provider_batchdl.transfer.content.json_document import JsonCheck
from tests.transfer.content.strategies import documents, scalars, sizes
from tests.transfer.content.verdicts import chunked, judge, verdict


@given(documents, sizes, st.booleans(), st.sampled_from([None, 0, 2]))
def test_complete_documents_pass_in_any_chunking(
    document: Any, cuts: list[int], ascii_only: bool, indent: int | None
) -> None:
    data = json.dumps(document, ensure_ascii=ascii_only, indent=indent).encode("utf-8", "surrogatepass")
    check = JsonCheck()
    assert verdict(check, chunked(data, cuts))[:2] == ("ok", "json")
    assert verdict(JsonCheck(), [b"\xef\xbb\xbf", data, b"\r\n \n"])[:2] == ("ok", "json")


@given(documents, sizes)
def test_rows_and_members(document: Any, cuts: list[int]) -> None:
    check = JsonCheck()
    verdict(check, chunked(json.dumps(document).encode(), cuts))
    if isinstance(document, list):
        assert check.rows == len(document)
        assert check.members == {}
        return
    arrays = [value for value in document.values() if isinstance(value, list)]
    assert check.rows == (len(arrays[0]) if len(arrays) == 1 else None)
    assert check.members == {
        key: value
        for key, value in document.items()
        if not isinstance(value, (list, dict)) and not (isinstance(value, str) and len(value) > 256)
    }


@given(documents, st.data())
def test_every_strict_prefix_is_truncated(document: Any, data: st.DataObject) -> None:
    text = json.dumps(document, ensure_ascii=data.draw(st.booleans())).encode("utf-8", "surrogatepass")
    cut = text[: data.draw(st.integers(0, len(text) - 1))]
    assert verdict(JsonCheck(), chunked(cut, data.draw(sizes)))[0] == "TruncatedDownloadError"


@pytest.mark.parametrize("size", [1, 7, 1000, SLICE - 1, 3 * SLICE, None])
def test_several_slices(size: int | None) -> None:
    rows = [{"email": f"u{n}@x.example", "tags": ["a\\", '"', "{["], "n": {"a": [n, [], {}]}} for n in range(12_000)]
    data = json.dumps({"status": "done", "list": rows, "total": 12_000, "more": {"x": [1]}}).encode()
    assert len(data) > 5 * SLICE
    members = {"status": "done", "total": 12_000}
    if size == 1:
        data = json.dumps({"status": "done", "list": rows[:500], "total": 12_000}).encode()
    assert judge("json", data, size) == ("ok", "json", 500 if size == 1 else 12_000, members)
    assert judge("json", data[:-1], size)[0] == "TruncatedDownloadError"
    assert judge("json", data[: len(data) // 2], size)[0] == "TruncatedDownloadError"
    assert judge("json", json.dumps(rows[:3000]).encode(), size)[2] == 3000


@pytest.mark.parametrize("size", [11, None])
def test_object_keyed_by_id(size: int | None) -> None:
    small = {f"id{n}": {"v": [n]} for n in range(500)}
    assert judge("json", json.dumps({"a": 1, **small, "z": [1, 2]}).encode(), size) == ("ok", "json", 2, {"a": 1})
    large = {f"id{n}": {"v": [n]} for n in range(30_000)}
    assert judge("json", json.dumps({"a": 1, **large, "z": [1, 2]}).encode()) == ("ok", "json", None, {"a": 1})


@pytest.mark.parametrize("size", [1, 13, None])
def test_long_strings_are_skipped_in_constant_memory(size: int | None) -> None:
    data = json.dumps({"blob": 'x\\"{' * 5000, "k" * 9000: 1, "after": True, "list": [1, 2, 3]}).encode()
    assert judge("json", data, size) == ("ok", "json", 3, {"after": True})
    assert judge("json", data[:9000], size)[0] == "TruncatedDownloadError"


def test_processing_answer_is_readable() -> None:
    assert judge("json", b'{"list":[],"status":"processing"}') == ("ok", "json", 0, {"status": "processing"})


@pytest.mark.parametrize(
    "text", ["[1] x", "{} {}", "[1][2]", "[1]]", '{"a":1}}', "[1},", "{]", '{"a":1]', '{"a":[1}', '{"a" tru, 1}']
)
@pytest.mark.parametrize("size", [1, None])
def test_junk_is_no_json(text: str, size: int | None) -> None:
    assert judge("json", text.encode(), size)[0] == "UnexpectedResponseError"


@given(st.lists(st.dictionaries(st.text(max_size=5), scalars, max_size=4), min_size=2, max_size=8), sizes)
def test_json_lines_under_a_json_name(rows: list[Any], cuts: list[int]) -> None:
    data = "\n".join(json.dumps(row) for row in rows).encode()
    for ending in (b"", b"\n", b"\r\n\n"):
        assert verdict(JsonCheck(), chunked(data + ending, cuts)) == ("ok", "jsonl", len(rows), {})
    assert verdict(JsonCheck(), chunked(data[:-1], cuts))[0] == "TruncatedDownloadError"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1", "ok"),
        ('"x"', "ok"),
        ("null\n", "ok"),
        ("tru", "TruncatedDownloadError"),
        ("", "TruncatedDownloadError"),
    ],
)
def test_bare_scalars(text: str, expected: str) -> None:
    assert judge("json", text.encode())[0] == expected
