"""The content's own end: complete documents pass, cut ones are told, in any chunking."""

from __future__ import annotations

import csv
import gzip
import io
import json
import zipfile
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_batchdl.exceptions import (
    BatchDlError,
    ChecksumMismatchError,
    TruncatedDownloadError,
    UnexpectedResponseError,
)
from airflow_provider_batchdl.transfer.content import ContentCheck, check_for
from airflow_provider_batchdl.transfer.content.base import HEAD, SLICE
from airflow_provider_batchdl.transfer.content.containers import ZipCheck
from airflow_provider_batchdl.transfer.content.delimited import CsvCheck
from airflow_provider_batchdl.transfer.content.json_document import MAX_MEMBERS, JsonCheck
from airflow_provider_batchdl.transfer.content.json_nesting import FOLDS
from airflow_provider_batchdl.transfer.content.lines import MAX_LINE, JsonLinesCheck

Verdict = tuple[str, str, int | None, object]


def chunked(data: bytes, sizes: Iterable[int]) -> list[bytes]:
    """Text cut likewise, behind blank lines: the first bytes are held together, only later ones come as they are."""
    return [b"\n" * HEAD, *cut_at(data, sizes)]


def cut_at(data: bytes, sizes: Iterable[int]) -> list[bytes]:
    """`data` cut at the running sums of `sizes`, the rest as the last chunk."""
    chunks, at = [], 0
    for size in sizes:
        chunks.append(data[at : at + size])
        at += size
    return [*chunks, data[at:]]


def verdict(check: ContentCheck, chunks: Iterable[bytes]) -> Verdict:
    try:
        for chunk in chunks:
            check.feed(chunk)
        check.finish()
    except BatchDlError as error:
        return type(error).__name__, "", None, None
    return "ok", check.name, check.rows, getattr(check, "members", None)


def judge(kind: str, data: bytes, size: int | None = None) -> Verdict:
    check = check_for(None, f"x.{kind}")
    step = size or max(1, len(data))
    return verdict(check, [data[at : at + step] for at in range(0, len(data), step)])


scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
    max_leaves=30,
)
documents = st.lists(values, max_size=6) | st.dictionaries(st.text(), values, max_size=6)
sizes = st.lists(st.integers(0, 9), max_size=60)


class TestJson:
    @given(documents, sizes, st.booleans(), st.sampled_from([None, 0, 2]))
    def test_complete_documents_pass_in_any_chunking(
        self, document: Any, cuts: list[int], ascii_only: bool, indent: int | None
    ) -> None:
        data = json.dumps(document, ensure_ascii=ascii_only, indent=indent).encode("utf-8", "surrogatepass")
        check = JsonCheck()
        assert verdict(check, chunked(data, cuts))[:2] == ("ok", "json")
        assert verdict(JsonCheck(), [b"\xef\xbb\xbf", data, b"\r\n \n"])[:2] == ("ok", "json")

    @given(documents, sizes)
    def test_rows_and_members(self, document: Any, cuts: list[int]) -> None:
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
    def test_every_strict_prefix_is_truncated(self, document: Any, data: st.DataObject) -> None:
        text = json.dumps(document, ensure_ascii=data.draw(st.booleans())).encode("utf-8", "surrogatepass")
        cut = text[: data.draw(st.integers(0, len(text) - 1))]
        assert verdict(JsonCheck(), chunked(cut, data.draw(sizes)))[0] == "TruncatedDownloadError"

    @pytest.mark.parametrize("size", [1, 7, 1000, SLICE - 1, 3 * SLICE, None])
    def test_several_slices(self, size: int | None) -> None:
        rows = [
            {"email": f"u{n}@x.example", "tags": ["a\\", '"', "{["], "n": {"a": [n, [], {}]}} for n in range(12_000)
        ]
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
    def test_object_keyed_by_id(self, size: int | None) -> None:
        small = {f"id{n}": {"v": [n]} for n in range(500)}
        assert judge("json", json.dumps({"a": 1, **small, "z": [1, 2]}).encode(), size) == ("ok", "json", 2, {"a": 1})
        large = {f"id{n}": {"v": [n]} for n in range(30_000)}
        assert judge("json", json.dumps({"a": 1, **large, "z": [1, 2]}).encode()) == ("ok", "json", None, {"a": 1})

    @pytest.mark.parametrize("size", [1, 13, None])
    def test_long_strings_are_skipped_in_constant_memory(self, size: int | None) -> None:
        data = json.dumps({"blob": 'x\\"{' * 5000, "k" * 9000: 1, "after": True, "list": [1, 2, 3]}).encode()
        assert judge("json", data, size) == ("ok", "json", 3, {"after": True})
        assert judge("json", data[:9000], size)[0] == "TruncatedDownloadError"

    def test_processing_answer_is_readable(self) -> None:
        assert judge("json", b'{"list":[],"status":"processing"}') == ("ok", "json", 0, {"status": "processing"})

    @pytest.mark.parametrize(
        "text", ["[1] x", "{} {}", "[1][2]", "[1]]", '{"a":1}}', "[1},", "{]", '{"a":1]', '{"a":[1}', '{"a" tru, 1}']
    )
    @pytest.mark.parametrize("size", [1, None])
    def test_junk_is_no_json(self, text: str, size: int | None) -> None:
        assert judge("json", text.encode(), size)[0] == "UnexpectedResponseError"

    @pytest.mark.parametrize("depth", [FOLDS - 1, FOLDS + 1, 500, 9_000])
    @pytest.mark.parametrize("around", ["{}", '{{"list": {}, "x": 1}}'])
    def test_deep_nesting(self, depth: int, around: str) -> None:
        data = around.format("[" * depth + "1" + "]" * depth).encode()
        assert judge("json", data)[:3] == ("ok", "json", 1)
        assert judge("json", data[: -depth // 2])[0] == "TruncatedDownloadError"
        padded = around.format("[" + "[[1]], " * 100_000 + "[" * depth + "]" * depth + "]").encode()
        assert judge("json", padded)[:3] == ("ok", "json", 100_001)

    def test_endless_nesting_is_refused(self) -> None:
        assert judge("json", b"[" * 300_000)[0] == "UnexpectedResponseError"
        assert judge("json", b'{"a":' * 300_000)[0] == "UnexpectedResponseError"

    @given(st.lists(st.dictionaries(st.text(max_size=5), scalars, max_size=4), min_size=2, max_size=8), sizes)
    def test_json_lines_under_a_json_name(self, rows: list[Any], cuts: list[int]) -> None:
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
    def test_bare_scalars(self, text: str, expected: str) -> None:
        assert judge("json", text.encode())[0] == expected


class TestJsonLines:
    @given(st.lists(values, min_size=1, max_size=10), sizes, st.sampled_from(["\n", "\r\n", "\n\n"]), st.booleans())
    def test_complete(self, rows: list[Any], cuts: list[int], newline: str, final: bool) -> None:
        data = (newline.join(json.dumps(row) for row in rows) + newline * final).encode()
        assert verdict(JsonLinesCheck(), chunked(data, cuts))[:3] == ("ok", "jsonl", len(rows))

    @given(st.lists(documents, min_size=1, max_size=5), st.data())
    def test_a_cut_inside_a_line_is_told(self, rows: list[Any], data: st.DataObject) -> None:
        lines = [json.dumps(row).encode() for row in rows]
        cut = data.draw(st.integers(1, len(lines[-1]) - 1))
        text = b"\n".join([*lines[:-1], lines[-1][:cut]])
        assert verdict(JsonLinesCheck(), chunked(text, data.draw(sizes)))[0] == "TruncatedDownloadError"

    def test_first_line_must_parse(self) -> None:
        assert judge("jsonl", b"email,status\na,b\n")[0] == "UnexpectedResponseError"

    def test_an_overlong_line(self) -> None:
        line = b'{"a":"' + b"x" * (MAX_LINE + 5) + b'"}'
        assert judge("jsonl", b"{}\n" + line) == ("ok", "jsonl", 2, None)
        assert judge("jsonl", b"{}\n" + line[:-2])[0] == "TruncatedDownloadError"

    def test_messages_show_no_values(self) -> None:
        check = JsonLinesCheck()
        check.feed(b'{}\n{"email":"ann@corp.example')
        with pytest.raises(TruncatedDownloadError) as caught:
            check.finish()
        assert "ann" not in str(caught.value)


def as_csv(rows: list[list[str]], **dialect: Any) -> bytes:
    text = io.StringIO()
    csv.writer(text, **dialect).writerows(rows)
    return text.getvalue().encode("utf-8", "surrogatepass")


cells = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=8)


@st.composite
def tables(draw: st.DrawFn) -> list[list[str]]:
    width = draw(st.integers(2, 5))
    body = draw(st.lists(st.lists(cells, min_size=width, max_size=width), max_size=6))
    return [[f"column {number}" for number in range(width)], *body]


class TestCsv:
    @given(
        tables(),
        sizes,
        st.sampled_from(["\n", "\r\n"]),
        st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]),
        st.sampled_from(",;\t|"),
    )
    def test_complete(
        self, table: list[list[str]], cuts: list[int], newline: str, quoting: Any, delimiter: str
    ) -> None:
        quoted = [table[0], *([cell if cell.isalnum() else f" {cell}" for cell in row] for row in table[1:])]
        data = as_csv(quoted, lineterminator=newline, quoting=csv.QUOTE_ALL, delimiter=delimiter)
        assert verdict(CsvCheck(), chunked(data, cuts))[:3] == ("ok", "csv", len(table) - 1)
        assert verdict(CsvCheck(), chunked(data.removesuffix(newline.encode()), cuts))[:3] == (
            "ok",
            "csv",
            len(table) - 1,
        )
        if quoting != csv.QUOTE_ALL and delimiter == ",":
            plain = [[cell.strip().replace("\r", "") or "x" for cell in row] for row in table]
            plain = [[cell.translate(dict.fromkeys(map(ord, ";\t|"))) or "x" for cell in row] for row in plain]
            data = as_csv(plain, lineterminator=newline)
            assert verdict(CsvCheck(), chunked(data, cuts))[:3] == ("ok", "csv", len(table) - 1)

    @given(tables(), sizes, st.data())
    def test_a_cut_before_the_last_field_is_told(
        self, table: list[list[str]], cuts: list[int], data: st.DataObject
    ) -> None:
        last = [f"v{number}" for number in range(len(table[0]))]
        text = as_csv([*table, last], lineterminator="\n", quoting=csv.QUOTE_ALL)
        tail = len(b",") + len(f'"{last[-1]}"\n')
        back = data.draw(st.integers(tail, len(as_csv([last], quoting=csv.QUOTE_ALL, lineterminator="\n")) - 1))
        assert verdict(CsvCheck(), chunked(text[:-back], cuts))[0] == "TruncatedDownloadError"

    @pytest.mark.parametrize("size", [1, 2, 3, 5, None])
    def test_quotes(self, size: int | None) -> None:
        data = b'a,b\n"x ""y"", z\nline",2\n5" pipe,3\n"",""\n"""","q"'
        assert judge("csv", data, size)[:3] == ("ok", "csv", 4)
        assert judge("csv", data[:-1], size)[0] == "TruncatedDownloadError"
        assert judge("csv", data[:-4], size)[0] == "TruncatedDownloadError"

    @pytest.mark.parametrize("size", [1, 1000, None])
    def test_several_slices(self, size: int | None) -> None:
        count = 2_000 if size == 1 else 40_000
        rows = [[str(n), f'name "{n}", etc\nmore', "x"] for n in range(count)]
        data = b"\xef\xbb\xbf" + as_csv([["id", "name", "x"], *rows], lineterminator="\r\n")
        assert judge("csv", data, size)[:3] == ("ok", "csv", count)
        assert judge("csv", data[: len(data) // 2], size)[0] in {"ok", "TruncatedDownloadError"}

    def test_blank_lines_are_no_records(self) -> None:
        assert judge("csv", b"\na,b\n1,2\n\n3,4\r\n\r\n")[2] == 2

    @pytest.mark.parametrize("size", [1, 2, 3, 5, None])
    def test_blank_lines_are_none_wherever_the_bytes_are_cut(self, size: int | None) -> None:
        data = b"\r\n" * HEAD + b"a,b\r\n1,2\r\n\r\n\r\n3,4\r\n\r\n"
        assert judge("csv", data, size)[:3] == ("ok", "csv", 2)

    def test_header_alone(self) -> None:
        assert judge("csv", b"a,b\n")[2] == 0
        assert judge("csv", b"a,b")[2] == 0

    def test_json_error_is_no_csv(self) -> None:
        assert judge("csv", b'{"error": "no"}\n')[0] == "UnexpectedResponseError"

    def test_endless_lines_are_refused(self) -> None:
        assert judge("csv", b"a" * (5 << 20))[0] == "UnexpectedResponseError"
        assert judge("csv", b'a\n"' + b'"' * 200_000)[0] == "UnexpectedResponseError"


@pytest.mark.parametrize(
    "page", [b"<!DOCTYPE html><p>", b" \n<html lang=en>", b'\xef\xbb\xbf<?xml version="1.0"?><Error>', b"<Error>"]
)
@pytest.mark.parametrize("kind", ["json", "jsonl", "csv", "parquet", "zip", "gz"])
@pytest.mark.parametrize("size", [1, None])
def test_pages_are_refused(page: bytes, kind: str, size: int | None) -> None:
    assert judge(kind, page, size)[0] == "UnexpectedResponseError"


PAGES = [
    b"<!doctype HTML><p>",
    b" \n<html lang=en>" + b"x" * HEAD,
    b"<!-- a comment -->\n<head>",
    b'\xef\xbb\xbf<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>AccessDenied</Code></Error>',
]
OTHERS = [b"", b"<", b"<?xml version='1.0'?><report/>", b"<errors/>", b"anything", b"a <html> in the text", bytes(9)]


@pytest.mark.parametrize("size", [1, 100, None])
def test_of_unknown_content_only_pages_and_error_messages_are_refused(size: int | None) -> None:
    for page in PAGES:
        assert judge("unknown", page, size)[0] == "UnexpectedResponseError"
        assert judge("html", page, size)[0] == "ok"
    for other in OTHERS:
        assert judge("unknown", other, size)[:3] == ("ok", "unknown", None)
    assert check_for(None, "x.bin").evidence == "none"


@pytest.mark.parametrize("kind", ["json", "jsonl", "csv", "parquet", "zip", "gz"])
def test_nothing_is_never_complete(kind: str) -> None:
    assert judge(kind, b"")[0] == "TruncatedDownloadError"


class TestContainers:
    @given(st.lists(st.binary(max_size=200), min_size=1, max_size=3), sizes, st.integers(0, 5))
    def test_gzip_members(self, members: list[bytes], cuts: list[int], padding: int) -> None:
        data = b"".join(gzip.compress(member) for member in members)
        assert judge_gzip(data + b"\0" * padding, cuts) == "ok"
        assert judge_gzip(data[:-1], cuts) == "TruncatedDownloadError"

    def test_damaged_gzip(self) -> None:
        data = bytearray(gzip.compress(b"x" * 1000))
        data[-6] ^= 1
        with pytest.raises(ChecksumMismatchError):
            gzip_check().feed(bytes(data))

    def test_a_small_bomb_costs_little(self) -> None:
        packed = gzip.compress(b"[" + b"0," * 30_000_000 + b"0]")
        check = check_for("application/gzip", "x.json.gz")
        check.feed(packed)
        check.finish()
        assert check.rows == 30_000_001

    def test_csv_inside_gzip(self) -> None:
        check = check_for(None, "x.csv.gz")
        assert verdict(check, [gzip.compress(b"a,b\n1,2\n")])[:3] == ("ok", "gzip", 1)

    @given(st.binary(max_size=300), st.binary(max_size=40), sizes, st.data())
    def test_zip(self, content: bytes, comment: bytes, cuts: list[int], data: st.DataObject) -> None:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr("a.csv", content)
            archive.comment = comment
        whole = buffer.getvalue()
        assert verdict(ZipCheck(), cut_at(whole, cuts))[0] == "ok"
        cut = whole[: data.draw(st.integers(0, len(whole) - 1))]
        assert verdict(ZipCheck(), cut_at(cut, cuts))[0] == "TruncatedDownloadError"

    def test_parquet(self) -> None:
        pa = pytest.importorskip("pyarrow")
        import pyarrow.parquet as pq

        buffer = io.BytesIO()
        pq.write_table(pa.table({"a": list(range(1000))}), buffer)
        data = buffer.getvalue()
        for size in (1, 7, None):
            assert judge("parquet", data, size)[:2] == ("ok", "parquet")
            for cut in (3, 4, 11, len(data) // 2, len(data) - 4, len(data) - 1):
                assert judge("parquet", data[:cut], size)[0] == "TruncatedDownloadError"
        assert judge("parquet", b"x" * 50)[0] == "UnexpectedResponseError"


def gzip_check() -> ContentCheck:
    return check_for("application/gzip", None)


def judge_gzip(data: bytes, cuts: list[int]) -> str:
    return verdict(gzip_check(), cut_at(data, cuts))[0]


def gone_on_with(check: ContentCheck, kind: str) -> ContentCheck:
    """A new check that goes on where `check` stopped, by way of JSON."""
    state = json.loads(json.dumps(check.snapshot(), allow_nan=False))
    other = check_for(None, f"x.{kind}")
    other.restore(state)
    return other


Judged = tuple[Verdict, str, str | None]


def judged(check: ContentCheck, chunks: Iterable[bytes]) -> Judged:
    """What one check says of all of it, the name it had then, and what that is worth."""
    said = verdict(check, chunks)
    return said, check.name, check.evidence if said[0] == "ok" else None


def judged_in_turns(kind: str, chunks: Iterable[bytes]) -> Judged:
    """What checks say of which each looks at one chunk only and hands its state on."""
    check = check_for(None, f"x.{kind}")
    try:
        for chunk in chunks:
            check = gone_on_with(check, kind)
            check.feed(chunk)
    except BatchDlError as error:
        return (type(error).__name__, "", None, None), check.name, None
    return judged(gone_on_with(check, kind), [])


def anything(kind: str) -> st.SearchStrategy[bytes]:
    """Content of a kind, whole, cut, damaged, or of pieces that mean something to it."""
    texts = {
        "json": st.one_of(documents, values).map(json.dumps),
        "jsonl": st.lists(values, max_size=5).map(lambda rows: "\n".join(map(json.dumps, rows))),
        "csv": tables().map(lambda table: as_csv(table).decode()),
        "zip": st.just("PK\x05\x06" + "\0" * 18),
        "parquet": st.sampled_from(["PAR1" + "\0" * 8 + "PAR1", "PAR1    \1\0\0\0PAR1", "PAR1\1\0\0\0PAR1"]),
        "unknown": st.sampled_from([page.decode() for page in PAGES]),
    }
    mixed = st.lists(
        st.sampled_from(["{", "}", "[", "]", '"', "\\", ",", ":", "\r", "\n", "a", "1", "PK\x05\x06", "PAR1", ";"]),
        max_size=40,
    ).map("".join)
    pieces = st.lists(st.one_of(texts[kind], mixed), min_size=1, max_size=3).map("\n".join)
    return pieces.map(lambda text: text.encode("utf-8", "surrogatepass"))


KINDS = ["json", "jsonl", "csv", "zip", "parquet", "unknown"]


class TestSnapshots:
    @pytest.mark.parametrize("kind", KINDS)
    @given(data=st.data(), padded=st.booleans(), cuts=sizes)
    def test_a_check_taken_up_anywhere_says_what_one_check_says(
        self, kind: str, data: st.DataObject, padded: bool, cuts: list[int]
    ) -> None:
        content = data.draw(anything(kind))
        chunks = cut_at(content, cuts)
        if padded and kind in {"json", "jsonl", "csv"}:
            chunks = chunked(content, cuts)
        assert judged_in_turns(kind, chunks) == judged(check_for(None, f"x.{kind}"), [b"".join(chunks)])

    @pytest.mark.parametrize(
        ("kind", "content"),
        [
            ("json", b'{"a\\"b": "x\\\\", "status": -12.5, "c": [{"d": "}\\"]"}, [1, 2], "\\\\"], "e": null} \r\n'),
            ("json", b'{"a": "x", "b": [1]}\n{"a": "\\"y", "b": []}\n{"a": tru'),
            ("jsonl", b'{"a": "x\\""}\r\n\r\n{"a": 12}\n{"b": 34'),
            ("jsonl", b'{"a": 1}\n{"a": \n'),
            ("csv", b'"a","b""c"\r\n"x, ""y""\n",""\r\n\r\n5" pipe,"""z"""\r\n"",1'),
            ("csv", b"a;b\r\n1;2\r\n3"),
        ],
    )
    def test_a_check_taken_up_at_each_byte_says_what_one_check_says(self, kind: str, content: bytes) -> None:
        padding = b"\n" * HEAD
        expected = judged(check_for(None, f"x.{kind}"), [padding + content])
        for cut in range(len(content)):
            assert judged_in_turns(kind, [padding, content[:cut], content[cut:]]) == expected

    def test_an_overlong_line_taken_up_inside_it(self) -> None:
        chunks = [b'{}\n{"a":"' + b"x" * (MAX_LINE + 5), b'"}\n', b""]
        assert judged_in_turns("jsonl", chunks)[0] == ("ok", "jsonl", 2, None)

    def test_members_beyond_the_limit_stay_uncounted(self) -> None:
        content = json.dumps({"a": 1, **{f"id{n}": {"v": [n]} for n in range(MAX_MEMBERS)}, "z": [1, 2]}).encode()
        chunks = cut_at(content, [1_000] * (len(content) // 1_000))
        assert judged_in_turns("json", chunks) == judged(check_for(None, "x.json"), [content])

    @given(st.binary(max_size=300), st.binary(max_size=40), sizes)
    def test_a_zip_taken_up_anywhere(self, content: bytes, comment: bytes, cuts: list[int]) -> None:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr("a.csv", content)
            archive.comment = comment
        assert judged_in_turns("zip", cut_at(buffer.getvalue(), cuts))[0][0] == "ok"

    @pytest.mark.parametrize("kind", KINDS)
    def test_the_state_is_small_and_shows_no_whole_record(self, kind: str) -> None:
        rows = [{"email": f"ann{number}@corp.example", "note": "x" * 50} for number in range(3_000)]
        content = {
            "json": json.dumps({"status": "ready", "list": rows}).encode(),
            "jsonl": "\n".join(map(json.dumps, rows)).encode(),
            "csv": as_csv([["email", "note"], *([row["email"], row["note"]] for row in rows)]),
            "zip": b"PK\x03\x04" + bytes(100_000),
            "parquet": b"PAR1" + bytes(100_000),
            "unknown": b"anything" * 10_000,
        }[kind]
        check = check_for(None, f"x.{kind}")
        check.feed(content[: len(content) // 2])
        state = check.snapshot()
        assert len(json.dumps(state)) < 1_500
        shown = [bytes.fromhex(str(value)) for value in (state or {}).values() if _is_hex(value)]
        assert not any(line.count(b"@") > 1 for line in shown)

    def test_what_is_decompressed_cannot_be_taken_up(self) -> None:
        check = gzip_check()
        assert check.snapshot() is None
        with pytest.raises(ValueError, match="cannot be gone on with"):
            check.restore({})

    @pytest.mark.parametrize("kind", KINDS)
    def test_a_state_that_is_none_changes_nothing(self, kind: str) -> None:
        check = check_for(None, f"x.{kind}")
        state = check.snapshot()
        assert state is not None
        wrong: list[object] = [None, [], {}, {**state, "more": 1}]
        others: tuple[object, ...] = (True, -2, 1.0, "zz", "00" * 5_000_000, "ä", [], {}, {"a": 1}, 10**30)
        for name, value in state.items():
            kept = {each: other for each, other in state.items() if each != name}
            wrong += [kept, *({**state, name: other} for other in others if _differs(value, other))]
        for each in wrong:
            try:
                check.restore(each)
            except ValueError:
                assert check.snapshot() == state
            else:  # another value of the same form is taken: that it is the right one, the seal around it tells
                check.restore(state)


def _differs(value: object, other: object) -> bool:
    return value != other or type(value) is not type(other)


def _is_hex(value: object) -> bool:
    return isinstance(value, str) and len(value) % 2 == 0 and not value.strip("0123456789abcdef")


@pytest.mark.parametrize(
    ("content_type", "filename", "name"),
    [
        ("application/json; charset=utf-8", None, "json"),
        ("application/problem+json", None, "json"),
        ("application/x-ndjson", "x.json", "jsonl"),
        ("application/octet-stream", "a/b.JSONL", "jsonl"),
        ("text/csv", "x.parquet", "parquet"),
        ("TEXT/CSV", None, "csv"),
        (None, "x.tsv", "csv"),
        (None, "x.csv.gz", "gzip"),
        ("application/zip", "x", "zip"),
        ("text/plain", "x.txt", "unknown"),
        (None, None, "unknown"),
    ],
)
def test_check_for(content_type: str | None, filename: str | None, name: str) -> None:
    assert check_for(content_type, filename).name == name


@pytest.mark.parametrize(
    ("kind", "text", "evidence"),
    [
        ("json", "[1]", "strong"),
        ("json", '{"a":1}\n{"a":2}', "line"),
        ("json", "12", "weak"),
        ("jsonl", "1\n23\n", "line"),
        ("jsonl", "1\n23", "weak"),
        ("jsonl", '1\n"x"', "line"),
        ("csv", "a,b\n1,2\n", "line"),
        ("csv", "a,b\n1,2", "weak"),
        ("csv", "a,b\n1,", "weak"),
        ("csv", 'a,b\n1,"2"', "line"),
    ],
)
def test_evidence(kind: str, text: str, evidence: str) -> None:
    check = check_for(None, f"x.{kind}")
    check.feed(text.encode())
    check.finish()
    assert check.evidence == evidence


def test_errors_are_those_promised() -> None:
    assert issubclass(TruncatedDownloadError, BatchDlError)
    assert issubclass(UnexpectedResponseError, BatchDlError)
