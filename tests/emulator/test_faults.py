from __future__ import annotations

import base64
import hashlib
import time
from typing import Any

import httpx
import pytest

from airflow_provider_batchdl.emulator import EmulatedJob, Emulator, Fault, ResultSpec

from .helpers import TLS, RawAnswer, client, get, link_of, raw_get

SIZE = 500_000


@pytest.fixture
def job(emulator: Emulator) -> EmulatedJob:
    return emulator.add_job("apartmentiq", ResultSpec(bytes=SIZE))


@pytest.fixture
def whole(job: EmulatedJob) -> bytes:
    return b"".join(job.content().chunks())


@pytest.fixture
def link(emulator: Emulator, job: EmulatedJob) -> str:
    return link_of(emulator, job)


def harmed(emulator: Emulator, link: str, fault: Fault, headers: dict[str, str] | None = None) -> RawAnswer:
    emulator.add_fault(fault)
    return raw_get(link, headers)


def test_status(emulator: Emulator, link: str) -> None:
    answer = harmed(emulator, link, Fault("status", operation="store", retry_after=7, headers={"X-Extra": "1"}))
    assert (answer.status, answer.headers["retry-after"], answer.headers["x-extra"]) == (503, "7", "1")
    assert b"<Code>SlowDown</Code>" in answer.body
    page = harmed(emulator, link, Fault("status", shape="html"))
    assert (page.status, page.headers["content-type"]) == (503, "text/html")
    assert b"<title>503 Service Unavailable</title>" in page.body
    assert harmed(emulator, link, Fault("status", status=404, shape="text")).body == b"404 Not Found"
    assert harmed(emulator, link, Fault("status", status=599, shape="empty")).body == b""
    with pytest.raises(ValueError, match="unknown shape 'smoke'"):
        Fault("status", shape="smoke")  # type: ignore[arg-type]
    own = harmed(emulator, link, Fault("status", status=500, body=b"oops", content_type="text/x"))
    assert (own.status, own.body, own.headers["content-type"]) == (500, b"oops", "text/x")
    assert raw_get(link).status == 200


def test_status_takes_the_vendors_shape(emulator: Emulator) -> None:
    for vendor, key in {"revenuebase": "detail", "proofy": "message", "batchcom": "error_code"}.items():
        emulator.add_fault(Fault("status", vendor=vendor, status=500))
        with client(emulator, vendor) as api:
            assert key in api.get("/anything").json()


@pytest.mark.parametrize("abort", [False, True])
def test_cut(emulator: Emulator, link: str, whole: bytes, abort: bool) -> None:
    answer = harmed(emulator, link, Fault("cut", after_bytes=123_457, abort=abort))
    assert answer.headers["content-length"] == str(SIZE)
    assert whole.startswith(answer.body)
    if abort:
        assert answer.reset or len(answer.body) < SIZE
    else:
        assert answer.body == whole[:123_457]


def test_cut_of_a_range(emulator: Emulator, link: str, whole: bytes) -> None:
    answer = harmed(emulator, link, Fault("cut", after_bytes=10), {"Range": "bytes=100-"})
    assert (answer.status, answer.body) == (206, whole[100:110])


def test_reset(emulator: Emulator, link: str) -> None:
    answer = harmed(emulator, link, Fault("reset"))
    assert answer.status == 0
    assert answer.reset


def test_a_lost_answer_leaves_the_job(emulator: Emulator, batchcom: httpx.Client) -> None:
    body = {"export_type": "ATTRIBUTES", "identifiers": ["custom_id"]}
    emulator.add_fault(Fault("reset", operation="submit"))
    emulator.add_fault(Fault("reset", operation="submit", processed=True))
    for jobs in (0, 1):
        with pytest.raises(httpx.TransportError):
            batchcom.post("/profiles/export", json=body)
        assert len(emulator.jobs("batchcom")) == jobs


def test_stall(emulator: Emulator, link: str, whole: bytes) -> None:
    emulator.add_fault(Fault("stall", after_bytes=1000, seconds=0.4))
    begin = time.monotonic()
    assert get(link).content == whole
    assert time.monotonic() - begin >= 0.4
    emulator.add_fault(Fault("stall", before_headers=True, seconds=30))
    with pytest.raises(httpx.ReadTimeout):
        get(link, timeout=0.3)


def test_drip(emulator: Emulator, link: str, whole: bytes) -> None:
    emulator.add_fault(Fault("drip", bytes_per_second=1_000_000))
    begin = time.monotonic()
    assert get(link).content == whole
    assert time.monotonic() - begin >= 0.4


@pytest.mark.parametrize("delta", [1000, -1000])
def test_wrong_length(emulator: Emulator, link: str, whole: bytes, delta: int) -> None:
    answer = harmed(emulator, link, Fault("wrong_length", length_delta=delta))
    assert answer.headers["content-length"] == str(SIZE + delta)
    assert answer.body == whole


@pytest.mark.parametrize("after", [None, 77_777])
def test_no_length(emulator: Emulator, link: str, whole: bytes, after: int | None) -> None:
    answer = harmed(emulator, link, Fault("no_length", after_bytes=after))
    assert answer.headers["connection"] == "close"
    assert not {"content-length", "transfer-encoding"} & set(answer.headers)
    assert answer.body == whole[:after]
    assert not answer.reset


def test_chunked_eof(emulator: Emulator, link: str) -> None:
    answer = harmed(emulator, link, Fault("chunked_eof", after_bytes=300_000))
    assert answer.headers["transfer-encoding"] == "chunked"
    assert not answer.body.endswith(b"0\r\n\r\n")
    emulator.add_fault(Fault("chunked_eof"))
    with pytest.raises(httpx.RemoteProtocolError):
        get(link)


def test_ignore_range_waits_for_a_range(emulator: Emulator, link: str) -> None:
    emulator.add_fault(Fault("ignore_range"))
    assert raw_get(link).status == 200
    answer = raw_get(link, {"Range": "bytes=5-"})
    assert (answer.status, len(answer.body)) == (200, SIZE)
    assert raw_get(link, {"Range": "bytes=5-"}).status == 206


@pytest.mark.parametrize(("shift", "start"), [(None, 65_536), (10, 99_990)])
def test_wrong_range(emulator: Emulator, link: str, whole: bytes, shift: int | None, start: int) -> None:
    answer = harmed(emulator, link, Fault("wrong_range", range_shift=shift), {"Range": "bytes=100000-"})
    assert (answer.status, answer.headers["content-range"]) == (206, f"bytes {start}-{SIZE - 1}/{SIZE}")
    assert answer.body == whole[start:]


def test_changed_file(emulator: Emulator, link: str, job: EmulatedJob, whole: bytes) -> None:
    before = raw_get(link)
    condition = {"Range": "bytes=10-", "If-Range": before.headers["etag"]}
    after = harmed(emulator, link, Fault("changed_file"), condition)
    assert (after.status, len(after.body)) == (200, SIZE)
    assert after.body != whole
    assert after.headers["etag"] != before.headers["etag"]
    assert after.headers["last-modified"] != before.headers["last-modified"]
    assert hashlib.sha256(after.body).hexdigest() == job.files()[0].sha256
    assert raw_get(link).body == after.body


def test_a_changed_result_always_differs(emulator: Emulator, revenuebase: httpx.Client) -> None:
    files = {"requested_file": ("a.csv", b"email\na@b.com\n", "text/csv")}
    path = f"/v2/jobs/{revenuebase.post('/v2/email/verify/batch', files=files).json()['process_id']}/download"
    emulator.clock.advance(30)  # type: ignore[attr-defined]
    before = revenuebase.get(path).content
    emulator.add_fault(Fault("changed_file", operation="download"))
    assert revenuebase.get(path).content != before


def test_weak_etag(emulator: Emulator, link: str) -> None:
    assert harmed(emulator, link, Fault("weak_etag")).headers["etag"].startswith('W/"')


@pytest.mark.parametrize("code", ["AccessDenied", "ExpiredToken"])
def test_expired_link(emulator: Emulator, link: str, code: str) -> None:
    answer = harmed(emulator, link, Fault("expired_link", code=code))
    assert answer.status == 403
    assert f"<Code>{code}</Code>".encode() in answer.body


@pytest.mark.parametrize("declare", [False, True])
def test_bitflip(emulator: Emulator, link: str, whole: bytes, declare: bool) -> None:
    answer = harmed(emulator, link, Fault("bitflip", at_byte=300_001, declare_checksum=declare))
    assert [n for n in range(SIZE) if answer.body[n] != whole[n]] == [300_001]
    assert ("content-md5" in answer.headers) is declare
    if declare:
        assert answer.headers["content-md5"] == base64.b64encode(hashlib.md5(whole).digest()).decode()  # noqa: S324


def test_checksum_does_no_harm(emulator: Emulator, link: str, whole: bytes) -> None:
    answer = harmed(emulator, link, Fault("checksum"))
    assert answer.body == whole
    assert answer.headers["x-amz-checksum-sha256"] == base64.b64encode(hashlib.sha256(whole).digest()).decode()
    part = harmed(emulator, link, Fault("checksum"), {"Range": "bytes=1-"})
    assert ("content-md5" in part.headers, "x-amz-checksum-sha256" in part.headers) == (False, True)


def test_redirect_and_html(emulator: Emulator, link: str) -> None:
    away = harmed(emulator, link, Fault("redirect", location="http://169.254.169.254/x", status=307))
    assert (away.status, away.headers["location"]) == (307, "http://169.254.169.254/x")
    page = harmed(emulator, link, Fault("html"))
    assert (page.status, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert page.body.startswith(b"<!DOCTYPE html>")


def test_faults_find_their_requests(emulator: Emulator, link: str) -> None:
    emulator.add_fault(Fault("status", status=500, vendor="proofy"))
    emulator.add_fault(Fault("status", status=501, operation="download"))
    emulator.add_fault(Fault("status", status=502, path_contains="nowhere"))
    emulator.add_fault(Fault("status", status=503, operation="store", after=1, times=2))
    emulator.add_fault(Fault("status", status=504, operation="store"))
    # The fault on skip lets the first through to the next in the queue.
    assert [raw_get(link).status for _ in range(4)] == [504, 503, 503, 200]
    emulator.clear_faults()
    assert get(f"{emulator.urls['proofy']}/credits").status_code == 401


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"kind": "explode"}, "unknown fault kind"),
        ({"kind": "redirect"}, "needs a location"),
        ({"kind": "cut", "times": 0}, "times must be"),
    ],
)
def test_impossible_faults(arguments: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        Fault(**arguments)


def test_a_direct_download_can_be_harmed(emulator: Emulator, revenuebase: httpx.Client) -> None:
    job = emulator.add_job("revenuebase", ResultSpec(bytes=50_000))
    emulator.add_fault(Fault("cut", operation="download", after_bytes=100))
    with pytest.raises(httpx.RemoteProtocolError):
        revenuebase.get(f"/v2/jobs/{job.id}/download")
    emulator.add_fault(Fault("no_length", operation="download", after_bytes=100))
    assert len(revenuebase.get(f"/v2/jobs/{job.id}/download").content) == 100


def test_a_stalled_answer_does_not_hold_up_the_end() -> None:
    emulator = Emulator()
    emulator.start()
    link = link_of(emulator, emulator.add_job("apartmentiq", ResultSpec(bytes=100_000_000)))
    emulator.add_fault(Fault("stall", operation="store", seconds=60))
    with httpx.stream("GET", link, verify=TLS, timeout=60) as answer:
        assert answer.status_code == 200
        begin = time.monotonic()
        emulator.stop()
        assert time.monotonic() - begin < 30  # of a minute


def test_a_client_that_leaves_or_dawdles_costs_nothing(emulator: Emulator) -> None:
    job = emulator.add_job("apartmentiq", ResultSpec(bytes=1 << 30))
    with httpx.stream("GET", link_of(emulator, job), verify=TLS, timeout=60) as answer:
        next(answer.iter_raw())
        time.sleep(0.3)
        buffered = emulator.requests[-1].bytes_sent
        assert buffered < 64 << 20  # what the sockets hold, not the file
    time.sleep(0.3)
    assert emulator.requests[-1].bytes_sent < 64 << 20
