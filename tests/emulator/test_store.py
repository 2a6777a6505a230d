from __future__ import annotations

import httpx
import pytest

from airflow_provider_batchdl.emulator import EmulatedJob, Emulator, ResultSpec

from .helpers import TLS, get, link_of

SIZE = 200_000


@pytest.fixture
def job(emulator: Emulator) -> EmulatedJob:
    return emulator.add_job("apartmentiq", ResultSpec(bytes=SIZE))


@pytest.fixture
def link(emulator: Emulator, job: EmulatedJob) -> str:
    return link_of(emulator, job)


@pytest.fixture
def whole(link: str) -> httpx.Response:
    return get(link)


def test_the_store_is_another_origin(emulator: Emulator, link: str) -> None:
    assert link.startswith(emulator.store_url)
    assert emulator.store_port != emulator.port


def test_a_whole_object(whole: httpx.Response) -> None:
    assert (whole.status_code, len(whole.content)) == (200, SIZE)
    assert whole.headers["content-length"] == str(SIZE)
    assert whole.headers["accept-ranges"] == "bytes"
    assert whole.headers["etag"].startswith('"')


@pytest.mark.parametrize(
    ("header", "start", "stop"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=1000-", 1000, SIZE),
        ("bytes=1000-1999", 1000, 2000),
        ("bytes=-7", SIZE - 7, SIZE),
        (f"bytes=5-{SIZE * 2}", 5, SIZE),
    ],
)
def test_ranges(link: str, whole: httpx.Response, header: str, start: int, stop: int) -> None:
    part = get(link, headers={"Range": header})
    assert part.status_code == 206
    assert part.headers["content-range"] == f"bytes {start}-{stop - 1}/{SIZE}"
    assert part.content == whole.content[start:stop]


def test_a_range_beyond_the_end(link: str) -> None:
    answer = get(link, headers={"Range": f"bytes={SIZE}-"})
    assert (answer.status_code, answer.headers["content-range"]) == (416, f"bytes */{SIZE}")


@pytest.mark.parametrize("header", ["bytes=1-2,5-6", "lines=1-2", "bytes=9-1", "nonsense"])
def test_what_is_no_single_range_is_ignored(link: str, header: str) -> None:
    assert get(link, headers={"Range": header}).status_code == 200


def test_if_range(link: str, whole: httpx.Response) -> None:
    def status(condition: str) -> int:
        return get(link, headers={"Range": "bytes=5-", "If-Range": condition}).status_code

    etag = whole.headers["etag"]
    assert status(etag) == 206
    assert status(whole.headers["last-modified"]) == 206
    assert status('"other"') == 200
    assert status(f"W/{etag}") == 200
    assert status("Mon, 01 Jan 2001 00:00:00 GMT") == 200


@pytest.mark.parametrize("header", ["Authorization", "x-key", "X-Batch-Project", "X-Api-Key"])
def test_credentials_at_the_store_are_refused(link: str, header: str) -> None:
    answer = get(link, headers={header: "secret"})
    assert answer.status_code == 400
    assert "<Code>InvalidArgument</Code>" in answer.text


def test_s3s_own_headers_are_welcome(link: str) -> None:
    assert get(link, headers={"x-amz-checksum-mode": "ENABLED"}).status_code == 200


def test_links_cannot_be_forged(emulator: Emulator, link: str) -> None:
    path, _, query = link.partition("?")
    longer = link.replace("X-Amz-Expires=604800", "X-Amz-Expires=999999")
    assert longer != link
    for url, code in ((path, "AccessDenied"), (longer, "SignatureDoesNotMatch"), (f"{path}x?{query}", "Signature")):
        answer = get(url)
        assert answer.status_code == 403
        assert f"<Code>{code}" in answer.text
    # A presigned link is good for the method it was signed for.
    assert httpx.head(link, verify=TLS, timeout=60).status_code == 403
    assert httpx.put(link, verify=TLS, timeout=60).status_code == 405


def test_links_can_be_expired(emulator: Emulator, job: EmulatedJob, link: str) -> None:
    emulator.expire_links()
    stale = get(link)
    assert stale.status_code == 403
    assert "Request has expired" in stale.text
    assert get(link_of(emulator, job)).status_code == 200


def test_requests_are_logged_under_the_jobs_vendor(emulator: Emulator, link: str) -> None:
    get(link, headers={"Range": "bytes=0-99"})
    record = emulator.requests[-1]
    assert (record.vendor, record.operation, record.status, record.bytes_sent) == ("apartmentiq", "store", 206, 100)
    assert record.headers["range"] == "bytes=0-99"
    assert record.query["X-Amz-SignedHeaders"] == "host"
