"""What the benchmark talks to, all on loopback: nginx as the source, a shaped link to it, and an S3 store that
reads and forgets."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from demo.home import reserved_port

PROGRAMS = {"nginx": "nginx-light", "curl": "curl", "wget": "wget", "aria2c": "aria2", "openssl": "openssl"}
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
    location /sparse- {{ directio 1m; output_buffers 2 1m; }}  # holes need no page cache, however large
  }}
}}
"""


@dataclass(frozen=True)
class Source:
    """Where nginx listens, and the certificate that its TLS clients must trust."""

    http: str
    https: str
    certificate: Path


@dataclass(frozen=True)
class Store:
    """Where the S3 store listens, and its processes: the plain one's, the TLS one's."""

    http: str
    https: str
    processes: tuple[int, int]


def missing() -> list[str]:
    """Programs that the benchmark needs and that are not here, with Debian's name of the package."""
    path = os.environ.get("PATH", "") + ":/usr/sbin"
    return [f"{name} ({package})" for name, package in PROGRAMS.items() if shutil.which(name, path=path) is None]


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
    user = "user root;" if os.geteuid() == 0 else ""
    config = folder / "nginx.conf"
    program = shutil.which("nginx") or "/usr/sbin/nginx"
    with reserved_port() as http, reserved_port() as https:
        config.write_text(NGINX.format(folder=folder, data=data, http=http, https=https, user=user))
        with running([program, "-c", str(config), "-p", str(folder)], http, https):
            yield Source(f"http://127.0.0.1:{http}", f"https://127.0.0.1:{https}", certificate)


@contextlib.contextmanager
def discarding_store(folder: Path) -> Iterator[Store]:
    """The S3 store of ``discard.py``, plain and over TLS. Needs the certificate that `nginx` made."""
    key = [str(folder / "cert.pem"), str(folder / "key.pem")]
    with listening("discard.py") as (plain, http), listening("discard.py", *key) as (secured, https):
        yield Store(f"http://127.0.0.1:{http}", f"https://127.0.0.1:{https}", (plain, secured))


@dataclass
class Link:
    """A shaped link while it runs; what it counted is there once it has ended."""

    url: str
    counted: dict[str, float] = field(default_factory=dict)


@contextlib.contextmanager
def shaped(source: str, rate: int, delay_s: float) -> Iterator[Link]:
    """A relay in front of ``source``, a process of its own: so many bytes/s a connection, so many seconds one way."""
    with tempfile.TemporaryFile() as said:
        with listening("relay.py", source.rpartition(":")[2], str(rate), str(delay_s), stdout=said) as (_, port):
            link = Link(f"http://127.0.0.1:{port}")
            yield link
        said.seek(0)
        link.counted = json.load(said)


@contextlib.contextmanager
def listening(script: str, *arguments: str, stdout: IO[bytes] | None = None) -> Iterator[tuple[int, int]]:
    """A program of this folder while it runs; its process id and its port.

    It is given a socket that listens already: a port that was chosen before could be another's when it is bound.
    """
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        command = [sys.executable, str(Path(__file__).with_name(script)), str(listener.fileno()), *arguments]
        port = int(listener.getsockname()[1])
        process = subprocess.Popen(command, stdout=stdout, pass_fds=[listener.fileno()])
    with process:
        try:
            yield process.pid, port
        finally:
            process.terminate()


@contextlib.contextmanager
def running(command: list[str], *ports: int) -> Iterator[int]:
    """``command`` while it runs, from when it listens on ``ports``; its process id."""
    with subprocess.Popen(command) as process:
        try:
            for port in ports:
                _wait(process, port)
            yield process.pid
        finally:
            process.terminate()


def _wait(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise RuntimeError(f"{process.args!r} does not listen on port {port}")
