"""One large file from loopback to a local path, plain and over TLS, with SHA-256 and without."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from bench.contenders import tools
from bench.measure import Case
from bench.scene import OURS, Scene
from bench.settings import LARGE

LOOPS = ("urllib3", "requests", "httpx", "huggingface_hub", "fsspec")


def measured(scene: Scene) -> Iterator[tuple[str, Case]]:
    """Four tables."""
    for tls, link in ((False, "plain"), (True, "TLS")):
        yield scene.in_turn(f"disk, SHA-256, {link}", {
            OURS: scene.python("ours", tls=tls, sha256=True),
            "curl + openssl": scene.curl(tls=tls, sha256=True),
        })  # fmt: skip
        url, certificate = f"{scene.base(tls=tls)}/{LARGE}", scene.source.certificate
        yield scene.in_turn(f"disk, no hash, {link}", {
            OURS: scene.python("ours", tls=tls),
            "curl": scene.curl(tls=tls),
            "wget": scene.programs(tools.wget(url, scene.target, certificate)),
            "aria2c -x1": scene.programs(tools.aria2(url, scene.target, certificate, 1)),
            **{name: scene.python(name, tls=tls) for name in LOOPS},
            "huggingface_hub": replace(scene.python("huggingface_hub", tls=tls), most_runs=3),
        })  # fmt: skip
