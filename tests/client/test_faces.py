"""The two clients make the same of every conversation: the value, the error with its facts, and what was sent."""

from __future__ import annotations

import re
import socket
import struct
from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_batchdl.exceptions import BatchDlError
from airflow_provider_batchdl.vendors.base import Flow, Vendor
from tests.client.helpers import REQUESTS, Face, both_faces, submission, vendor_at  # noqa: F401 the fixture
from tests.support.fixtures import forget_process_state
from tests.support.raw_server import Answer, serving, take_all

BODY = b'{"id": "7", "status": "ready"}'
JSON = b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY
FINE = b"HTTP/1.1 200 OK\r\n" + JSON
ELSEWHERE = b"Location: http://127.0.0.1:9/else\r\n"


def reset(*said: bytes) -> Answer:
    """Say something, then drop the connection as a crash does."""

    def act(connection: socket.socket) -> None:
        for each in said:
            connection.sendall(each)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()

    return act


def status(line: str, *headers: str, body: bytes = b"") -> bytes:
    """An answer that tells of the close which follows: a retry at once must not come by the same connection."""
    lines = [f"HTTP/1.1 {line}", "Connection: close", *headers, f"Content-Length: {len(body)}"]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


HTML = b"<html><title>Somebody else</title></html>"
ANSWERS: dict[str, Answer] = {
    "reset": reset(),
    "reset within the status line": reset(b"HTTP/1."),
    "reset within the head": reset(b"HTTP/1.1 200 OK\r\nContent-"),
    "reset within the body": reset(FINE[:-5]),
    "closed": b"",
    "closed within the status line": b"HTTP/1.",
    "closed within the head": FINE[:40],
    "closed within the body": FINE[:-5],
    "closed within a chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1e\r\n" + BODY[:9],
    "closed before the last chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1e\r\n" + BODY + b"\r\n",
    "trailers": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1e\r\n" + BODY + b"\r\n0\r\nX-T: 1\r\n\r\n",
    "100": b"HTTP/1.1 100 Continue\r\n\r\n" + FINE,
    "102 and 103": b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + FINE,
    "101": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n" + FINE,
    "HTTP/1.0": b"HTTP/1.0 200 OK\r\n\r\n" + BODY,
    "HTTP/1.0 cut": b"HTTP/1.0 200 OK\r\n\r\n" + BODY[:-4],
    "HTTP/0.9": BODY,
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "no reason": b"HTTP/1.1 200\r\n" + JSON,
    "two blanks": b"HTTP/1.1  200 OK\r\n" + JSON,
    "small letters": b"http/1.1 200 ok\r\n" + JSON,
    "bare line feeds": FINE.replace(b"\r\n", b"\n"),
    "a folded header": b"HTTP/1.1 200 OK\r\nX-A: b\r\n c\r\n" + JSON,
    "a blank before the colon": b"HTTP/1.1 200 OK\r\nX-A : b\r\n" + JSON,
    "a header without a name": b"HTTP/1.1 200 OK\r\n: b\r\n" + JSON,
    "U+0000 in a header": b"HTTP/1.1 200 OK\r\nX-A: b\0c\r\n" + JSON,
    "obs-text": b"HTTP/1.1 200 OK\r\nX-A: caf\xe9\r\n" + JSON,
    "a head of 200 KB": b"HTTP/1.1 200 OK\r\nX-A: " + b"b" * 200_000 + b"\r\n" + JSON,
    "two equal lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 30\r\n" + JSON,
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 29\r\n" + JSON,
    "a length and chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n" + JSON,
    "too much body": FINE + b"HTTP/1.1 500 Oh\r\n\r\n",
    "a cookie": b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b; Domain=127.0.0.1\r\n" + JSON,
    "gzip": b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n" + JSON,
    "204": b"HTTP/1.1 204 No Content\r\n\r\n",
    "205": status("205 Reset Content"),
    "206": b"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-29/99\r\n" + JSON,
    "300": status("300 Multiple Choices", "Location: http://127.0.0.1:9/else"),
    **{f"{code}": b"HTTP/1.1 %d Moved\r\n" % code + ELSEWHERE + JSON for code in (301, 302, 303, 307, 308)},
    "302 to nowhere": b"HTTP/1.1 302 Found\r\n" + JSON,
    "304": b"HTTP/1.1 304 Not Modified\r\n\r\n",
    "305": status("305 Use Proxy", "Location: http://127.0.0.1:9/"),
    "407": status("407 Proxy Authentication Required", 'Proxy-Authenticate: Basic realm="x"', body=HTML),
    "408": status("408 Request Timeout"),
    "421": status("421 Misdirected Request", body=HTML),
    "421 in JSON": status("421 Misdirected Request", body=b'{"message": "not here"}'),
    "425": status("425 Too Early"),
    "426": status("426 Upgrade Required", "Upgrade: h2c"),
    "431": status("431 Request Header Fields Too Large", body=HTML),
    **{
        f"429 after {after!r}": status("429 Too Many Requests", f"Retry-After: {after}", body=b'{"message": "slow"}')
        for after in ("", "0", "-1", "1e3", "0x10", "5, 7", "inf", "nan", "9999999999", "Fri, 31 Dec 1999 23:59:59 GMT",
                      "Wed, 32 Foo 2026", "tomorrow", "\xb2", "7 seconds", "+3")
    },
    "500": status("500 Oh", body=HTML),
    "503": status("503 Service Unavailable", "Retry-After: 1", body=b'{"message": "maintenance"}'),
    "503 of a router": status("503 Service Unavailable", "Retry-After: 1", body=HTML),
    "511": status("511 Network Authentication Required", body=HTML),
    "600": status("600 What"),
    "99": status("99 What"),
}  # fmt: skip


def get(vendor: Vendor) -> Flow[Any]:
    return vendor.get_job("7")


def submit(vendor: Vendor) -> Flow[Any]:
    return vendor.submit_once(submission(REQUESTS["proofy"]))


def heard(kind: Any, answer: Answer, flow: Callable[[Vendor], Flow[Any]]) -> tuple[Any, list[bytes]]:
    """What a client makes of ``answer``, and the first lines that it sent."""
    forget_process_state()
    received: list[bytes] = []

    def act(connection: socket.socket) -> None:
        take_all(connection, received[-1])
        if isinstance(answer, bytes):
            connection.sendall(answer)
        else:
            answer(connection)

    with serving(act, received=received) as url:
        try:
            outcome: Any = Face(kind).run(vendor_at(url.rstrip("/"), "proofy"), flow)
        except BatchDlError as error:
            outcome = error.to_dict() | {"retryable": error.retryable}
            for name in ("message", "vendor_message", "remedy"):
                text = re.sub(r":\d{4,5}\b|within [\d.]+ s|[\d-]+ [\d:]+ UTC", "…", outcome[name] or "")
                # Up to anyio 4.11 the async client's error of a reset has no words, only a name.
                outcome[name] = text.replace("[Errno 104] Connection reset by peer", "ReadError")
    return outcome, [each.partition(b"\r\n")[0] for each in received]


@pytest.mark.parametrize("flow", [get, submit], ids=["status", "submit"])
@pytest.mark.parametrize("name", ANSWERS)
def test_both_clients_make_the_same_of_an_answer(name: str, flow: Callable[[Vendor], Flow[Any]]) -> None:
    sync, sent = heard("sync", ANSWERS[name], flow)
    assert (sync, sent) == heard("async", ANSWERS[name], flow)
    if flow is submit and not name.startswith(("429", "503", "425", "407", "421", "426", "431", "408")):
        assert len(sent) == 1


@pytest.mark.parametrize("name", ["301", "302", "303", "307", "308"])
def test_a_redirect_of_a_call_is_not_followed(face: Face, name: str) -> None:
    """Not even with other credentials: the host that it names gets nothing at all."""
    followed: list[bytes] = []
    with serving(FINE, received=followed) as other:
        answer = b"HTTP/1.1 %s Moved\r\nLocation: %sverify\r\n" % (name.encode(), other.encode()) + JSON
        with serving(answer) as url, pytest.raises(BatchDlError, match="redirects the status request"):
            face.run(vendor_at(url.rstrip("/"), "proofy"), get)
    assert followed == []


def test_no_cookie_is_sent_back(face: Face) -> None:
    received: list[bytes] = []
    with serving(ANSWERS["a cookie"], received=received) as url:
        face.run(vendor_at(url.rstrip("/"), "proofy"), get, get)
    assert len(received) == 2
    assert b"cookie" not in b"".join(received).lower()
