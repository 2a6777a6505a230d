"""Plays a schedule with real parts and checks what must hold, whatever happened."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from airflow_provider_batchdl.emulator import EmulatedJob, Emulator, ResultSpec
from airflow_provider_batchdl.emulator.results import Recipe
from airflow_provider_batchdl.emulator.rows import DEFAULT_FORMAT, MEDIA_TYPES
from bench.faults.s3_proxy import s3_proxy
from tests.chaos.bound import wire_bound
from tests.chaos.downloads import Downloads, Outcome
from tests.chaos.places import OLD, BucketPlace, DiskPlace, Gate, Place
from tests.chaos.schedule import SMALLEST, Kill, Schedule
from tests.support.seaweedfs import S3Store

BUCKET = "chaos"
SPEED = 8 << 20
"""Bytes a second of each connection, where there may be several: a single one is slower than we are."""
PATIENCE = 60.0
"""Seconds in which every try must have ended; the longest that a schedule asks for is a few stalls."""


@dataclass
class Stage:
    """What all examples share.

    Attributes:
        emulator: the vendors.
        downloads: the processes to kill.
        folder: for destinations on the disk.
        bucket: makes a destination in S3; None where there is no S3.
        gate: kills at the S3 store's calls.
    """

    emulator: Emulator
    downloads: Downloads
    folder: Path
    bucket: Callable[[], Place] | None
    gate: Gate


@contextlib.contextmanager
def stage(folder: Path, store: S3Store | None) -> Iterator[Stage]:
    """Set up what all examples share.

    Args:
        folder: an empty one.
        store: the S3 server, where one is wanted.
    """
    gate = Gate()
    with contextlib.ExitStack() as stack:
        emulator = stack.enter_context(Emulator(rate_limits=False))
        downloads = Downloads(folder / "log")
        stack.callback(downloads.close)
        bucket = None
        if store is not None:
            client = store.client()
            stack.callback(client.close)
            client.create_bucket(Bucket=BUCKET)
            proxied = stack.enter_context(s3_proxy(store.endpoint_url, gate))
            options = {"endpoint_url": proxied, "key": store.access_key, "secret": store.secret_key}

            def bucket() -> Place:
                return BucketPlace(client, BUCKET, options)

        yield Stage(emulator, downloads, folder, bucket, gate)


def play(stage: Stage, schedule: Schedule) -> list[Outcome]:
    """Play one schedule; returns how its tries ended, the last of which landed the file.

    Raises:
        AssertionError: something is broken that must hold.
        TimeoutError: a try did not end.
    """
    stage.emulator.reset()
    stage.emulator.set_speed(SPEED if schedule.connections > 1 else None)
    job = make_job(stage.emulator, schedule)
    place: Place = DiskPlace(stage.folder, folder=schedule.folder)
    if schedule.to == "s3":
        assert stage.bucket is not None
        place = stage.bucket()
    if schedule.previous:
        place.put_old()
    for harm in schedule.faults:
        stage.emulator.add_fault(harm.fault(schedule.vendor))
    scene = _Scene(stage, schedule, job, place)
    try:
        scene.all_tries()
    finally:
        place.clear()
    return scene.tries


def make_job(emulator: Emulator, schedule: Schedule) -> EmulatedJob:
    """The job whose result has exactly the schedule's size."""
    world, kind = emulator.world, DEFAULT_FORMAT[schedule.vendor]
    spec = ResultSpec(bytes=schedule.size, format=kind) if schedule.size >= SMALLEST else None

    def write(file: Any, revision: int, share: float) -> None:
        file.write(b"0123456789"[revision : revision + 1] * schedule.size)

    recipe = None if spec else Recipe(MEDIA_TYPES[kind], write)
    job = world.add_job(schedule.vendor, result=spec, recipe=recipe)
    job.declares_checksums = schedule.declared
    job.finish()
    return job


class _Scene:
    def __init__(self, stage: Stage, schedule: Schedule, job: EmulatedJob, place: Place) -> None:
        self.stage, self.schedule, self.job, self.place = stage, schedule, job, place
        self.tries: list[Outcome] = []
        self.orphans: set[str] = set()

    def all_tries(self) -> None:
        for kill in (*self.schedule.kills, None):
            if self.attempt(kill).landing:
                break
        else:
            # The last one failed, as it may. What that left must not be in the way once the source is well again.
            self.stage.emulator.clear_faults()
            last = self.attempt(None)
            assert last.landing, f"nothing is wrong any more, and yet: {last.error}"
        bound = wire_bound(self.schedule, self.tries)
        taken = sum(outcome.wire for outcome in self.tries)
        assert self.schedule.size <= taken <= bound, f"{taken:,} bytes on the wire, bound {bound:,}: {self.tries}"

    def attempt(self, kill: Kill | None) -> Outcome:
        """One try, and what must hold after it."""
        self.stage.gate.arm(kill)
        outcome = self.stage.downloads.run(self.order(kill), patience=PATIENCE, began=self.stage.gate.began)
        self.stage.gate.arm(None)
        self.tries.append(outcome)
        assert outcome.code == 0 or (kill and outcome.killed), f"exit {outcome.code}\n{self.stage.downloads.log}"
        assert outcome.typed, f"{outcome.error}\n{self.stage.downloads.log}"
        self.check_visible()
        if outcome.landing:
            self.check_landed(outcome)
        elif outcome.killed and not self.place.hidden():
            # Too small to be noted, or killed before it was: only the bucket's rules and `sweep` find these.
            self.orphans |= self.place.uploads()
        else:
            assert outcome.killed or self.place.uploads() <= self.orphans
        return outcome

    def check_visible(self) -> None:
        """Nothing is there, or what was before, or one whole version of the file."""
        visible = self.place.visible()
        assert len(visible) <= 1, sorted(visible)
        assert visible or not self.schedule.previous, "the older result is gone"
        for content in visible.values():
            if not (content == OLD and self.schedule.previous):
                found = hashlib.sha256(content).hexdigest()
                assert found in self.versions(), f"{len(content):,} bytes that are no version of the file"

    def check_landed(self, outcome: Outcome) -> None:
        assert outcome.landing is not None
        [landed] = outcome.landing.files
        [(name, content)] = self.place.visible().items()
        assert landed.uri.rpartition("/")[2] == name
        found = hashlib.sha256(content).hexdigest()
        assert found in self.versions()
        # An upload to S3 that another process resumed has none: the store compared the whole object instead.
        assert landed.sha256 == found or (self.place.s3 and landed.sha256 is None and outcome.landing.resumed)
        assert not self.place.s3 or "store-checksum" in landed.verified_by
        assert landed.bytes == len(content) == self.schedule.size
        assert self.place.hidden() == []
        assert self.place.uploads() == set()

    def versions(self) -> set[str]:
        """Digests of the file as the server has had it."""
        return {content.sha256 for content in self.job._made.values()}

    def order(self, kill: Kill | None) -> dict[str, Any]:
        """The line for the fork server."""
        vendor, account = self.schedule.vendor, self.stage.emulator.credentials[self.schedule.vendor]
        by_itself = kill is not None and (kill.where == "byte" or self.place.s3 is None)
        return {
            "vendor": vendor, "job_id": self.job.id, "url": self.stage.emulator.urls[vendor],
            "password": account.password, "login": account.login, "extra": {**account.extra, "rate_limit": "100000/1"},
            "ports": [self.stage.emulator.port, self.stage.emulator.store_port],
            "path": self.place.path, "s3": self.place.s3,
            "kill": {kill.where: kill.at} if kill and by_itself else None,
            "options": {"max_connections": self.schedule.connections},
        }  # fmt: skip
