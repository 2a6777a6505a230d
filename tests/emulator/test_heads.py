"""Faults of an answer's head, its codings and its announced size."""

from __future__ import annotations

import gzip
import time
import zlib

import pytest

from airflow_provider_batchdl.emulator import EmulatedJob, Emulator, Fault, ResultSpec

from .helpers import client, link_of, raw_get

SIZE = 5_000


@pytest.fixture
def job(emulator: Emulator) -> EmulatedJob:
    return emulator.add_job("apartmentiq", ResultSpec(bytes=SIZE))


@pytest.fixture
def whole(job: EmulatedJob) -> bytes:
    return b"".join(job.content().chunks())


@pytest.fixture
def link(emulator: Emulator, job: EmulatedJob) -> str:
    return link_of(emulator, job)


def test_other_headers_stand_in_place_of_the_real_ones(emulator: Emulator, link: str, whole: bytes) -> None:
    emulator.add_fault(Fault("headers", headers={"ETag": None, "content-length": "-1", "X-Odd": "caf\xe9"}, status=203))
    answer = raw_get(link)
    assert (answer.status, answer.headers["content-length"], answer.body) == (203, "-1", whole)
    assert answer.headers["x-odd"] == "caf\xe9"
    assert "etag" not in answer.headers


def test_a_head_may_say_what_its_body_is_not(emulator: Emulator, link: str, whole: bytes) -> None:
    named = {"transfer-encoding": "gzip\nchunked", "content-length": None}
    emulator.add_fault(Fault("headers", headers=named, chunked=True))
    chunked = raw_get(link).body
    size = int(chunked.partition(b"\r\n")[0], 16)
    assert chunked.partition(b"\r\n")[2].startswith(whole[:size] + b"\r\n")
    assert chunked.endswith(b"\r\n0\r\n\r\n")
    emulator.add_fault(Fault("headers", headers={"content-length": "unknown"}, after_bytes=99))
    assert raw_get(link).body == whole[:99]


def test_interim_answers(emulator: Emulator, link: str, whole: bytes) -> None:
    emulator.add_fault(Fault("interim", seconds=0.2))
    began = time.monotonic()
    assert raw_get(link).status == 100
    assert time.monotonic() - began >= 0.2


def test_a_slow_head(emulator: Emulator, link: str, whole: bytes) -> None:
    emulator.add_fault(Fault("drip", before_headers=True, bytes_per_second=1_000_000))
    assert raw_get(link).body == whole


@pytest.mark.parametrize(("coding", "wbits"), [("gzip", 31), ("deflate", 15), ("raw-deflate", -15)])
def test_codings(emulator: Emulator, link: str, whole: bytes, coding: str, wbits: int) -> None:
    emulator.add_fault(Fault("coding", coding=coding))  # type: ignore[arg-type]
    answer = raw_get(link)
    assert answer.headers["content-encoding"] == coding.removeprefix("raw-")
    assert int(answer.headers["content-length"]) == len(answer.body)
    assert zlib.decompress(answer.body, wbits) == whole
    emulator.add_fault(Fault("coding", headers={"content-encoding": "aws-chunked"}))
    assert gzip.decompress(raw_get(link).body) == whole


def test_an_announced_size(emulator: Emulator) -> None:
    job = emulator.add_job("batchcom", ResultSpec(bytes=SIZE, format="jsonl"))
    emulator.add_fault(Fault("wrong_size", operation="status", length_delta=7))
    with client(emulator, "batchcom") as api:
        sizes = [api.get(f"/exports/view?id={job.id}").json()["files"][0]["size"] for _ in range(2)]
    assert sizes[0] - sizes[1] == 7


def test_a_part_whatever_if_range_says(emulator: Emulator, link: str, whole: bytes) -> None:
    emulator.add_fault(Fault("headers", headers={"etag": None}, status=206, times=2))
    assert raw_get(link).status == 200, "it waits for a request for a part"
    for condition in ({}, {"If-Range": '"another"'}):
        answer = raw_get(link, {"Range": "bytes=100-", **condition})
        assert (answer.status, answer.body, "etag" in answer.headers) == (206, whole[100:], False)
    answer = raw_get(link, {"Range": "bytes=100-", "If-Range": '"another"'})
    assert (answer.status, answer.body) == (200, whole)
