"""What the benchmark talks to, all on loopback: nginx as the source, and an S3 store that reads and forgets."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

# The workers are root's where root runs this: the default user may not read our folder.
NGINX = """
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/nginx.log;
{user}
events {{ worker_connections 512; }}
http {{
  access_log off; sendfile on; tcp_nopush on; etag on; keepalive_requests 100000; default_type application/octet-stream;
  client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
  uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
  server {{
    listen 127.0.0.1:{http};
    listen 127.0.0.1:{https} ssl;
    ssl_certificate {folder}/cert.pem; ssl_certificate_key {folder}/key.pem; ssl_protocols TLSv1.3;
    root {data};
  }}
}}
"""


@dataclass(frozen=True)
class Source:
    """Where nginx listens, and the certificate that its TLS clients must trust."""

    http: str
    https: str
    certificate: Path


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def missing() -> list[str]:
    """Programs that the benchmark needs and that are not here."""
    path = os.environ.get("PATH", "") + ":/usr/sbin"
    return [name for name in ("nginx", "curl", "openssl") if shutil.which(name, path=path) is None]


CERTIFICATE = """
[req]
distinguished_name = name
x509_extensions = leaf
prompt = no
[name]
CN = 127.0.0.1
[leaf]
basicConstraints = critical, CA:FALSE
subjectAltName = IP:127.0.0.1
"""


def certify(folder: Path) -> Path:
    """A self-signed certificate for 127.0.0.1, its key beside it; none of an authority, which rustls would refuse."""
    certificate, settings = folder / "cert.pem", folder / "openssl.conf"
    settings.write_text(CERTIFICATE)
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-config", str(settings),
         "-keyout", str(folder / "key.pem"), "-out", str(certificate)],
        check=True, capture_output=True,
    )  # fmt: skip
    return certificate


@contextlib.contextmanager
def nginx(folder: Path, data: Path) -> Iterator[Source]:
    """nginx serving ``data``, plain and over TLS 1.3."""
    certificate = certify(folder)
    http, https = free_port(), free_port()
    user = "user root;" if os.geteuid() == 0 else ""
    config = folder / "nginx.conf"
    config.write_text(NGINX.format(folder=folder, data=data, http=http, https=https, user=user))
    program = shutil.which("nginx") or "/usr/sbin/nginx"
    with running([program, "-c", str(config), "-p", str(folder)], http, https):
        yield Source(f"http://127.0.0.1:{http}", f"https://127.0.0.1:{https}", certificate)


@contextlib.contextmanager
def discarding_store(folder: Path) -> Iterator[tuple[str, str]]:
    """The S3 store of ``discard.py``: its plain and its TLS address. Needs the certificate that `nginx` made."""
    http, https = free_port(), free_port()
    script = Path(__file__).with_name("discard.py")
    key = [str(folder / "cert.pem"), str(folder / "key.pem")]
    with (
        running([sys.executable, str(script), str(http)], http),
        running([sys.executable, str(script), str(https), *key], https),
    ):
        yield f"http://127.0.0.1:{http}", f"https://127.0.0.1:{https}"


@contextlib.contextmanager
def running(command: list[str], *ports: int) -> Iterator[None]:
    """``command`` while it runs, from when it listens on ``ports``."""
    with subprocess.Popen(command) as process:
        try:
            for port in ports:
                _wait(process, port)
            yield
        finally:
            process.terminate()


def _wait(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise RuntimeError(f"{process.args!r} does not listen on port {port}")
