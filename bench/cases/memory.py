"""Every size of file, one run each: peak memory, and speed and CPU seconds against size."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace

from bench.cases.links import DELAYS, MOST, RATES, Shaped
from bench.machine import file_system
from bench.measure import Case, Contender
from bench.proc import available_mib
from bench.scene import Scene
from bench.settings import MIB, SIZES_MIB, sparse

_SPARE_MIB = 2048


def measured(scene: Scene) -> Iterator[tuple[str, Case]]:
    """A table for each size, and one for parallel ranges."""
    for size in SIZES_MIB:
        file, room = sparse(size), _room_mib(scene)
        contenders = {"ours → S3": scene.into_s3("ours", file=file, sha256=True, cold=True)}
        if size + _SPARE_MIB <= room:
            contenders["ours → disk"] = scene.python("ours", file=file, sha256=True)
        if size <= MIB:
            contenders |= _rivals(scene, file)
        case, result = scene.in_turn(f"memory, {size} MiB", contenders, runs=1)
        if "ours → disk" not in contenders:
            result = replace(result, note=f"{result.note}; not to disk, where {room} MiB are free")
        yield case, result
    link = Shaped(scene, RATES[0], DELAYS["40 ms"])
    yield scene.in_turn(f"memory, {MOST} ranges", {
        "ours → disk": link.python(sha256=True, connections=MOST),
        "ours → S3": link.into_s3(sha256=True, cold=True, connections=MOST),
    }, runs=1)  # fmt: skip


def _rivals(scene: Scene, file: str) -> dict[str, Contender]:
    return {
        "curl → disk": scene.curl(file=file),
        "boto3 → S3": scene.into_s3("boto3", file=file),
        "HttpToS3Operator → S3": scene.into_s3("http_to_s3", file=file),
    }


def _room_mib(scene: Scene) -> int:
    """How much a target may have: the folder's free space, and where it lies in memory, the machine's."""
    free = shutil.disk_usage(scene.target.parent).free >> 20
    return min(free, int(available_mib())) if file_system(scene.target.parent) == "tmpfs" else free
