"""A check's state: small, and another check goes on from it as if it had seen everything itself."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_batchdl.exceptions import BatchDlError
from airflow_provider_batchdl.transfer.content import ContentCheck, check_for
from airflow_provider_batchdl.transfer.content.base import HEAD
from airflow_provider_batchdl.transfer.content.json_document import MAX_MEMBERS
from airflow_provider_batchdl.transfer.content.lines import MAX_LINE
from tests.transfer.content.strategies import PAGES, as_csv, documents, sizes, tables, values
from tests.transfer.content.verdicts import Verdict, chunked, cut_at, gzip_check, verdict

Judged = tuple[Verdict, str, str | None]


def gone_on_with(check: ContentCheck, kind: str) -> ContentCheck:
    """A new check that goes on where `check` stopped, by way of JSON."""
    state = json.loads(json.dumps(check.snapshot(), allow_nan=False))
    other = check_for(None, f"x.{kind}")
    other.restore(state)
    return other


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


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data(), padded=st.booleans(), cuts=sizes)
def test_a_check_taken_up_anywhere_says_what_one_check_says(
    kind: str, data: st.DataObject, padded: bool, cuts: list[int]
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
def test_a_check_taken_up_at_each_byte_says_what_one_check_says(kind: str, content: bytes) -> None:
    padding = b"\n" * HEAD
    expected = judged(check_for(None, f"x.{kind}"), [padding + content])
    for cut in range(len(content)):
        assert judged_in_turns(kind, [padding, content[:cut], content[cut:]]) == expected


def test_an_overlong_line_taken_up_inside_it() -> None:
    chunks = [b'{}\n{"a":"' + b"x" * (MAX_LINE + 5), b'"}\n', b""]
    assert judged_in_turns("jsonl", chunks)[0] == ("ok", "jsonl", 2, None)


def test_members_beyond_the_limit_stay_uncounted() -> None:
    content = json.dumps({"a": 1, **{f"id{n}": {"v": [n]} for n in range(MAX_MEMBERS)}, "z": [1, 2]}).encode()
    chunks = cut_at(content, [1_000] * (len(content) // 1_000))
    assert judged_in_turns("json", chunks) == judged(check_for(None, "x.json"), [content])


@given(st.binary(max_size=300), st.binary(max_size=40), sizes)
def test_a_zip_taken_up_anywhere(content: bytes, comment: bytes, cuts: list[int]) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.csv", content)
        archive.comment = comment
    assert judged_in_turns("zip", cut_at(buffer.getvalue(), cuts))[0][0] == "ok"


@pytest.mark.parametrize("kind", KINDS)
def test_the_state_is_small_and_shows_no_whole_record(kind: str) -> None:
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


def test_what_is_decompressed_cannot_be_taken_up() -> None:
    check = gzip_check()
    assert check.snapshot() is None
    with pytest.raises(ValueError, match="cannot be gone on with"):
        check.restore({})


@pytest.mark.parametrize("kind", KINDS)
def test_a_state_that_is_none_changes_nothing(kind: str) -> None:
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
