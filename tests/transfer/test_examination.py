"""What is known of a file's first bytes, handed from one process to the next."""

from __future__ import annotations

import hashlib
import json
import logging
import subprocess
import sys
import zlib
from base64 import b64encode
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_batchdl.exceptions import (
    BatchDlError,
    ChecksumMismatchError,
    TruncatedDownloadError,
)
from airflow_provider_batchdl.transfer import midstate
from airflow_provider_batchdl.transfer.checksums import worth_noting
from airflow_provider_batchdl.transfer.examination import VERSION, Examination, UnprovenError
from airflow_provider_batchdl.transfer.stream import ResultStream

ROWS = b"email,status\n" + b"".join(b'"ann%d@corp.example",Valid\r\n' % number for number in range(5_000))
NAMES = {"rows.csv": ROWS, "rows.jsonl": b'{"a": [1, 2], "b": "\\u00e9"}\n' * 5_000, "rows.bin": bytes(100_000)}
NAMES["rows.json"] = b'{"status": "ready", "list": [' + b",".join([b'{"a": 1}'] * 3_000) + b"]}"

pytestmark = pytest.mark.skipif(not midstate.is_available("sha256"), reason="no hash here can be continued")


def declared(content: bytes) -> dict[str, str]:
    """Headers of a store that declares all checksums of which the state can be kept without another library."""
    sums = {
        "content-md5": hashlib.md5(content, usedforsecurity=False).digest(),
        "x-amz-checksum-sha1": hashlib.sha1(content, usedforsecurity=False).digest(),
        "x-amz-checksum-sha256": hashlib.sha256(content).digest(),
        "x-amz-checksum-crc32": zlib.crc32(content).to_bytes(4, "big"),
    }
    return {"content-length": str(len(content)), **{name: b64encode(value).decode() for name, value in sums.items()}}


def head(headers: Mapping[str, str]) -> ResultStream:
    """The response with these headers."""
    response = SimpleNamespace(status=200, headers=headers)
    return ResultStream(cast(Any, response), "http://store.example/x", 0)


def arguments(headers: Mapping[str, str], name: str, **others: Any) -> dict[str, Any]:
    return {"headers": headers, "filename": name, "sha256": True, "inspect": lambda members: None, "facts": {}} | others


def kept(examination: Examination) -> Any:
    """Its snapshot as it comes back from any store of JSON."""
    text = json.dumps(examination.snapshot(), allow_nan=False, ensure_ascii=False)
    assert text.isascii()
    assert "\\u0000" not in text.replace("\\\\", "")
    return json.loads(text)


@pytest.mark.parametrize("name", NAMES)
@given(data=st.data())
def test_what_goes_on_elsewhere_ends_as_if_it_had_not_stopped(name: str, data: st.DataObject) -> None:
    content = NAMES[name]
    cuts = sorted(data.draw(st.lists(st.integers(0, len(content)), max_size=4)))
    headers = declared(content)
    whole = Examination(**arguments(headers, name))
    whole.feed(content)
    examination, at = Examination(**arguments(headers, name), resumable=True), 0
    for cut in [*cuts, len(content)]:
        examination.feed(content[at:cut])
        at = cut
        examination = Examination.restore(kept(examination), **arguments(worth_noting(headers), name))
        assert examination.examined == at
    proofs = examination.verdict(at, head(headers))
    assert proofs == whole.verdict(at, head(headers))[: len(proofs)]
    assert {"content-length", "md5", "sha1", "sha256", "crc32"} <= set(proofs)
    assert examination.sha256 == whole.sha256 == hashlib.sha256(content).hexdigest()
    assert examination.rows in (whole.rows, None)
    if name in ("rows.csv", "rows.jsonl") and all(cut > 4096 for cut in cuts):
        assert examination.rows == whole.rows


def test_another_process_goes_on_with_it() -> None:
    program = (
        "import json, sys\n"
        "from airflow_provider_batchdl.transfer.examination import Examination\n"
        "snapshot, rest = json.load(sys.stdin)\n"
        "made_with = dict(headers={}, filename='rows.csv', sha256=True, inspect=len, facts={})\n"
        "examination = Examination.restore(snapshot, **made_with)\n"
        "examination.feed(rest.encode())\n"
        "print(examination.examined, examination._content.finish().rows, examination.sha256)"
    )
    examination = Examination(**arguments({}, "rows.csv"), resumable=True)
    examination.feed(ROWS[:70_001])
    done = subprocess.run(
        [sys.executable, "-c", program],
        input=json.dumps([examination.snapshot(), ROWS[70_001:].decode()]),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.split() == [str(len(ROWS)), "5000", hashlib.sha256(ROWS).hexdigest()]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("half", [0, 1])
def test_a_fault_on_either_side_is_still_found(name: str, half: int) -> None:
    content = NAMES[name]
    headers, middle = declared(content), len(content) // 2
    damaged = bytearray(content)
    damaged[half * middle + 2] ^= 1
    examination = Examination(**arguments(headers, name), resumable=True)
    examination.feed(bytes(damaged[:middle]))
    examination = Examination.restore(kept(examination), **arguments(headers, name))
    examination.feed(bytes(damaged[middle:]))
    with pytest.raises(ChecksumMismatchError):
        examination.verdict(len(content), head(headers))


def test_a_snapshot_names_what_it_is_of_and_is_small() -> None:
    """Whoever changes one of these names, or what it means, changes `VERSION` with it."""
    examination = Examination(**arguments(declared(ROWS), "rows.csv"), resumable=True)
    examination.feed(ROWS)
    snapshot = kept(examination)
    assert VERSION == 3
    assert set(snapshot) == {"version", "bytes", "digests", "content", "seal"}
    assert (snapshot["version"], snapshot["bytes"]) == (3, len(ROWS))
    assert set(snapshot["digests"]) == {"crc32", "md5", "sha1", "sha256"}
    assert set(snapshot["digests"]["sha256"]) == {"chain", "tail"}
    assert snapshot["content"]["kind"] == "csv"
    own = {"_records", "_inside", "_lost", "_by_csv", "_returns", "_checked", "_delimiter", "_fields"}
    assert set(snapshot["content"]["check"]) == {"line"} | own
    assert len(json.dumps(snapshot)) < 1500
    lines = Examination(**arguments({}, "x.jsonl"), resumable=True)
    lines.feed(NAMES["rows.jsonl"] * 3)
    assert set(kept(lines)["content"]["check"]) == {"line", "_rows", "_any", "_sampled", "_long"}
    for name in ("rows.json", "rows.bin"):
        other = Examination(**arguments(declared(b""), name), resumable=True)
        other.feed(NAMES[name])
        assert kept(other)["content"] is None


def paths(value: Any, here: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """The ways to every member of a JSON value."""
    if not isinstance(value, dict):
        return [here]
    return [path for name, inner in value.items() for path in [(*here, name), *paths(inner, (*here, name))]]


def changed(value: dict[str, Any], path: tuple[str, ...], other: object) -> dict[str, Any]:
    copy: dict[str, Any] = json.loads(json.dumps(value))
    inner = copy
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = other
    return copy


def test_a_damaged_snapshot_is_refused_whatever_is_damaged() -> None:
    given_to = arguments(declared(NAMES["rows.json"]), "rows.json")
    examination = Examination(**given_to, resumable=True)
    examination.feed(NAMES["rows.json"][:20_000])
    snapshot = kept(examination)
    others: tuple[object, ...] = (None, 0, 1, -1, "", "00", {}, [])
    whole: list[object] = [None, [], "", 1, {}, {**snapshot, "more": 1}, {**snapshot, "seal": None}]
    whole += [changed(snapshot, path, other) for path in paths(snapshot) for other in others]
    refused = 0
    for each in whole:
        if json.dumps(each) == json.dumps(snapshot):
            continue
        with pytest.raises(ValueError, match="."):  # noqa: RUF043
            Examination.restore(each, **given_to)
        refused += 1
    assert refused > 150


@pytest.mark.parametrize(
    "other",
    [
        {"sha256": False},
        {"headers": {}},
        {"headers": {**declared(ROWS), "repr-digest": f"sha-512=:{b64encode(bytes(64)).decode()}:"}},
        {"headers": {**declared(ROWS), "content-encoding": "gzip"}},
    ],
    ids=str,
)
def test_a_snapshot_of_another_examination_is_refused(other: dict[str, Any]) -> None:
    headers = {name: value for name, value in declared(ROWS).items() if name != "x-amz-checksum-sha256"}
    examination = Examination(**arguments(headers, "rows.csv"), resumable=True)
    examination.feed(ROWS)
    Examination.restore(kept(examination), **arguments(headers, "rows.csv"))
    with pytest.raises(ValueError, match="."):  # noqa: RUF043
        Examination.restore(kept(examination), **(arguments(headers, "rows.csv") | other))


def test_a_snapshot_of_another_version_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    examination = Examination(**arguments({}, "rows.csv"), resumable=True)
    snapshot = kept(examination)
    monkeypatch.setattr("airflow_provider_batchdl.transfer.examination.VERSION", VERSION + 1)
    with pytest.raises(ValueError, match="another version"):
        Examination.restore(snapshot, **arguments({}, "rows.csv"))


def test_what_cannot_be_gone_on_with_has_no_snapshot(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Examination(**arguments({}, "rows.csv")).snapshot() is None  # not asked for
    monkeypatch.setattr(midstate, "is_available", lambda algorithm: False)
    assert Examination(**arguments({}, "rows.csv"), resumable=True).snapshot() is None
    without = Examination(**arguments({}, "rows.csv", sha256=False, framed=True), resumable=True)
    assert without.snapshot() is not None


def test_a_process_that_cannot_continue_the_hash_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    examination = Examination(**arguments({}, "rows.csv"), resumable=True)
    snapshot = kept(examination)
    monkeypatch.setattr(midstate, "is_available", lambda algorithm: False)
    with pytest.raises(ValueError, match="sha256 cannot be continued here"):
        Examination.restore(snapshot, **arguments({}, "rows.csv"))


@pytest.mark.parametrize(
    ("headers", "named"),
    [
        ({"x-amz-checksum-sha256": f"{b64encode(bytes(32)).decode()}-3"}, ["x-amz-checksum-sha256"]),
        ({"x-amz-checksum-xxhash128": b64encode(bytes(16)).decode()}, ["x-amz-checksum-xxhash128"]),
        ({"content-md5": "?", "repr-digest": "md5=:AAAA:"}, ["content-md5", "repr-digest"]),
        # Of the packed bytes; those seen here were unpacked on the way.
        ({**declared(ROWS), "content-encoding": "gzip"}, list(declared(ROWS))[1:]),
    ],
)
def test_a_declared_checksum_that_cannot_be_checked_is_said(
    headers: dict[str, str], named: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    examination = Examination(**arguments(headers, "rows.csv", framed=True))
    examination.feed(ROWS)
    with caplog.at_level(logging.WARNING):
        verified_by = examination.verdict(len(ROWS), head({"content-length": str(len(ROWS)), **headers}))
    said = [record.getMessage() for record in caplog.records]
    assert said == [f"The checksum in {name} cannot be checked here." for name in named]
    assert not {"md5", "sha1", "sha256", "crc32"} & set(verified_by)


@pytest.mark.parametrize("skipped", [1, -1])
def test_what_was_not_examined_is_not_vouched_for(skipped: int) -> None:
    examination = Examination(**arguments({}, "rows.csv"))
    examination.feed(ROWS)
    with pytest.raises(TruncatedDownloadError, match="were examined"):
        examination.verdict(len(ROWS) + skipped, head({}))


@pytest.mark.parametrize("coding", ["identity", " Identity "])
def test_the_coding_that_is_none_changes_nothing(coding: str) -> None:
    headers = {**declared(ROWS), "content-encoding": coding}
    examination = Examination(**arguments(headers, "rows.csv"))
    examination.feed(ROWS)
    assert {"md5", "sha256", "content-length"} <= set(examination.verdict(len(ROWS), head(headers)))
    cut = Examination(**arguments({"content-encoding": coding}, "rows.csv"))
    cut.feed(ROWS)
    with pytest.raises(BatchDlError):
        cut.verdict(len(ROWS), head({"content-length": str(len(ROWS) + 1), "content-encoding": coding}))


def test_what_nothing_proves_needs_a_second_reading_and_its_digest() -> None:
    examination = Examination(**arguments({}, "rows.csv", sha256=False))
    examination.feed(ROWS)
    with pytest.raises(UnprovenError):
        examination.verdict(len(ROWS), head({}))
    assert examination.sha256 is None
    assert examination.reading == hashlib.sha256(ROWS).hexdigest()
    assert examination.proven_by_reading_again() == ("read-twice", "csv-end")
    assert examination.rows == 5_000


@pytest.mark.parametrize("proof", ["content-length", "md5", "announced-size"])
def test_every_proof_outweighs_the_content(proof: str, caplog: pytest.LogCaptureFixture) -> None:
    content = b"a,b\n1"
    headers = {name: value for name, value in declared(content).items() if name == f"content-{proof[8:]}"}
    headers |= {"content-md5": declared(content)["content-md5"]} if proof == "md5" else {}
    examination = Examination(**arguments(headers, "rows.csv", framed=proof == "content-length"))
    examination.feed(content)
    announced = len(content) if proof == "announced-size" else None
    assert examination.verdict(len(content), head(headers), announced) == (proof,)
    assert "not as many fields as the header" in caplog.text
