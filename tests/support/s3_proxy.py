"""A loopback proxy in front of an S3 server that harms chosen parts of uploads, and notes every request."""

from __future__ import annotations

import contextlib
import ipaddress
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Literal
from urllib.parse import parse_qs, urlsplit

from tests.support.store_proxy import XML, Answer, StoreProxyHandler

WAIT = 30.0


@dataclass
class PartFault:
    """What happens to a part.

    Attributes:
        number: which part; None for any.
        act: "answer" with `status` and `code` in the store's place, "cut" the connection once the body has come, let
            the answer be "lost", "damage" a byte on its way, or "stall" until the proxy ends.
        times: how often.
        status: the status to answer with.
        code: the error code to answer with; empty for none, as from what is between.
        message: the error's message.
        direct: only of parts that come signed in the address.
        headers: further ones of the answer.
    """

    number: int | None
    act: Literal["answer", "cut", "lost", "damage", "stall"]
    times: int = 1
    status: int = 503
    code: str = "SlowDown"
    message: str = "Injected"
    direct: bool = False
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Seen:
    """One request that came."""

    method: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    bytes: int

    @property
    def part(self) -> int | None:
        """The number, if it is a part."""
        return int(self.query["partNumber"][0]) if self.method == "PUT" and "partNumber" in self.query else None

    @property
    def direct(self) -> bool:
        """Whether it is signed in the address."""
        return "X-Amz-Signature" in self.query


@dataclass
class S3Proxy:
    """Where it listens, what it is to do, what it saw."""

    endpoint_url: str
    faults: list[PartFault] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)
    stalled: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def parts(self) -> list[Seen]:
        """The parts that came, tries included."""
        return [each for each in self.seen if each.part is not None]

    def note(self, seen: Seen) -> PartFault | None:
        """Take down a request; the fault it is to suffer."""
        with self._lock:
            self.seen.append(seen)
            for fault in self.faults:
                fits = seen.part is not None and fault.number in (None, seen.part) and (seen.direct or not fault.direct)
                if fits and fault.times:
                    fault.times -= 1
                    return fault
        return None


@contextlib.contextmanager
def s3_proxy(endpoint_url: str, *, certificate: Path | None = None) -> Iterator[S3Proxy]:
    """Stand in front of the store at `endpoint_url`, until the block ends.

    With a certificate (a PEM file with its key) it speaks TLS. The store sees the Host header that the client signed.
    """

    class Handler(StoreProxyHandler):
        target = urlsplit(endpoint_url).netloc

        def answer(self) -> None:
            body = self.body()
            query = parse_qs(urlsplit(self.path).query, keep_blank_values=True)
            headers = {name.lower(): value for name, value in self.headers.items()}
            fault = proxy.note(Seen(self.command, query, headers, len(body)))
            if fault and fault.act == "stall":
                proxy.stalled.set()
                proxy.ended.wait(WAIT)
            if fault and fault.act in ("cut", "stall"):
                self.close_connection = True
                return
            if fault and fault.act == "answer":
                code = f"<Code>{fault.code}</Code>" if fault.code else ""
                text = f"<Error>{code}<Message>{fault.message}</Message></Error>".encode()
                self.reply(Answer(fault.status, XML, text), fault.headers)
                return
            if fault and fault.act == "damage":
                body[len(body) // 2] ^= 1
            said = self.carried_out(body)
            if fault and fault.act == "lost":
                self.close_connection = True
                return
            self.reply(said)

    class Server(ThreadingHTTPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as server:
        if certificate is not None:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(certificate)
            server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        proxy = S3Proxy(f"http{'s' * bool(certificate)}://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield proxy
        finally:
            proxy.ended.set()
            server.shutdown()
            thread.join(WAIT)


def certificate_in(folder: Path) -> Path:
    """A self-signed certificate for 127.0.0.1 with its key, valid for a day, in one PEM file."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = folder / "certificate.pem"
    path.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    return path
