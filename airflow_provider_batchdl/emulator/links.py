"""Presigned links into the store, in the shape of AWS Signature Version 4 query authentication."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

from airflow_provider_batchdl.emulator.clock import Clock

if TYPE_CHECKING:
    from airflow_provider_batchdl.emulator.jobs import EmulatedJob

LINK_SECONDS = {"batchcom": 20 * 60, "apartmentiq": 7 * 86_400, "shopify_bulk": 7 * 86_400}
"""Life of a link in seconds: Batch.com 20 minutes, ApartmentIQ and Shopify 7 days (the vendors' documentation)."""

_DATE = "%Y%m%dT%H%M%SZ"


@dataclass(frozen=True)
class StoredObject:
    """A key of the store: one part of one job's result.

    Attributes:
        key: path of the object, bucket first, no leading slash.
        job: whose result it is.
        part: which part, from 1.
        serial: makes the ETag of two copies of the same part differ.
    """

    key: str
    job: EmulatedJob
    part: int
    serial: int

    @property
    def etag(self) -> str:
        """The strong entity tag, quoted; it changes with the job's revision."""
        text = f"{self.key}:{self.serial}:{self.job.revision}"
        return f'"{hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()}"'

    @property
    def last_modified(self) -> float:
        """Unix time in whole seconds of the object's last change."""
        return int(self.job.ended_at or self.job.submitted_at) + self.job.revision


class LinkBook:
    """Signs links, remembers objects and tells a good link from a bad one."""

    def __init__(self, seed: int, clock: Clock) -> None:
        self._secret = hashlib.sha256(f"{seed}:store".encode()).digest()
        self._access_key = f"AKIA{hashlib.sha256(f'{seed}:access'.encode()).hexdigest()[:16].upper()}"
        self._clock = clock
        self.objects: dict[str, StoredObject] = {}
        self._issued: set[str] = set()
        self._expired: set[str] = set()
        self._serial = 0

    def store(self, key: str, job: EmulatedJob, part: int) -> StoredObject:
        """Return the object at a key, put there on first use."""
        if key not in self.objects:
            self._serial += 1
            self.objects[key] = StoredObject(key, job, part, self._serial)
        return self.objects[key]

    def sign(self, store_url: str, key: str, seconds: float) -> str:
        """Return a link to a key that lives for ``seconds``."""
        now = datetime.fromtimestamp(self._clock.time(), UTC)
        query = {
            "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
            "X-Amz-Credential": f"{self._access_key}/{now:%Y%m%d}/us-east-1/s3/aws4_request",
            "X-Amz-Date": now.strftime(_DATE),
            "X-Amz-Expires": str(max(1, int(seconds))),
            # As on links made with a role's credentials. The count keeps two links of one second apart, so that one
            # can expire without the other.
            "X-Amz-Security-Token": f"emulator{len(self._issued):08d}",
            "X-Amz-SignedHeaders": "host",
        }
        signature = self._signature("GET", f"/{key}", query)
        self._issued.add(signature)
        return f"{store_url}/{quote(key)}?{urlencode({**query, 'X-Amz-Signature': signature})}"

    def _signature(self, method: str, path: str, query: dict[str, str]) -> str:
        text = "\n".join([method, path, *(f"{name}={query[name]}" for name in sorted(query))])
        return hmac.new(self._secret, text.encode(), hashlib.sha256).hexdigest()

    def expire_all(self) -> None:
        """Make every link issued so far stale."""
        self._expired |= self._issued

    def fault_of(self, method: str, path: str, query: dict[str, str]) -> tuple[str, str] | None:
        """Return the S3 error code and message for a link, or ``None`` for a good one."""
        signed = {name: value for name, value in query.items() if name != "X-Amz-Signature"}
        signature = query.get("X-Amz-Signature", "")
        if not signature:
            return "AccessDenied", "Access Denied"
        if not hmac.compare_digest(self._signature(method, path, signed).encode(), signature.encode(errors="replace")):
            return "SignatureDoesNotMatch", (
                "The request signature we calculated does not match the signature you provided. "
                "Check your key and signing method."
            )
        born = datetime.strptime(signed["X-Amz-Date"], _DATE).replace(tzinfo=UTC).timestamp()
        if signature in self._expired or self._clock.time() >= born + int(signed["X-Amz-Expires"]):
            return "AccessDenied", "Request has expired"
        return None
