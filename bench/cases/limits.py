"""What the machine itself can do, in this run: the ceilings that no contender gets through."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bench.contenders import tools
from bench.measure import Case
from bench.scene import Scene
from bench.settings import LARGE, MIB, RUNS

RUNS_EACH = min(RUNS, 3)


def measured(scene: Scene) -> Iterator[tuple[str, Case]]:
    """One table."""
    size: dict[str, Any] = {"bytes": MIB << 20}
    yield scene.in_turn("limits", {
        "loopback → nothing": scene.python("sockets", **size),
        "loopback, TLS → nothing": scene.python("sockets", tls=True, **size),
        "memory → store": scene.into_s3("sending", **size),
        "memory → store, TLS": scene.into_s3("sending", tls=True, **size),
        "memory → disk": scene.python("disk", **size, flush=False),
        "memory → disk, flushed": scene.python("disk", **size, flush=True),
        "SHA-256, hashlib": scene.python("hashlib_sha256", **size),
        "SHA-256, openssl, of a cached file": scene.programs(tools.openssl_sha256(scene.data / LARGE)),
    }, runs=RUNS_EACH)  # fmt: skip
