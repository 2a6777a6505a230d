"""A gateway in front of an S3 server that mixes up the bytes of an upload and signs for what it passes on.

No checksum of a part and no ETag shows what it does: so it is where a gateway, a cache or a store mixes up its buffers
after it has compared them.
"""

from __future__ import annotations

import contextlib
import http.client
import re
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import ThreadingHTTPServer
from typing import Literal
from urllib.parse import parse_qs, urlsplit

from tests.support.seaweedfs import S3Store
from tests.support.store_proxy import WAIT, Answer, StoreProxyHandler

Harm = Literal["flip", "drop", "repeat", "reorder"]
HARMS: tuple[Harm, ...] = ("flip", "drop", "repeat", "reorder")
_UNKNOWN = ("x-amz-checksum-type", "x-amz-mp-object-size")
_PASSED = ("x-amz-", "content-type", "if-none-match", "content-md5")
_SIGNED = ("x-amz-date", "x-amz-content-sha256", "x-amz-security-token")


@dataclass
class S3Gateway:
    """Where it listens, what it does at the completion, what it saw.

    Attributes:
        endpoint_url: its address.
        harm: what becomes of the second part, or of it and the first; None for nothing.
        knows_whole: whether the store seems to know checksums of whole objects.
        refuses_whole: whether it answers to a request for one with an error.
        makes_another: whether the store seems to have made an object with another checksum.
        completions: the headers of every completion.
    """

    endpoint_url: str
    harm: Harm | None = None
    knows_whole: bool = True
    refuses_whole: bool = False
    makes_another: bool = False
    completions: list[dict[str, str]] = field(default_factory=list)
    bodies: dict[str, dict[int, bytes]] = field(default_factory=dict)


@contextlib.contextmanager
def s3_gateway(store: S3Store) -> Iterator[S3Gateway]:
    """Stand in front of `store` until the block ends."""
    from botocore.auth import S3SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    signer = S3SigV4Auth(Credentials(store.access_key, store.secret_key), "s3", "us-east-1")

    class Handler(StoreProxyHandler):
        target = urlsplit(store.endpoint_url).netloc

        def answer(self) -> None:
            body, query = bytes(self.body()), parse_qs(urlsplit(self.path).query, keep_blank_values=True)
            headers = {name.lower(): value for name, value in self.headers.items()}
            headers = {name: headers[name] for name in headers if name.startswith(_PASSED) and name not in _SIGNED}
            if not gateway.knows_whole:
                headers = {name: value for name, value in headers.items() if name not in _UNKNOWN}
            if gateway.refuses_whole and "x-amz-checksum-type" in headers:
                text = b"<Error><Code>NotImplemented</Code><Message>x-amz-checksum-type</Message></Error>"
                self.reply(Answer(501, [("Content-Type", "application/xml")], text))
                return
            if "uploadId" in query and self.command == "POST":
                body = self.mixed_up(query["uploadId"][0], body)
                gateway.completions.append(headers)
                if not gateway.knows_whole:
                    headers = {name: headers[name] for name in headers if not name.startswith("x-amz-checksum-")}
            if "partNumber" in query:
                gateway.bodies.setdefault(query["uploadId"][0], {})[int(query["partNumber"][0])] = body
            kept = [each for each in urlsplit(self.path).query.split("&") if not each.startswith("X-Amz-")]
            said = self.signed(self.command, urlsplit(self.path).path, "&".join(kept), headers, body)
            if not gateway.knows_whole:
                said = Answer(
                    said.status, [each for each in said.headers if each[0].lower() not in _UNKNOWN], said.body
                )
            if gateway.makes_another:
                other = re.sub(rb"<ChecksumCRC32>.*?</", b"<ChecksumCRC32>AAAAAA==</", said.body)
                said = Answer(said.status, said.headers, other)
            self.reply(said)

        def mixed_up(self, upload_id: str, listed: bytes) -> bytes:
            """The list of a completion, of parts that have become others."""
            bodies = gateway.bodies[upload_id]
            first, second = bodies[1], bytearray(bodies[2])
            if gateway.harm == "drop":
                return re.sub(
                    rb"<Part>(?:(?!</Part>).)*<PartNumber>2</PartNumber>.*?</Part>", b"", listed, flags=re.DOTALL
                )
            if gateway.harm == "flip":
                second[len(second) // 2] ^= 1
                return self.replaced(upload_id, {2: bytes(second)}, listed)
            if gateway.harm == "repeat":
                return self.replaced(upload_id, {2: first}, listed)
            return self.replaced(upload_id, {1: bytes(second), 2: first}, listed) if gateway.harm else listed

        def replaced(self, upload_id: str, bodies: Mapping[int, bytes], listed: bytes) -> bytes:
            """The list of a completion with what the store says of other parts in the place of those sent."""
            for number, body in bodies.items():
                query = f"partNumber={number}&uploadId={upload_id}"
                checksum = crc32_header(body)
                said = self.signed("PUT", urlsplit(self.path).path, query, checksum, body)
                assert said.status == 200, said.body
                etag = next(value for name, value in said.headers if name.lower() == "etag")
                listed = relisted(listed, number, etag, checksum["x-amz-checksum-crc32"])
            return listed

        def signed(self, method: str, path: str, query: str, headers: Mapping[str, str], body: bytes) -> Answer:
            """What the store says to a request that the gateway signs."""
            url = f"{store.endpoint_url}{path}{'?' * bool(query)}{query}"
            request = AWSRequest(method, url, data=body, headers=dict(headers))
            request.context["payload_signing_enabled"] = True
            signer.add_auth(request)
            connection = http.client.HTTPConnection(self.target, timeout=WAIT)
            try:
                connection.request(method, url.removeprefix(store.endpoint_url), body, dict(request.headers.items()))
                said = connection.getresponse()
                return Answer(said.status, said.getheaders(), said.read(), said.getheader("Content-Length"))
            finally:
                connection.close()

    class Server(ThreadingHTTPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as server:
        gateway = S3Gateway(f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield gateway
        finally:
            server.shutdown()
            thread.join(WAIT)


def _parts(listed: bytes) -> list[bytes]:
    """The list of a completion, cut before and after every part."""
    return re.split(rb"(<Part>.*?</Part>)", listed, flags=re.DOTALL)


def crc32_header(body: bytes) -> dict[str, str]:
    """The header with the CRC-32 of `body`."""
    import base64
    import zlib

    return {"x-amz-checksum-crc32": base64.b64encode(zlib.crc32(body).to_bytes(4, "big")).decode()}


def relisted(listed: bytes, number: int, etag: str, checksum: str) -> bytes:
    """The list of a completion with another ETag and checksum for the part `number`."""
    others = {b"ETag": etag.encode(), b"ChecksumCRC32": checksum.encode()}
    parts = _parts(listed)
    for at, part in enumerate(parts):
        if f"<PartNumber>{number}</PartNumber>".encode() in part:
            for name, other in others.items():
                part = re.sub(b"<%s>.*?</%s>" % (name, name), b"<%s>%s</%s>" % (name, other, name), part)  # noqa: PLW2901
            parts[at] = part
    return b"".join(parts)
