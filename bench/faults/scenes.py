"""A fault, arranged: an emulator with a job, the URL that a user would hand to an engine, and what was heard."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from airflow_provider_batchdl.emulator import EmulatedJob, Emulator, Fault, ResultSpec
from airflow_provider_batchdl.emulator.content import Content
from airflow_provider_batchdl.emulator.exchange import Reply
from airflow_provider_batchdl.emulator.store import link_to
from airflow_provider_batchdl.emulator.wire import packed
from bench.faults.columns import RETRY_AFTER, Column, Strike
from bench.faults.hosts import Heard, file_host, link_host, location_of

IN_TRANSIT = 0.1
"""Seconds in which the requests of other connections may have been sent before they knew."""


@dataclass
class Scene:
    """What an engine meets.

    Attributes:
        emulator: the vendors and their store.
        job: the job whose one result file is wanted.
        url: the file's URL for engines that know no vendor.
        headers: the headers that a user would send to it.
        good: SHA-256 of the file at the start.
        size: its bytes.
        heard: the requests to the other host; None where there is no such host.
        packed: SHA-256 of the file as the store packs it; None where it does not.
    """

    emulator: Emulator
    job: EmulatedJob
    url: str
    headers: dict[str, str]
    good: str
    size: int
    heard: list[Heard] | None = field(default=None)
    packed: str | None = None

    @property
    def good_later(self) -> str | None:
        """SHA-256 of the file that replaced the first one, if one did."""
        return self.job.content(1).sha256 if self.job.revision else None

    @property
    def sent(self) -> int:
        """Bytes of the file that the store sent."""
        return sum(record.bytes_sent for record in self.emulator.requests if record.operation == "store")

    @property
    def leaked(self) -> tuple[str, ...] | None:
        """Which credentials the other host got to see."""
        if self.heard is None:
            return None
        names = {name for request in self.heard for name in request.headers}
        return tuple(word for word, name in (("key", "x-batch-project"), ("auth", "authorization")) if name in names)

    @property
    def at_once(self) -> int:
        """The most requests for the file that were being answered at the same time."""
        spans = [(record.time, record.ended) for record in self.emulator.requests if record.operation == "store"]
        spans += [(request.began, request.ended) for request in self.heard or ()]
        return max((sum(a <= moment < (b or math.inf) for a, b in spans) for moment, _ in spans), default=0)

    @property
    def hasty(self) -> bool:
        """Whether the file was asked for after a 503 and before its Retry-After was over.

        What was on its way already when that answer came does not count.
        """
        asked = [record for record in self.emulator.requests if record.operation == "store"]
        refused = [record.ended for record in asked if record.status == 503]
        grace = IN_TRANSIT if self.at_once > 1 else 0.0
        return any(grace <= record.time - end < RETRY_AFTER * 0.9 for record in asked for end in refused)

    def order(self, connections: int) -> dict[str, Any]:
        """What this engine's child process needs to know to log in and find the job."""
        vendor, account = self.job.vendor, self.emulator.credentials[self.job.vendor]
        return {
            "vendor": vendor, "job_id": self.job.id, "url": self.emulator.urls[vendor],
            "password": account.password, "login": account.login, "extra": {**account.extra, "rate_limit": "1000/1"},
            "connections": connections,
        }  # fmt: skip


@contextlib.contextmanager
def arranged(column: Column, size: int, strike: Strike, *, speed: int | None = None) -> Iterator[Scene]:
    """Set the scene for a column.

    Args:
        column: the fault.
        size: bytes of the file.
        strike: where the fault strikes.
        speed: the most bytes a second that a connection brings; None for no limit.
    """
    # Batch.com's links make new files, and its API takes a key header beside Authorization.
    vendor = "apartmentiq" if column.scene == "link" else "batchcom"
    with Emulator(rate_limits=False, bytes_per_second=speed) as emulator, contextlib.ExitStack() as hosts:
        job = emulator.add_job(vendor, ResultSpec(bytes=size, format="csv" if column.scene == "link" else "jsonl"))
        job.declares_checksums = column.declared
        content = job.content(1)
        _declare_to_google(content)
        scene = Scene(emulator, job, "", {}, content.sha256, size)
        if column.scene == "link":
            stored = emulator.world.links.store(f"apartmentiq-bulk/{job.id}/{job.part_name(1)}", job, 1)
            scene.url = link_to(emulator.world, stored)
        else:
            _play_batchcom(column, scene, hosts)
        if column.line_end:
            strike = replace(strike, at=_line_end(content, strike.at))
        for fault in column.faults(strike):
            emulator.add_fault(fault)
            if column.packed:
                body = packed(Reply(200, content), fault).pieces()
                scene.packed = hashlib.sha256(b"".join(body)).hexdigest()
        if column.changes:
            _change_behind(job, emulator, 1 + (strike.after if column.divided else 0))
        if column.expire:
            _expire_after_first(emulator)
        yield scene


def _play_batchcom(column: Column, scene: Scene, hosts: contextlib.ExitStack) -> None:
    emulator, account = scene.emulator, scene.emulator.credentials["batchcom"]
    file_id = scene.job.id.replace("export_", "file_", 1) + "0001"
    api = f"{emulator.urls['batchcom']}/2.11/exports/download?id={file_id}"
    headers = {"Authorization": f"Bearer {account.password}", "X-Batch-Project": str(account.extra["project_key"])}
    if column.scene == "other_host":
        scene.heard = []
        target = hosts.enter_context(file_host(scene.job.content(1), scene.heard, emulator.world.bytes_per_second))
        emulator.add_fault(Fault("redirect", operation="download", location=target, times=99))
        scene.url, scene.headers = api, headers
    elif column.scene == "announced":
        scene.url = location_of(api, headers)
    else:
        # The API itself would refuse most engines at the next host, for bringing its headers along.
        scene.url = hosts.enter_context(link_host(lambda: location_of(api, headers)))


def _expire_after_first(emulator: Emulator) -> None:
    """Make links go stale once one of them has been used."""
    links = emulator.world.links
    used: list[str] = []
    verdict_of = links.fault_of

    def fault_of(method: str, path: str, query: dict[str, str]) -> tuple[str, str] | None:
        verdict = verdict_of(method, path, query)
        if verdict is None and method == "GET" and not used:
            used.append(path)
            links.expire_all()
        return verdict

    links.fault_of = fault_of  # type: ignore[method-assign]


def _change_behind(job: EmulatedJob, emulator: Emulator, requests: int) -> None:
    """Let the file have other bytes after so many requests for it."""
    links = emulator.world.links
    verdict_of, seen = links.fault_of, itertools.count(1)

    def fault_of(method: str, path: str, query: dict[str, str]) -> tuple[str, str] | None:
        if method == "GET" and next(seen) == requests + 1:
            job.revision += 1
        return verdict_of(method, path, query)

    links.fault_of = fault_of  # type: ignore[method-assign]


def _line_end(content: Content, at: int) -> int:
    """The byte behind the line that an offset is in."""
    offset = at
    for piece in content.chunks(at):
        if (found := piece.find(b"\n")) >= 0:
            return offset + found + 1
        offset += len(piece)
    return content.size


def _declare_to_google(content: Content) -> None:
    """Where checksums are declared, declare them in Google's header as well, the one that its library reads."""
    declared = content.checksum_headers

    def checksum_headers(*, whole: bool) -> list[tuple[str, str]]:
        headers = declared(whole=whole)
        md5 = dict(headers).get("content-md5")
        return [*headers, ("x-goog-hash", f"md5={md5}")] if md5 else headers

    content.checksum_headers = checksum_headers  # type: ignore[method-assign]
