"""Programs, as the command lines that a user would write."""

from __future__ import annotations

from pathlib import Path


def curl(url: str, target: Path) -> list[str]:
    """curl trusts ``CURL_CA_BUNDLE``."""
    return ["curl", "-sS", "-L", "-o", str(target), url]


def openssl_sha256(target: Path) -> list[str]:
    """openssl: coreutils' `sha256sum` may not use the CPU's instructions, openssl and `hashlib` do."""
    return ["openssl", "dgst", "-sha256", str(target)]


def wget(url: str, target: Path, certificate: Path) -> list[str]:
    """One stream, as ever with wget."""
    return ["wget", "-q", f"--ca-certificate={certificate}", "-O", str(target), url]


def aria2(url: str, target: Path, certificate: Path, connections: int) -> list[str]:
    """``-x`` and ``-s`` connections for pieces of at least 1 MiB, no space allocated before."""
    return [
        "aria2c", "--no-conf", "-q", f"-x{connections}", f"-s{connections}", "-k1M", "--file-allocation=none",
        "--allow-overwrite=true", f"--ca-certificate={certificate}", "-d", str(target.parent), "-o", target.name, url,
    ]  # fmt: skip
