"""What the emulator's tests share: clients that bring each vendor's credentials, and one that knows no HTTP."""

from __future__ import annotations

import hashlib
import socket
import ssl
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from airflow_provider_batchdl.emulator import EmulatedJob, Emulator

SPECS = Path(__file__).parents[2].parent / "shared" / "specs"
"""Where the vendors' OpenAPI documents are, on machines that have them."""

TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Never used, as everything here is plain HTTP: httpx would read the system's certificates for each client."""

get = partial(httpx.get, verify=TLS, timeout=60)
post = partial(httpx.post, verify=TLS, timeout=60)


def client(emulator: Emulator, vendor: str) -> httpx.Client:
    """Return a client with the vendor's credentials, which follows no redirect."""
    headers, params = credentials_of(emulator, vendor)
    suffix = "/2.11" if vendor == "batchcom" else ""
    base_url = emulator.urls[vendor] + suffix
    if vendor == "salesforce_bulk_query":
        base_url = token_of(emulator)["instance_url"]
    return httpx.Client(base_url=base_url, headers=headers, params=params, timeout=60, verify=TLS)


def credentials_of(emulator: Emulator, vendor: str) -> tuple[dict[str, str], dict[str, str]]:
    """Return the headers and the query parameters that bring a vendor's credentials."""
    account = emulator.credentials[vendor]
    match vendor:
        case "revenuebase":
            return {"x-key": account.password}, {}
        case "proofy":
            return {}, {"api_key": account.password}
        case "batchcom":
            return {"Authorization": f"Bearer {account.password}", "X-Batch-Project": account.extra["project_key"]}, {}
        case "apartmentiq":
            return {"Authorization": f"Bearer {emulator.access_token}"}, {}
        case "salesforce_bulk_query":
            return {"Authorization": f"Bearer {token_of(emulator)['access_token']}"}, {}
        case "shopify_bulk":
            return {"X-Shopify-Access-Token": account.password}, {}
        case "neverbounce":
            return {}, {"key": account.password}
        case _:
            return {"Authorization": f"Bearer {account.password}"}, {}


def token_of(emulator: Emulator) -> dict[str, str]:
    """Return the answer of Salesforce's token endpoint."""
    account = emulator.credentials["salesforce_bulk_query"]
    fields = {"grant_type": "client_credentials", "client_id": account.login, "client_secret": account.password}
    url = f"{emulator.origin}/services/oauth2/token"
    answer: dict[str, str] = post(url, data=fields).json()
    return answer


def link_of(emulator: Emulator, job: EmulatedJob, part: int = 1) -> str:
    """Return a presigned link to a part, as the vendor's API gives it."""
    with client(emulator, job.vendor) as api:
        if job.vendor == "apartmentiq":
            return api.get(f"/bulk_api/jobs/{job.id}/results").headers["location"]
        files = api.get("/exports/view", params={"id": job.id}).json()["files"]
        return api.get("/exports/download", params={"id": files[part - 1]["id"]}).headers["location"]


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@dataclass(frozen=True)
class RawAnswer:
    """What came over the socket: ``body`` is undecoded, chunk headers and all; ``reset`` ends a TCP reset."""

    status: int
    headers: dict[str, str]
    body: bytes
    reset: bool


def raw_get(url: str, headers: dict[str, str] | None = None, timeout: float = 60.0) -> RawAnswer:
    """GET over a bare socket and read until the other side ends the connection."""
    parts = urlsplit(url)
    lines = [f"GET {parts.path}?{parts.query} HTTP/1.1", f"Host: {parts.netloc}", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    received, reset = b"", False
    with socket.create_connection((parts.hostname or "", parts.port or 80), timeout=timeout) as sock:
        sock.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        try:
            while piece := sock.recv(1 << 20):
                received += piece
        except ConnectionResetError:
            reset = True
    head, _, body = received.partition(b"\r\n\r\n")
    if not head:
        return RawAnswer(0, {}, b"", reset)
    status, *fields = head.decode("latin-1").split("\r\n")
    pairs = (field.partition(": ") for field in fields)
    return RawAnswer(int(status.split()[1]), {name.lower(): value for name, _, value in pairs}, body, reset)
