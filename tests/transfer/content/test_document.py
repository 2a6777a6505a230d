"""JSON: what is valid passes with its rows, what is cut or invalid is said, in any chunking and block by block."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_batchdl.transfer.content import Content, base, document
from airflow_provider_batchdl.transfer.content.base import BLOCK, MOST, ContentReport
from airflow_provider_batchdl.transfer.content.document import JsonCheck
from tests.transfer.content.strategies import documents, scalars, sizes, values
from tests.transfer.content.verdicts import cut_at, in_steps, judged, report_of, report_on, some


def looked(data: bytes, cuts: list[int], *, block: int = BLOCK, proven: bool = True) -> ContentReport:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(base, "BLOCK", block)
        return report_of(JsonCheck(proven=proven), cut_at(data, cuts))


def rows_of(value: Any) -> int | None:
    """What `rows` means: the array's length, or that of the only array directly in the object."""
    if isinstance(value, list):
        return len(value)
    arrays = [each for each in value.values() if isinstance(each, list)] if isinstance(value, dict) else []
    return len(arrays[0]) if len(arrays) == 1 else None


def as_seen(members: Mapping[str, Any]) -> dict[str, Any]:
    """What a vendor judges by: all names, scalars as they are, and whether lists and objects are empty."""
    return {name: bool(each) if isinstance(each, (list, dict)) else each for name, each in members.items()}


@pytest.mark.parametrize("block", [5, 16, BLOCK])
@given(documents, sizes, st.booleans(), st.sampled_from([None, 0, 2]))
def test_what_is_whole_passes_with_its_rows(
    block: int, value: Any, cuts: list[int], ascii_only: bool, indent: int | None
) -> None:
    data = json.dumps(value, ensure_ascii=ascii_only, indent=indent).encode()
    found = looked(data, cuts, block=block)
    assert (found.word, found.rows, found.end, found.error) == ("json", rows_of(value), "own", None)
    if isinstance(value, dict):
        assert as_seen(found.members) == as_seen(value)
    assert looked(b"\xef\xbb\xbf" + data + b"\r\n \n", cuts).rows == rows_of(value)


@pytest.mark.parametrize("block", [8, 64, BLOCK])
@settings(max_examples=20)
@given(
    items=st.lists(st.dictionaries(st.sampled_from(["id", "x"]), values, max_size=3), max_size=12),
    head=st.sampled_from(["[", '{"status": "ready", "n": 12.5, "list": [', '{"a\\"b": null,\n"list":\n[ ']),
    tail=st.sampled_from(["", ', "more": 1', ', "more": {"list": [1]}']),
    comma=st.sampled_from([",", ", ", ",\n  "]),
    cuts=sizes,
)
def test_arrays_of_objects_block_by_block(
    block: int, items: list[Any], head: str, tail: str, comma: str, cuts: list[int]
) -> None:
    text = head + comma.join(json.dumps({"id": n, **item}) for n, item in enumerate(items)) + "]"
    text += "" if head == "[" else tail + "}"
    found = looked(text.encode(), cuts, block=block)
    assert (found.word, found.rows) == ("json", len(items))
    for cut in some(range(len(text))):
        assert looked(text[:cut].encode(), cuts, block=block).end != "own"


@settings(max_examples=15)
@given(documents, st.booleans())
def test_every_cut_is_refused(value: Any, ascii_only: bool) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only).encode()
    for cut in some(range(len(text))):
        assert judged("x.json", text[:cut]) == "TruncatedDownloadError"


@pytest.mark.parametrize("step", [7, 1000, 300_000, None])
def test_several_blocks(step: int | None) -> None:
    rows = [
        {"email": f"u{n}@x.example", "tags": ["a\\", '"', "{["], "n": {"email": [n, [], {}]}} for n in range(12_000)
    ]
    data = json.dumps({"status": "done", "list": rows, "total": 12_000, "more": {"x": [1]}}).encode()
    assert len(data) > 3 * BLOCK
    if step == 7:
        data = json.dumps({"status": "done", "list": rows[:500], "total": 1}).encode()
    found = report_on("x.json", data, proven=False, step=step)
    assert (found.word, found.rows) == ("json", 500 if step == 7 else 12_000)
    assert found.members["status"] == "done"
    assert judged("x.json", data[:-1], step=step) == "TruncatedDownloadError"
    assert judged("x.json", data[: len(data) // 2], step=step) == "TruncatedDownloadError"


@pytest.mark.parametrize(
    "text", ["[1] x", "{} {}", "[1][2]", "[1]]", '{"a":1}}', "[1},", "{]", '{"a":1]', '{"a":[1}', "tru x"]
)
def test_junk_lands_where_it_is_proven_and_is_refused_elsewhere(text: str) -> None:
    for step in (1, None):
        found = report_on("x.json", text.encode(), proven=True, step=step)
        assert (found.word, found.rows) == (None, None)
        assert judged("x.json", text.encode(), step=step) == "UnexpectedResponseError"


@pytest.mark.parametrize("item", ["1", '"x"', '{"a": 1}', "[]"])
@pytest.mark.parametrize("wrong", [",]", ", \n]", ",,1]", "1 1]", "]]"])
def test_a_wrong_comma_is_found_wherever_the_blocks_end(item: str, wrong: str) -> None:
    for number, block in (*itertools.product((1, 2, 9), (4, 7, BLOCK)), (20_000, BLOCK)):
        found = looked(("[" + ", ".join([item] * number) + wrong).encode(), [], block=block)
        assert (found.word, found.rows) == (None, None)


def test_nan_only_costs_the_word() -> None:
    found = report_on("x.json", b'[{"a": NaN}, {"a": -Infinity}]', proven=True)
    assert (found.word, found.rows, found.error) == (None, None, None)


@given(st.lists(st.dictionaries(st.text("ab", max_size=5), scalars, max_size=4), min_size=2, max_size=8), sizes)
def test_json_lines_under_a_json_name(rows: list[Any], cuts: list[int]) -> None:
    data = "\n".join(json.dumps(row) for row in rows).encode()
    for ending in (b"", b"\n", b"\r\n\n"):
        for block in (12, BLOCK):
            found = looked(data + ending, cuts, block=block)
            assert (found.word, found.rows, found.end) == ("jsonl-end", len(rows), "open")
    assert judged("x.json", data[:-1]) == "TruncatedDownloadError"


@pytest.mark.parametrize("shape", ["text", "object"])
def test_what_is_large_and_no_array_is_not_held(shape: str) -> None:
    value = "x" * (MOST + 2 * BLOCK) if shape == "text" else {f"id{n}": {"v": [n]} for n in range(170_000)}
    data = json.dumps(value).encode()
    found = report_of(JsonCheck(proven=True), in_steps(data, 1 << 20))
    assert (found.word, found.rows, found.end, found.error) == (None, None, "open", None)
    assert judged("x.json", data[:-4], step=1 << 20) == "TruncatedDownloadError"


@pytest.mark.parametrize(
    "item", ["1", '"a, b"', "[1, [2, 3]]", '{"k": [{"k": 1}, {"k": 2}]}', "null", "{}", '{"k": {"k": 1}}']
)
def test_large_arrays_of_anything(item: str) -> None:
    number = 2 * MOST // (len(item) + 2)
    data = ("[" + ", ".join([item] * number) + "]").encode()
    assert report_of(JsonCheck(proven=True), in_steps(data, 1 << 20)).rows == number


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How long the pieces are that were tried to be parsed."""
    lengths: list[int] = []
    real = document._count

    def count(array: memoryview) -> int | None:
        lengths.append(len(array))
        return real(array)

    monkeypatch.setattr(document, "_count", count)
    return lengths


@pytest.mark.parametrize("indent", [None, 2])
def test_items_in_an_item_that_begin_as_it_does_take_few_tries(tried: list[int], indent: int | None) -> None:
    orders = [{"id": n, "lines": [{"id": line, "sku": "a, b"} for line in range(100)]} for n in range(1000)]
    data = json.dumps(orders, indent=indent).encode()
    assert report_of(JsonCheck(proven=True), in_steps(data, 1 << 20)).rows == 1000
    assert len(tried) <= 3 * (len(data) // BLOCK + 1)


@pytest.mark.parametrize(("later", "rows"), [("[1, 2]", 2), ("[]", 0), ("5", None)])
@pytest.mark.parametrize("number", [1, 100_000])
def test_of_a_name_that_is_there_twice_the_last_value_counts(number: int, later: str, rows: int | None) -> None:
    items = ", ".join(['{"a": 1}'] * number)
    data = f'{{"n": 1, "data": [{items}], "data": {later}}}'.encode()
    assert report_of(JsonCheck(proven=True), in_steps(data, 1 << 20)).rows == rows


def test_a_last_comma_is_no_json_where_nothing_proves_it() -> None:
    for item in ("1", '{"a": 1}'):
        assert judged("x.json", f"[{item}, {item},]".encode()) == "UnexpectedResponseError"


def test_the_number_of_tries_is_bounded(tried: list[int]) -> None:
    """Where every end of a block is inside an item, the block grows, and then nothing more is held."""
    data = b'[{"k": [' + b'{"k": 1}, ' * 500_000 + b"1]}]"
    assert report_of(JsonCheck(proven=True), in_steps(data, 1 << 20)).end == "open"
    assert len(tried) <= document.TRIES * (MOST // BLOCK + 2)


def test_deep_nesting_is_no_crash() -> None:
    data = b"[" * 200_000 + b"]" * 200_000
    report_on("x.json", data, proven=True)
    report_on("x.jsonl", data + b"\n", proven=True)
    assert judged("x.json", data) in {"read-twice", "UnexpectedResponseError"}


@pytest.mark.parametrize(
    ("text", "rows"), [(b'{"a": 1}', 1), (b'{"a": [1, 2]}\n', 1), (b'[{"a": 1}, 2]', 2), (b"{}\n{}\n", 2)]
)
def test_one_object_is_a_record_where_a_vendor_says_so(text: bytes, rows: int) -> None:
    """Others may have followed: it proves nothing."""
    for proven in (True, False):
        content = Content(None, "x.json", proven=proven, expected="jsonl")
        content.feed(text)
        found = content.finish()
        assert (found.rows, found.end) == (rows, "own" if text.startswith(b"[") else "open")


ROW = {"email": "a@x.example", "tags": ["x" * 40] * 3}


@pytest.mark.parametrize(
    ("document", "seen"),
    [
        ({"message": "ok", "rows": [ROW] * 2_000}, {"message": "ok", "rows": [ROW]}),
        ({"a": [[1] * 3_000] * 9, "b": [ROW]}, {"a": [None], "b": [ROW]}),
        ({"a": {"b": {"c": [1] * 9_000, "d": "x" * 9_000}}}, {"a": {"b": {"c": [1], "d": "x" * 9_000}}}),
        ({"a": {str(n): {"n": n} for n in range(900)}, "n": 1}, {"a": dict.fromkeys(map(str, range(900))), "n": 1}),
        ({"trace": "x" * 200_000, "n": 5}, {"trace": "x" * 200_000, "n": 5}),
        ({"a": [], "b": {}, "c": [1, {}], "d": None}, {"a": [], "b": {}, "c": [1, {}], "d": None}),
    ],
    ids=lambda value: str(value)[:40],
)
@pytest.mark.parametrize("step", [None, 4_001])
def test_of_a_large_member_a_part_is_shown(document: Any, seen: Any, step: int | None) -> None:
    data = json.dumps(document).encode()
    for records in (False, True):
        check = JsonCheck(proven=True, records=records)
        assert first_items(report_of(check, in_steps(data, step or len(data))).members) == first_items(seen)


def first_items(value: Any) -> Any:
    """The value with no more than one item in each list: how many are left depends on the blocks."""
    if isinstance(value, Mapping):
        return {name: first_items(each) for name, each in value.items()}
    return [first_items(each) for each in value[:1]] if isinstance(value, list) else value


def test_members_that_python_cannot_read_are_shown_as_none() -> None:
    digits, deep, long = b"9" * 5_000, b"[" * 3_000 + b"]" * 3_000, b"x" * 5_000
    data = b'{"a": %s, "b": 1, "d": "\xff", "e": {"\xff": "%s"}}' % (digits, long)
    found = report_of(JsonCheck(proven=True), [data])
    assert found.word == "json"
    assert found.members == {"a": None, "b": 1, "d": "\ufffd", "e": None}
    found = report_of(JsonCheck(proven=True), [b'{"a": %s}' % deep])
    assert found.members in ({}, {"a": [None]})  # for msgspec it may be too deep, as for Python


@pytest.mark.parametrize("name", ["x.json", "x.jsonl"])
def test_a_number_of_thousands_of_digits_is_json(name: str) -> None:
    line = b'{"a": %s}' % (b"9" * 5_000)
    for data, lines in ((line, 1), (line + b"\n", 1), (line + b"\n" + line, 2)):
        is_document = lines == 1 and name == "x.json"
        assert report_on(name, data, proven=True).word == ("json" if is_document else "jsonl-end")
        assert judged(name, data) in {"own", "read-twice"}
