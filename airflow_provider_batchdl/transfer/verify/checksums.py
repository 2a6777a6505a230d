"""Checksums a response declares about its body, and digests computed while it streams."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from types import MappingProxyType
from typing import Protocol

SIZES = {"md5": 16, "sha1": 20, "sha256": 32, "sha512": 64, "crc32": 4, "crc32c": 4, "crc64nvme": 8}
"""Digest lengths in bytes; the CRCs big-endian, as every header here writes them."""

_AMAZON = "x-amz-checksum-"
_DECLARING = ("content-md5", _AMAZON, "x-goog-hash", "repr-digest", "content-digest")
_GOOGLE = {"md5": "md5", "crc32c": "crc32c"}
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
    `Repr-Digest` and `Content-Digest` (RFC 9530). An ETag is no checksum. Do not ask with the headers of a 206:
    `Content-MD5` and `Content-Digest` then describe the range only.

    Args:
        headers: the response's headers, names in any case.

    Returns:
        The checksums that can be checked here, and the names (lower case) of the headers that declare something
        that cannot: a composite of a multipart upload (`…-3`), an algorithm without a library, a value that is none.
    """
    lowered = {name.lower(): value for name, value in headers.items()}
    checkable: list[DeclaredChecksum] = []
    unknown: list[str] = []
    is_composite = lowered.get("x-amz-checksum-type", "").upper() == "COMPOSITE"  # of the parts' checksums
    for header, value in lowered.items():
        if not header.startswith(_DECLARING):
            continue
        for algorithm, text in _declarations(header, value):
            expected = _decoded(text, SIZES.get(algorithm, -1))
            is_of_others = (is_composite and header.startswith(_AMAZON)) or (
                header == "x-goog-hash" and _unpacked(lowered)
            )
            if expected is None or not can_compute(algorithm) or is_of_others:
                unknown += [] if header in unknown else [header]
            else:
                checkable.append(DeclaredChecksum(algorithm, expected, header))
    return checkable, unknown


def worth_noting(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers with a file's type and checksums: a later response for its rest may not have them."""
    return {
        name: value
        for name, value in headers.items()
        if name in ("content-type", "x-goog-stored-content-encoding", "x-amz-checksum-type")
        or any(declared_checksums({name: value}))
    }


def _unpacked(headers: Mapping[str, str]) -> bool:
    """True where Google stores the file packed and sent it unpacked: its hashes are then of other bytes.

    https://cloud.google.com/storage/docs/transcoding
    """
    return (
        headers.get("x-goog-stored-content-encoding", "identity").lower() != "identity"
        and headers.get("content-encoding", "identity").lower() == "identity"
    )


def _declarations(header: str, value: str) -> Iterator[tuple[str, str]]:
    """Pairs of algorithm and base64 text in one header; an unknown algorithm has the server's name."""
    if header == "content-md5":
        yield "md5", value
    elif header.startswith(_AMAZON):
        algorithm = header.removeprefix(_AMAZON)
        # Says whether the value is of the whole object; not a checksum itself.
        if algorithm != "type":
            yield algorithm, value
    elif header == "x-goog-hash":
        # Sent once for each algorithm or joined by commas, depending on who merged the headers.
        for member in value.split(","):
            algorithm, _, text = member.strip().partition("=")
            yield _GOOGLE.get(algorithm.lower(), algorithm), text
    elif header in {"repr-digest", "content-digest"}:
        yield from _structured(value)


def _structured(value: str) -> Iterator[tuple[str, str]]:
    """RFC 9530 §2: a dictionary of byte sequences. Its weak and old algorithms (§5) are not offered as proof."""
    for member in value.split(","):
        found = _DIGEST_MEMBER.fullmatch(member)
        if found is None:
            yield "unreadable", ""
        elif found[1].lower() in _REPR_DIGEST:
            yield _REPR_DIGEST[found[1].lower()], found[2]
        else:
            yield f"unchecked {found[1]}", found[2]


def _decoded(text: str, size: int) -> bytes | None:
    """The bytes of strict base64, None where it is not exactly `size` bytes of it."""
    try:
        value = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        return None
    return value if len(value) == size else None


class Digests:
    """Several digests over one stream.

    Args:
        algorithms: keys of `SIZES`; duplicates are computed once.
        crcs: the values of CRCs over the bytes before the first, by algorithm; see `crcs`.

    Raises:
        ValueError: an algorithm that cannot be computed here (see `can_compute`), or a value that no CRC has.
    """

    def __init__(self, algorithms: Iterable[str], crcs: Mapping[str, int] = MappingProxyType({})) -> None:
        self._running = {algorithm: _new(algorithm, crcs.get(algorithm, 0)) for algorithm in sorted(set(algorithms))}

    def update(self, data: bytes | memoryview) -> None:
        """Add the next bytes."""
        for running in self._running.values():
            running.update(data)

    def digest(self, algorithm: str) -> bytes:
        """The digest of all bytes so far."""
        return self._running[algorithm].digest()

    @property
    def crcs(self) -> dict[str, int]:
        """The CRCs of all bytes so far, by algorithm: each continues from its value alone, in any process."""
        return {name: running.value for name, running in self._running.items() if isinstance(running, _Crc)}


def can_compute(algorithm: str) -> bool:
    """True where `algorithm` can be computed here; CRC-32C needs google-crc32c or awscrt, CRC-64/NVME awscrt."""
    if algorithm == "crc32c":
        return _has("google_crc32c") or _has("awscrt")
    if algorithm == "crc64nvme":
        return _has("awscrt")
    return algorithm in SIZES


def _has(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except (ImportError, ValueError):
        return False


class _Running(Protocol):
    def update(self, data: bytes | memoryview, /) -> None: ...

    def digest(self) -> bytes: ...


def _new(algorithm: str, value: int) -> _Running:
    if not can_compute(algorithm):
        raise ValueError(f"{algorithm} cannot be computed here")
    if algorithm.startswith("crc"):
        return _Crc(algorithm, value)
    # MD5 and SHA-1 detect accidents here, nothing else; FIPS builds of OpenSSL insist on hearing so.
    return hashlib.new(algorithm, usedforsecurity=False)


class _Crc:
    """A CRC with the interface of a hashlib object."""

    def __init__(self, algorithm: str, value: int) -> None:
        self._size = SIZES[algorithm]
        if not 0 <= value < 256**self._size:
            raise ValueError(f"{value} is no {algorithm}")
        self._extend = _crc_function(algorithm)
        self.value = value

    def update(self, data: bytes | memoryview) -> None:
        self.value = self._extend(data, self.value)

    def digest(self) -> bytes:
        return self.value.to_bytes(self._size, "big")


def _crc_function(algorithm: str) -> Callable[[bytes | memoryview, int], int]:
    if algorithm == "crc32":
        return zlib.crc32
    if algorithm == "crc32c" and _has("google_crc32c"):
        extend = import_module("google_crc32c").extend
        return lambda data, value: int(extend(value, bytes(data)))
    function = getattr(import_module("awscrt.checksums"), algorithm)
    return lambda data, value: int(function(bytes(data), value))
