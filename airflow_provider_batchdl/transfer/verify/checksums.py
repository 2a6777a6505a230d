"""Checksums a response declares about its body, and digests computed while it streams."""

from __future__ import annotations

import base64
import hashlib
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from types import MappingProxyType

SIZES = {"md5": 16, "sha1": 20, "sha256": 32, "sha512": 64, "crc32": 4, "crc32c": 4, "crc64nvme": 8}
"""Digest lengths in bytes; the CRCs big-endian, as every header here writes them."""

_AMAZON = "x-amz-checksum-"
OF_THE_WHOLE = ("repr-digest", "digest")
"""Headers whose checksums are of the whole file, also in a response for a part of it."""
_DECLARING = ("content-md5", _AMAZON, "x-goog-hash", "content-digest", *OF_THE_WHOLE)
_REPR_DIGEST = {"sha-256": "sha256", "sha-512": "sha512"}
_DIGEST_MEMBER = re.compile(r"\s*([a-z*][a-z0-9_.*-]*)\s*=\s*:([^:]*):\s*(?:;[^,]*)?\s*", re.IGNORECASE)


@dataclass(frozen=True)
class DeclaredChecksum:
    """A checksum the server declares of the whole, unencoded file."""

    algorithm: str
    """A key of `SIZES`."""
    expected: bytes
    header: str
    """The header's name, lower case."""


def declared_checksums(headers: Mapping[str, str]) -> tuple[list[DeclaredChecksum], list[str]]:
    """Read the checksums that a full (200) response declares of its body.

    Understood: `Content-MD5` (RFC 1864), `x-amz-checksum-*` (https://docs.aws.amazon.com/AmazonS3/latest/userguide/
    checking-object-integrity.html), `x-goog-hash` (https://cloud.google.com/storage/docs/xml-api/reference-headers),
    `Repr-Digest` and `Content-Digest` (RFC 9530), `Digest` (RFC 3230). An ETag is no checksum. Of a 206 ask with
    `OF_THE_WHOLE` alone: `Content-MD5` and `Content-Digest` then describe the range only.

    Args:
        headers: the response's headers, names in any case.

    Returns:
        The checksums that can be checked here, and the names (lower case) of the headers that declare something
        that cannot: a composite of a multipart upload (`…-3`), an algorithm without a library, a value that is none.
    """
    lowered = {name.lower(): value for name, value in headers.items()}
    is_composite = lowered.get("x-amz-checksum-type", "").upper() == "COMPOSITE"  # of the parts' checksums
    others = {_AMAZON} if is_composite else set()
    if _is_unpacked(lowered):
        others.add("x-goog-hash")
    checkable: list[DeclaredChecksum] = []
    unknown: dict[str, None] = {}  # in their order
    for header, value in lowered.items():
        for algorithm, text in _declarations(header, value) if header.startswith(_DECLARING) else ():
            expected = _decoded(text)
            known = len(expected) == SIZES.get(algorithm) and can_compute(algorithm)
            if known and not header.startswith(tuple(others)):
                checkable.append(DeclaredChecksum(algorithm, expected, header))
            else:
                unknown[header] = None
    return checkable, list(unknown)


def worth_noting(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers with a file's type and checksums: a later response for its rest may not have them."""
    return {
        name: value
        for name, value in headers.items()
        if name in ("content-type", "x-goog-stored-content-encoding", "x-amz-checksum-type")
        or any(declared_checksums({name: value}))
    }


def _is_unpacked(headers: Mapping[str, str]) -> bool:
    """True where Google stores the file packed and sent it unpacked: its hashes are then of other bytes.

    https://cloud.google.com/storage/docs/transcoding
    """
    stored, sent = (headers.get(name, "identity") for name in ("x-goog-stored-content-encoding", "content-encoding"))
    return stored.lower() != "identity" and sent.lower() == "identity"


def _declarations(header: str, value: str) -> Iterator[tuple[str, str]]:
    """Pairs of algorithm and base64 text in one header; an unknown algorithm has the server's name."""
    if header == "content-md5":
        yield "md5", value
    elif header.startswith(_AMAZON) and header != "x-amz-checksum-type":
        yield header.removeprefix(_AMAZON), value
    elif header == "x-goog-hash":
        # Sent once for each algorithm or joined by commas, depending on who merged the headers.
        for member in value.split(","):
            algorithm, _, text = member.strip().partition("=")
            yield algorithm.lower(), text
    elif header == "digest":  # RFC 3230, section 4.3.2; as below
        for member in value.split(","):
            algorithm, _, text = member.strip().partition("=")
            yield _REPR_DIGEST.get(algorithm.lower(), ""), text
    elif header in {"repr-digest", "content-digest"}:  # RFC 9530, section 2: a dictionary of byte sequences
        for member in value.split(","):
            found = _DIGEST_MEMBER.fullmatch(member)
            # Its weak and old algorithms (section 5) prove nothing.
            yield (_REPR_DIGEST.get(found[1].lower(), ""), found[2]) if found else ("", "")


def _decoded(text: str) -> bytes:
    """The bytes of strict base64; none where it is something else."""
    try:
        return base64.b64decode(text.strip(), validate=True)
    except ValueError:
        return b""


class Digests:
    """Several digests over one stream.

    Args:
        algorithms: keys of `SIZES`; duplicates are computed once.
        crcs: the values of CRCs over the bytes before the first, by algorithm; see `crcs`.

    Raises:
        ValueError: an algorithm that cannot be computed here (see `can_compute`), or a value that no CRC has.
    """

    def __init__(self, algorithms: Iterable[str], crcs: Mapping[str, int] = MappingProxyType({})) -> None:
        self.crcs: dict[str, int] = {}
        """The CRCs of all bytes so far, by algorithm: each continues from its value alone, in any process."""
        self._hashes = {}
        for name in algorithms:
            if not can_compute(name):
                raise ValueError(f"{name} cannot be computed here")
            if not name.startswith("crc"):
                # MD5 and SHA-1 detect accidents here, nothing else; FIPS builds of OpenSSL insist on hearing so.
                self._hashes[name] = hashlib.new(name, usedforsecurity=False)
                continue
            self.crcs[name] = crcs.get(name, 0)
            if not 0 <= self.crcs[name] < 256 ** SIZES[name]:
                raise ValueError(f"{self.crcs[name]} is no {name}")

    def update(self, data: bytes | memoryview) -> None:
        """Add the next bytes."""
        for running in self._hashes.values():
            running.update(data)
        for name, value in self.crcs.items():
            self.crcs[name] = _crc_function(name)(data, value)

    def __contains__(self, algorithm: str) -> bool:
        return algorithm in self.crcs or algorithm in self._hashes

    def digest(self, algorithm: str) -> bytes:
        """The digest of all bytes so far."""
        if algorithm in self.crcs:
            return self.crcs[algorithm].to_bytes(SIZES[algorithm], "big")
        return self._hashes[algorithm].digest()


def can_compute(algorithm: str) -> bool:
    """True where `algorithm` can be computed here; CRC-32C needs google-crc32c or awscrt, CRC-64/NVME awscrt."""
    if not algorithm.startswith("crc"):
        return algorithm in SIZES
    try:
        return bool(_crc_function(algorithm))
    except (ImportError, AttributeError):
        return False


@cache
def _crc_function(algorithm: str) -> Callable[[bytes | memoryview, int], int]:
    if algorithm == "crc32":
        return zlib.crc32
    if algorithm == "crc32c":
        with suppress(ImportError):
            extend = import_module("google_crc32c").extend
            return lambda data, value: int(extend(value, bytes(data)))
    function = getattr(import_module("awscrt.checksums"), algorithm)
    return lambda data, value: int(function(bytes(data), value))
