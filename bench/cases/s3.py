"""One large file from loopback into an S3 store that forgets what it gets, plain and over TLS."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from bench.measure import Case
from bench.proc import cpu_s
from bench.scene import OURS, Scene


def measured(scene: Scene) -> Iterator[tuple[str, Case]]:
    """Two tables."""
    for tls, link in ((False, "plain"), (True, "TLS")):
        process = scene.store.processes[tls]
        before = cpu_s(process)
        case, result = scene.in_turn(f"S3, {link}", {
            OURS: scene.into_s3("ours", tls=tls),
            "ours, SHA-256": scene.into_s3("ours", tls=tls, sha256=True),
            "boto3": scene.into_s3("boto3", tls=tls),
            "s3fs": scene.into_s3("s3fs", tls=tls),
            "obstore": scene.into_s3("obstore", tls=tls),
            "HttpToS3Operator": replace(scene.into_s3("http_to_s3", tls=tls), most_runs=3),
        })  # fmt: skip
        runs = sum(len(series.costs) for series in result.series.values())
        store = f"the store itself took {(cpu_s(process) - before) / runs:.2f} CPU seconds a run, on the average"
        yield case, replace(result, note=f"{result.note}; {store}")
