"""What is checked of a file's bytes, also where another process checked the first of them."""

from __future__ import annotations

import hashlib
import json
import logging
import zlib
from base64 import b64encode
from collections.abc import Mapping
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_batchdl.exceptions import (
    BatchDlError,
    ChecksumMismatchError,
    TruncatedDownloadError,
)
from airflow_provider_batchdl.transfer.content.head import SMALL
from airflow_provider_batchdl.transfer.source.head import ResponseHead
from airflow_provider_batchdl.transfer.source.stream import ResultStream
from airflow_provider_batchdl.transfer.verify.checksums import worth_noting
from airflow_provider_batchdl.transfer.verify.verifier import UnprovenError, Verifier

ROWS = b"email,status\n" + b"".join(b'"ann%d@corp.example",Valid\r\n' % number for number in range(5_000))
NAMES = {"rows.csv": ROWS, "rows.jsonl": b'{"a": [1, 2], "b": "\\u00e9"}\n' * 5_000, "rows.bin": bytes(100_000)}
NAMES["rows.json"] = b'{"status": "ready", "list": [' + b",".join([b'{"a": 1}'] * 3_000) + b"]}"


def declared(content: bytes) -> dict[str, str]:
    """Headers of a store that declares all checksums that need no other library."""
    sums = {
        "content-md5": hashlib.md5(content, usedforsecurity=False).digest(),
        "x-amz-checksum-sha1": hashlib.sha1(content, usedforsecurity=False).digest(),
        "x-amz-checksum-sha256": hashlib.sha256(content).digest(),
        "x-amz-checksum-crc32": zlib.crc32(content).to_bytes(4, "big"),
    }
    return {"content-length": str(len(content)), **{name: b64encode(value).decode() for name, value in sums.items()}}


def head(headers: Mapping[str, str]) -> ResultStream:
    """The response with these headers."""
    return ResultStream(cast(Any, None), "http://store.example/x", ResponseHead.of(200, headers.items()))


def arguments(headers: Mapping[str, str], name: str, **others: Any) -> dict[str, Any]:
    return {"headers": headers, "filename": name, "sha256": True, "inspect": lambda members: None} | others


def crc_of(content: bytes) -> dict[str, str]:
    """Headers of a store that declares the CRC-32 alone."""
    headers = declared(content)
    return {name: headers[name] for name in ("content-length", "x-amz-checksum-crc32")}


def resumed(verifier: Verifier, at: int, headers: Mapping[str, str], name: str) -> Verifier:
    """The verifier of another process, to which the record came through a store of JSON."""
    crcs = json.loads(json.dumps(verifier.checkpoint()))
    return Verifier(**arguments(worth_noting(headers), name, framed=True), resumed=crcs, resumed_at=at)


@pytest.mark.parametrize("name", NAMES)
@given(data=st.data())
def test_what_is_resumed_elsewhere_is_checked_whole(name: str, data: st.DataObject) -> None:
    content = NAMES[name]
    cuts = sorted(data.draw(st.lists(st.integers(0, len(content)), max_size=4)))
    headers = crc_of(content)
    verifier, at, handed_on = Verifier(**arguments(headers, name)), 0, False
    for cut in [*cuts, len(content)]:
        verifier.feed(content[at:cut])
        at = cut
        if at and at <= SMALL:  # it may be a page or an error object
            assert verifier.checkpoint() is None
            continue
        if at:
            verifier, handed_on = resumed(verifier, at, headers, name), True
    assert {"content-length", "crc32"} <= set(verifier.finish(at, head(headers)))
    assert handed_on == (len(content) > SMALL)
    assert verifier.saw_start != handed_on
    assert (verifier.sha256 is None) == handed_on


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("half", [0, 1])
def test_a_fault_on_either_side_is_still_found(name: str, half: int) -> None:
    content = NAMES[name] * (1 + 2 * SMALL // len(NAMES[name]))
    headers, middle = crc_of(content), len(content) // 2
    damaged = bytearray(content)
    damaged[half * middle + 2] ^= 1
    verifier = Verifier(**arguments(headers, name))
    verifier.feed(bytes(damaged[:middle]))
    verifier = resumed(verifier, middle, headers, name)
    verifier.feed(bytes(damaged[middle:]))
    with pytest.raises(ChecksumMismatchError):
        verifier.finish(len(content), head(headers))


def test_of_several_declared_checksums_the_crc_continues(caplog: pytest.LogCaptureFixture) -> None:
    headers = declared(ROWS)
    verifier = Verifier(**arguments(headers, "rows.csv"))
    verifier.feed(ROWS[:100_000])
    verifier = resumed(verifier, 100_000, headers, "rows.csv")
    verifier.feed(ROWS[100_000:])
    with caplog.at_level(logging.WARNING):
        proofs = verifier.finish(len(ROWS), head(headers))
    assert proofs == ("crc32", "content-length")
    assert "Cannot check the checksum in content-md5" in caplog.text


def test_there_is_no_checkpoint_where_another_process_could_prove_less() -> None:
    hashes = {name: value for name, value in declared(ROWS).items() if "crc" not in name}
    for headers, framed in ((hashes, True), ({}, False)):
        verifier = Verifier(**arguments(headers, "rows.csv", framed=framed))
        verifier.feed(ROWS)
        assert verifier.checkpoint() is None
    verifier = Verifier(**arguments({}, "rows.csv", framed=True))
    verifier.feed(ROWS)
    assert verifier.checkpoint() == {}


@pytest.mark.parametrize(
    ("made_with", "why"),
    [
        ({"headers": declared(ROWS)}, "the declared checksum .*md5.* cannot be continued"),
        ({"sha256": "required"}, "required"),
    ],
)
def test_what_cannot_be_continued_is_said(made_with: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Verifier(**arguments({}, "rows.csv", framed=True) | made_with, resumed={}, resumed_at=1)


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
    verifier = Verifier(**arguments(headers, "rows.csv", framed=True))
    verifier.feed(ROWS)
    with caplog.at_level(logging.WARNING):
        verified_by = verifier.finish(len(ROWS), head({"content-length": str(len(ROWS)), **headers}))
    said = [record.getMessage() for record in caplog.records]
    assert said == [f"Cannot check the checksum in {name}" for name in named]
    assert not {"md5", "sha1", "sha256", "crc32"} & set(verified_by)


@pytest.mark.parametrize("skipped", [1, -1])
def test_what_was_not_examined_is_not_vouched_for(skipped: int) -> None:
    verifier = Verifier(**arguments({}, "rows.csv"))
    verifier.feed(ROWS)
    with pytest.raises(TruncatedDownloadError, match="Checked"):
        verifier.finish(len(ROWS) + skipped, head({}))


@pytest.mark.parametrize("coding", ["identity", " Identity "])
def test_the_coding_that_is_none_changes_nothing(coding: str) -> None:
    headers = {**declared(ROWS), "content-encoding": coding}
    verifier = Verifier(**arguments(headers, "rows.csv"))
    verifier.feed(ROWS)
    assert {"md5", "sha256", "content-length"} <= set(verifier.finish(len(ROWS), head(headers)))
    cut = Verifier(**arguments({"content-encoding": coding}, "rows.csv"))
    cut.feed(ROWS)
    with pytest.raises(BatchDlError):
        cut.finish(len(ROWS), head({"content-length": str(len(ROWS) + 1), "content-encoding": coding}))


def test_what_nothing_proves_needs_a_second_reading_and_its_digest() -> None:
    verifier = Verifier(**arguments({}, "rows.csv", sha256=False))
    verifier.feed(ROWS)
    with pytest.raises(UnprovenError):
        verifier.finish(len(ROWS), head({}))
    assert verifier.sha256 is None
    assert (reading := verifier.reading) == hashlib.sha256(ROWS).hexdigest()
    assert verifier.read_again({reading}, len(ROWS), cast(Any, None), lambda _: None) == ("read-twice", "csv-end")
    assert verifier.rows == 5_000


@pytest.mark.parametrize("proof", ["content-length", "md5", "announced-size"])
def test_every_proof_outweighs_the_content(proof: str, caplog: pytest.LogCaptureFixture) -> None:
    content = b"a,b\n1"
    headers = {name: value for name, value in declared(content).items() if name == f"content-{proof[8:]}"}
    headers |= {"content-md5": declared(content)["content-md5"]} if proof == "md5" else {}
    verifier = Verifier(**arguments(headers, "rows.csv", framed=proof == "content-length"))
    verifier.feed(content)
    announced = len(content) if proof == "announced-size" else None
    assert verifier.finish(len(content), head(headers), announced) == (proof,)
    assert "not as many fields as the header" in caplog.text
