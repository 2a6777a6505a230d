"""What a vendor's request may hold: all of it is sent, or it is refused before anything goes out."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_batchdl._redaction.redactor import redact
from airflow_provider_batchdl.client import BatchClient, targets
from airflow_provider_batchdl.exceptions import (
    InvalidRequestError,
    ResultExpiredError,
    UnexpectedResponseError,
    UnsafeRedirectError,
    VendorUnavailableError,
)
from airflow_provider_batchdl.jobs import Job, JobState, ResultFile
from airflow_provider_batchdl.transfer.source.range_client import RangeClient, Source
from airflow_provider_batchdl.vendors.base import ApiRequest, Upload, Vendor
from tests.client.helpers import BOTH_FACES, Face, Waits, vendor_at
from tests.support.recorder import Recorded, Recorder, Reply, recording

JSON_LINES = b'{"custom_id": "1"}\n'
HEADERS = {"Content-Type": "text/plain"}


@pytest.fixture
def server() -> Iterator[Recorder]:
    with recording() as server:
        yield server


@pytest.fixture
def vendor(server: Recorder) -> Vendor:
    return vendor_at(server.url, "proofy")  # whose key is in the query


@pytest.fixture
def upload(tmp_path: Path) -> Upload:
    path = tmp_path / "lines.jsonl"
    path.write_bytes(JSON_LINES)
    return Upload("file", str(path), "lines.jsonl", "application/jsonl")


@BOTH_FACES
def test_form_fields_go_beside_an_upload(face: Face, server: Recorder, vendor: Vendor, upload: Upload) -> None:
    face.send(vendor, ApiRequest("submit", "POST", "/files", upload=upload, form={"purpose": "batch", "nötig": "ja ü"}))
    sent = server.received[0]
    head = f"Content-Type: {sent.headers['content-type']}\r\n\r\n".encode()
    parts = list(message_from_bytes(head + sent.body, policy=policy.HTTP).iter_parts())
    found = [(part.get_param("name", header="content-disposition"), part.get_payload(decode=True)) for part in parts]
    assert found == [("purpose", b"batch"), ("nötig", "ja ü".encode()), ("file", JSON_LINES)]
    assert [part.get_filename() for part in parts] == [None, None, "lines.jsonl"]


def test_a_file_may_be_the_whole_body(face: Face, server: Recorder, vendor: Vendor, upload: Upload) -> None:
    whole = replace(upload, field="")
    face.send(vendor, ApiRequest("submit", "PUT", "/x", upload=whole, headers={"X-Name": "lines"}))
    sent = server.received[0]
    found = [sent.headers[name] for name in ("content-type", "content-length", "x-name")]
    assert (sent.body, found) == (JSON_LINES, ["application/jsonl", str(len(JSON_LINES)), "lines"])
    with pytest.raises(InvalidRequestError, match="has both a file and a form"):
        face.send(vendor, ApiRequest("submit", "PUT", "/x", upload=whole, form={"a": "b"}))


def test_a_form_alone_is_urlencoded(face: Face, server: Recorder, vendor: Vendor) -> None:
    face.send(vendor, ApiRequest("submit", "POST", "/x", form={"a": "1 & 2", "b": "ü"}))
    assert server.received[0].headers["content-type"] == "application/x-www-form-urlencoded"
    assert parse_qs(server.received[0].body.decode()) == {"a": ["1 & 2"], "b": ["ü"]}


def test_content_is_sent_as_it_is(face: Face, server: Recorder, vendor: Vendor) -> None:
    headers = {"Content-Type": "application/graphql"}
    face.send(vendor, ApiRequest("status", "POST", "/x", content=b"\x00{ shop }", headers=headers))
    assert server.received[0].body == b"\x00{ shop }"
    assert server.received[0].headers["content-type"] == "application/graphql"


def test_headers_are_sent_and_take_the_place_of_the_clients(face: Face, server: Recorder, vendor: Vendor) -> None:
    headers = {"Accept": "text/csv", "Idempotency-Key": "k-0001", "Content-Type": "application/vnd.api+json"}
    face.send(vendor, ApiRequest("submit", "POST", "/x", json={}, headers=headers))
    sent = server.received[0].headers
    assert {name: sent[name.lower()] for name in headers} == headers
    assert sent["accept-encoding"] == "identity"


MISTAKES: list[tuple[dict[str, Any], str]] = [
    ({"json": {}, "form": {}}, "has both JSON and a form"),
    ({"json": {}, "content": b"", "headers": HEADERS}, "has both JSON and content"),
    ({"form": {}, "content": b"", "headers": HEADERS}, "has both content and a form"),
    ({"upload": True, "content": b"", "headers": HEADERS}, "has both content and a file"),
    ({"upload": True, "json": []}, "has both JSON and a file"),
    ({"upload": True, "json": [], "form": {}}, "has both JSON and a file"),
    ({"content": b"x"}, "no Content-Type among its headers"),
    ({"content": "x", "headers": HEADERS}, "not bytes"),
    ({"form": {"a": 1}}, "form field 'a' is no text"),
    ({"upload": True, "form": {"a": None}}, "form field 'a' is no text"),
    ({"upload": True, "headers": HEADERS}, "Content-Type does not belong"),
    ({"form": {"a": "b"}, "headers": HEADERS}, "Content-Type does not belong"),
    ({"headers": {"Accept": "a", "ACCEPT": "b"}}, "header 'accept' twice"),
    ({"path": "/x?a=1", "params": {"b": 2}}, "query parameters both in its address and beside"),
    ({"path": "/x#y"}, "has a '#' in it"),
    ({"path": "/jobs/../admin"}, "segment '.' or '..'"),
    ({"path": "/jobs/%2E%2e"}, "segment '.' or '..'"),
    ({"path": "/jobs/.?a=b"}, "segment '.' or '..'"),
    ({"url": "{url}/x"}, "both a path and a URL"),
    ({"path": "", "url": "{url}/x?a=1", "params": {"b": 2}}, "query parameters both in its address and beside"),
    ({"path": "", "url": "/x"}, "must be a whole one"),
    ({"path": "", "url": "ftp://example.com/"}, "must be a whole one"),
    ({"path": "", "url": "https://user:secret@example.com/"}, "must be a whole one"),
    ({"path": "", "url": "https://exa\\mple.com/"}, "must be a whole one"),
    ({"path": ""}, "must begin with '/'"),
]
AWAY: list[tuple[dict[str, Any], str]] = [
    ({"params": {"a": 1}}, "without query parameters"),
    ({"headers": {"Accept": "x"}}, "without headers"),
    ({"json": {}}, "without a body"),
    ({"content": b"x", "headers": HEADERS}, "without a body"),
    ({"method": "POST"}, "are GET only"),
    ({"method": "HEAD"}, "are GET only"),
]


@pytest.mark.parametrize(("fields", "words"), MISTAKES, ids=[f"{list(each)}-{words}" for each, words in MISTAKES])
def test_what_would_be_dropped_is_refused(
    face: Face, server: Recorder, vendor: Vendor, upload: Upload, fields: dict[str, Any], words: str
) -> None:
    given = {"path": "/x", **fields}
    given |= {"upload": upload} if "upload" in fields else {}
    given |= {"url": fields["url"].format(url=server.url)} if "url" in fields else {}
    with pytest.raises(InvalidRequestError, match=words) as caught:
        face.send(vendor, ApiRequest("status", "POST", **given))
    assert "Correct the class of the vendor proofy" in str(caught.value)
    assert "secret" not in str(caught.value)
    assert not server.received


@pytest.mark.parametrize(("fields", "words"), AWAY)
def test_beyond_the_origin_what_would_be_dropped_is_refused(
    face: Face, server: Recorder, vendor: Vendor, fields: dict[str, Any], words: str
) -> None:
    with recording() as other, pytest.raises(InvalidRequestError, match=words):
        face.send(vendor, ApiRequest("status", **{"method": "GET", **fields}, url=f"{other.url}/x"))
    assert not server.received
    assert not other.received


def downloading(client: BatchClient, request: ApiRequest) -> RangeClient:
    """A download of what ``request`` is answered with."""
    client.vendor.result_request = lambda job, file: request  # type: ignore[method-assign]
    return RangeClient(Source(client, Job("1", JobState.SUCCEEDED, "done"), ResultFile("1")))


def test_a_download_with_a_file_is_refused(server: Recorder, vendor: Vendor, upload: Upload) -> None:
    request = ApiRequest("download", "POST", "/x", upload=upload)
    with BatchClient(vendor) as client, pytest.raises(InvalidRequestError, match="a download sends none"):
        downloading(client, request).open()
    assert not server.received


NO_VALUES = ["token-0001-madeup\r\nX-Evil: 1", "a\nb", "a\rb", "a\x00b", "ü", " a", "a ", "a\x7f", 1, None, b"x"]
NO_NAMES = ["", "a b", "a:b", "a\r\nb", "ü", "a(", 1, None]
NOT_THEIRS = [
    "Authorization",
    "authorization",
    "Proxy-Authorization",
    "Cookie",
    "Host",
    "Content-Length",
    "Transfer-Encoding",
    "Range",
]


@pytest.mark.parametrize("value", NO_VALUES, ids=ascii)
def test_a_value_that_no_header_has_is_refused(face: Face, server: Recorder, vendor: Vendor, value: Any) -> None:
    with pytest.raises(InvalidRequestError, match="one line of visible ASCII") as caught:
        face.send(vendor, ApiRequest("status", "GET", "/x", headers={"X-Note": value}))
    assert "madeup" not in str(caught.value)
    assert not server.received


@pytest.mark.parametrize("name", NO_NAMES, ids=ascii)
def test_a_name_that_no_header_has_is_refused(face: Face, server: Recorder, vendor: Vendor, name: Any) -> None:
    with pytest.raises(InvalidRequestError, match="no name of a header"):
        face.send(vendor, ApiRequest("status", "GET", "/x", headers={name: "a"}))
    assert not server.received


@pytest.mark.parametrize("name", NOT_THEIRS)
def test_credentials_and_framing_are_not_a_requests_to_set(
    face: Face, server: Recorder, vendor: Vendor, name: str
) -> None:
    with pytest.raises(InvalidRequestError, match="not a request's to set") as caught:
        face.send(vendor, ApiRequest("status", "GET", "/x", headers={name: "Bearer abcd1234efgh"}))
    assert "abcd1234efgh" not in str(caught.value)
    assert not server.received


@given(name=st.text(), value=st.text())
def test_no_header_reaches_the_wire_as_another(name: str, value: str) -> None:
    import httpx

    from airflow_provider_batchdl.client.building import build_request

    vendor = vendor_at("http://127.0.0.1:9", "proofy")
    request = ApiRequest("status", "GET", "/x", headers={name: value})
    try:
        message = build_request(vendor, request, httpx.Headers())
    except InvalidRequestError:
        return
    assert (name.encode().lower(), value.encode()) in [(key.lower(), each) for key, each in message.headers.raw]


def test_a_secret_in_a_header_stays_out_of_logs(
    face: Face, server: Recorder, vendor: Vendor, caplog: pytest.LogCaptureFixture
) -> None:
    headers = {"X-Tenant-Token": "tenant-0001-madeup", "Idempotency-Key": "idem-0001-madeup"}
    request = ApiRequest("status", "GET", "/x", headers=headers)
    with caplog.at_level(logging.DEBUG):
        face.send(vendor, request)
    assert server.received[0].headers["x-tenant-token"] == "tenant-0001-madeup"
    assert "tenant-0001-madeup" not in caplog.text
    assert "tenant-0001-madeup" not in repr(request)
    assert redact("got tenant-0001-madeup, idem-0001-madeup") == "got ***, idem-0001-madeup"


def test_a_url_on_the_origin_is_sent_as_a_path_would_be(face: Face, server: Recorder, vendor: Vendor) -> None:
    url = server.url.replace("http:", "HTTP:") + "/elsewhere/next?cursor=a%2Fb"
    face.send(vendor, ApiRequest("list", "GET", url=f"{url}#top", headers={"Accept": "text/csv"}))
    assert server.targets == ["GET /elsewhere/next?cursor=a%2Fb&api_key=madeup_key_00000001"]
    assert server.received[0].headers["accept"] == "text/csv"


@BOTH_FACES
def test_elsewhere_it_is_fetched_bare(face: Face, server: Recorder, vendor: Vendor, waits: Waits) -> None:
    def answer(_: Recorded) -> Reply:
        return Reply({"a": 1}, headers={"X-RateLimit-Remaining": "0", "Set-Cookie": "a=b"})

    with recording(answer) as other:
        response = face.send(vendor, ApiRequest("status", "GET", url=f"{other.url}/b/%7Ekey?X-Sig=a%2Fb&n#top"))
        assert response.json() == {"a": 1}
        assert other.targets == ["GET /b/%7Ekey?X-Sig=a%2Fb&n"]
        assert set(other.received[0].headers) <= {"host", "user-agent", "accept", "accept-encoding", "connection"}
    assert not server.received
    assert not waits.holds  # another host's limit is none of the account's


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (403, ResultExpiredError),
        (401, ResultExpiredError),
        (404, ResultExpiredError),
        (503, VendorUnavailableError),
        (400, UnexpectedResponseError),
        (302, UnexpectedResponseError),
    ],
)
def test_an_error_from_elsewhere_is_not_the_vendors(
    face: Face, vendor: Vendor, waits: Waits, status: int, kind: type[Exception]
) -> None:
    reply = Reply(b"<Error><Message>Request has expired</Message></Error>", status, {"Location": "/other"})
    with recording(lambda _: reply) as other, pytest.raises(kind) as caught:
        face.send(vendor, ApiRequest("status", "GET", url=f"{other.url}/b?X-Sig=abcdefghijkl", job_id="7"))
    assert "abcdefghijkl" not in str(caught.value)
    assert len(other.received) == (5 if status == 503 else 1)


@pytest.mark.parametrize(
    "url",
    [
        "https://169.254.169.254/latest/meta-data",
        "https://metadata.google.internal/",
        "https://127.0.0.1:1/",
        "https://localhost:1/",
        "https://10.0.0.1/",
        "http://store.example/b",
        "https://0x7f.1/",
    ],
)
def test_a_url_leads_nowhere_that_a_redirect_may_not(face: Face, url: str) -> None:
    vendor = vendor_at("https://api.vendor.example", "proofy")
    with pytest.raises(UnsafeRedirectError, match="A link was not followed"):
        face.send(vendor, ApiRequest("status", "GET", url=url))


@BOTH_FACES
def test_the_address_that_is_really_reached_decides(
    face: Face, server: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name is anybody's; what it resolves to is this machine."""
    monkeypatch.setattr(targets, "_LOOPBACK_HOSTS", frozenset())
    targets.is_loopback_host.cache_clear()
    vendor = vendor_at("http://api.vendor.example", "proofy")
    with pytest.raises(UnsafeRedirectError, match="its host resolves to 127"):
        face.send(vendor, ApiRequest("status", "GET", url=f"http://localhost:{server.url.rpartition(':')[2]}/x"))
    targets.is_loopback_host.cache_clear()
    assert not server.received


@BOTH_FACES
def test_through_a_proxy_the_resolver_decides(face: Face, server: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(targets, "_LOOPBACK_HOSTS", frozenset())
    targets.is_loopback_host.cache_clear()
    monkeypatch.setenv("http_proxy", server.url)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    vendor = vendor_at("http://api.vendor.example", "proofy")
    with pytest.raises(UnsafeRedirectError, match="localhost resolves to"):
        face.send(vendor, ApiRequest("status", "GET", url="http://localhost/x"))
    targets.is_loopback_host.cache_clear()
    assert not server.received
    face.send(vendor, ApiRequest("status", "GET", url="http://8.8.8.8/x"))
    assert server.targets == ["GET http://8.8.8.8/x"]


def test_a_download_from_elsewhere_is_fetched_bare_and_as_it_is_written(server: Recorder, vendor: Vendor) -> None:
    with recording(lambda _: Reply(b"a,b\n")) as store:
        request = ApiRequest("download", "GET", url=f"{store.url}/b/it's%7e?sig='a'|b&c")
        with BatchClient(vendor) as client:
            stream = downloading(client, request).open()
            assert stream is not None
            assert b"".join(bytes(chunk) for chunk in stream) == b"a,b\n"
            stream.close()
            assert client.renewed(request) is None
        assert store.targets == ["GET /b/it's%7e?sig='a'|b&c"]
        assert not {"authorization", "x-key", "accept"} & set(store.received[0].headers)
    assert not server.received


def test_a_download_on_the_origin_has_its_headers_and_credentials(server: Recorder, vendor: Vendor) -> None:
    request = ApiRequest("download", "GET", url=f"{server.url}/r", headers={"Accept": "text/csv", "User-Agent": "ua/1"})
    with BatchClient(vendor) as client:
        stream = downloading(client, request).open()
        assert stream is not None
        stream.close()
    assert server.targets == ["GET /r?api_key=madeup_key_00000001"]
    assert (server.received[0].headers["accept"], server.received[0].headers["user-agent"]) == ("text/csv", "ua/1")


def test_a_download_leads_nowhere_that_a_redirect_may_not() -> None:
    vendor = vendor_at("https://api.vendor.example", "proofy")
    with BatchClient(vendor) as client, pytest.raises(UnsafeRedirectError):
        downloading(client, ApiRequest("download", "GET", url="https://169.254.169.254/x")).open()
