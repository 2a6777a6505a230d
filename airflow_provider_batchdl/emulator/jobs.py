"""A job at an emulated vendor: its states on the clock, and its result files."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_batchdl.emulator.content import BytesContent, Content, FileContent
from airflow_provider_batchdl.emulator.parquet import write_synthetic_parquet
from airflow_provider_batchdl.emulator.results import Recipe, ServedFile
from airflow_provider_batchdl.emulator.rows import MEDIA_TYPES
from airflow_provider_batchdl.emulator.states import LATER_LITERALS, LITERALS, Phase, phase_named
from airflow_provider_batchdl.emulator.synthetic import ResultSpec, SyntheticContent

if TYPE_CHECKING:
    from airflow_provider_batchdl.emulator.world import World

WORK_DONE_AT_CANCEL = 0.5
"""Share of the rows in the partial file of a job that was cancelled while it ran."""

ERRORS = 0
"""The file of failed requests, counted among the parts, which begin at 1."""


@dataclass(eq=False)
class EmulatedJob:
    r"""One job. Its state follows the clock until a test forces it.

    Attributes:
        id: the vendor's id, as text.
        vendor: vendor name.
        submitted_at: Unix time in seconds.
        filename: name of the uploaded file, where there was one.
        request: the submitted parameters.
        format: the result's format where no ``result`` says it; ``None`` is the vendor's usual one.
        cancelled: a client or a test asked for cancellation.
        forbidden: a vendor with permissions (ApartmentIQ) answers 403 about this job.
        message: the vendor's text about the job's state, which may be any text at all: half of a surrogate pair
            (``"\ud83d"``), U+0000, a megabyte.
        dated: what the vendor says of when the job was made, word for word, in the place of ``submitted_at``; only
            Batch.com and ApartmentIQ say that at all.
        cost: credits it takes on success.
        revision: how often its result was replaced by other bytes.
        errors: makes the file of the requests that failed, at a vendor that has one beside the result (OpenAI Batch).
        declares_checksums: every answer with its result declares the true checksums, as the fault ``checksum`` does
            for one.
    """

    id: str
    vendor: str
    submitted_at: float
    world: World = field(repr=False)
    filename: str | None = None
    request: dict[str, Any] = field(default_factory=dict)
    result: ResultSpec | None = None
    recipe: Recipe | None = field(default=None, repr=False)
    errors: Recipe | None = field(default=None, repr=False)
    upload: Path | None = field(default=None, repr=False)
    format: str | None = None
    cost: int = 0
    cancelled: bool = False
    forbidden: bool = False
    message: str = ""
    dated: str | None = None
    revision: int = 0
    declares_checksums: bool = False
    charged: bool = False
    doomed: str | None = None
    _forced: tuple[Phase, float] | None = field(default=None, repr=False)
    _held: str | None = field(default=None, repr=False)
    _cancel_asked: tuple[float, float] | None = field(default=None, repr=False)
    _made: dict[tuple[int, int, float], Content] = field(default_factory=dict, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @property
    def input(self) -> bytes | dict[str, Any]:
        """The submitted input: the uploaded bytes, or the request's parameters."""
        return self.upload.read_bytes() if self.upload else dict(self.request)

    # --- state

    @property
    def phase(self) -> Phase:
        """Where the job stands now."""
        now = self.world.clock.time()
        if self._forced:
            return self._forced[0]
        if self._cancel_asked:
            return Phase.CANCELLING if now < self._cancel_asked[1] else Phase.CANCELLED
        if self._held is not None:
            return phase_named(self.vendor, self._held) or Phase.RUNNING
        start = self.world.start_of(self)
        if now < start + self.world.run_seconds:
            return Phase.QUEUED if now < start else Phase.RUNNING
        return Phase.FAILED if self.doomed else Phase.SUCCEEDED

    @property
    def vendor_state(self) -> str:
        """Where the job stands now, in the vendor's word."""
        phase = self.phase
        if self._held is not None and not phase.is_terminal and phase is not Phase.CANCELLING:
            return self._held
        later = LATER_LITERALS.get(self.vendor, {}).get(phase)
        return later if later and self._is_late(phase) else self.literal(phase)

    def _is_late(self, phase: Phase) -> bool:
        """Tell whether the second half of a phase has begun."""
        queue, run = self.world.queue_seconds, self.world.run_seconds
        begun = self.submitted_at + queue / 2 if phase is Phase.QUEUED else self.world.start_of(self) + run / 2
        return self.world.clock.time() >= begun

    def literal(self, phase: Phase) -> str:
        """Return the vendor's word for a phase."""
        return LITERALS[self.vendor][phase]

    @property
    def started_at(self) -> float:
        """Unix time at which the job left, or will leave, the queue."""
        return min(self.world.start_of(self), self.ended_at or float("inf"))

    @property
    def ended_at(self) -> float | None:
        """Unix time at which the job reached, or will reach, its end; ``None`` while it is held."""
        end = self.end_if_started(self.world.start_of(self))
        return None if end == float("inf") else end

    def end_if_started(self, start: float) -> float:
        """Return the Unix time of the end of a job that leaves the queue at ``start``; infinite while it is held."""
        if self._forced:
            return self._forced[1]
        if self._cancel_asked:
            return self._cancel_asked[1]
        return start + self.world.run_seconds if self._held is None else float("inf")

    @property
    def changed_at(self) -> float:
        """Unix time of the last change of state so far."""
        now = self.world.clock.time()
        moments = [self.submitted_at, self.started_at, self.ended_at or 0.0]
        return max(moment for moment in moments if moment <= max(now, self.submitted_at))

    def finish(self) -> None:
        """Make the job succeed at once."""
        self._force(Phase.SUCCEEDED)

    def fail(self, message: str = "") -> None:
        """Make the job fail at once, with the vendor's message."""
        self.message = message
        self._force(Phase.FAILED)

    def expire(self) -> None:
        """Make the job expired at once, at a vendor that has such a state; at another, a `ValueError`."""
        if Phase.EXPIRED not in LITERALS[self.vendor]:
            raise ValueError(f"A job of {self.vendor} does not expire.")
        self._force(Phase.EXPIRED)

    def cancel(self) -> None:
        """Make the job cancelled at once."""
        self.cancelled = True
        self._force(Phase.CANCELLED)

    def hold(self, vendor_state: str) -> None:
        """Keep the job in a state, known or not, until it is finished, failed or cancelled.

        Args:
            vendor_state: the vendor's word; one that it is not known to have counts as running.
        """
        known = phase_named(self.vendor, vendor_state)
        if known and known.is_terminal:
            self._force(known)
        else:
            self._forced, self._cancel_asked, self._held = None, None, vendor_state

    def release(self) -> None:
        """Let a job that is held follow the clock again, as if it had been submitted now."""
        if self._held is not None:
            self._held, self.submitted_at = None, self.world.clock.time()

    def ask_to_cancel(self, *, lingering: bool) -> None:
        """Do what a client's cancellation does.

        Args:
            lingering: a running job takes a while (half of its run time) to stop.
        """
        now = self.world.clock.time()
        linger = self.world.run_seconds / 2 if lingering and self.phase is Phase.RUNNING else 0.0
        self._cancel_asked = (now, now + linger)
        self._held, self.cancelled = None, True

    def _force(self, phase: Phase) -> None:
        self._held, self._cancel_asked = None, None
        self._forced = (phase, self.world.clock.time())

    # --- results

    @property
    def parts(self) -> int:
        """Number of result files."""
        return self.result.parts if self.result else 1

    def part_name(self, part: int) -> str:
        """Return the file name of a part, counted from 1.

        Revenuebase's download carries the uploaded file's name (vendor's documentation). The others' names are not
        documented; these are inferences.
        """
        suffix = (self.result or ResultSpec(format=self.format)).format_for(self.vendor)
        match self.vendor:
            case "revenuebase":
                return self.filename or f"batch_{self.id}.{suffix}"
            case "batchcom":
                # The documentation calls the export a JSON file; one object per line is an inference.
                return f"{self.id}-part-{part}.{suffix}"
            case _:
                return f"{self.id.rpartition('/')[2]}.{suffix}"  # Shopify's ids are paths

    def part_number(self, part: int) -> int | str | None:
        """Return the number that the vendor shows for a part, counted from 1."""
        numbers = self.result.part_numbers if self.result else None
        return part if numbers is None else numbers[part - 1]

    @property
    def share(self) -> float:
        """The part of the rows, 0 to 1, that the job got done; below 1 where it was cancelled or has expired."""
        if self._cancel_asked or (self._forced and self._forced[0] in (Phase.CANCELLED, Phase.EXPIRED)):
            asked = self._cancel_asked[0] if self._cancel_asked else self._forced[1] if self._forced else 0.0
            return WORK_DONE_AT_CANCEL if asked >= self.world.start_of(self) else 0.0
        return 1.0

    def content(self, part: int = 1) -> Content:
        """Return the bytes of a part, made on first use (which may take a while: call it off the event loop)."""
        key = (part, self.revision, self.share)
        with self._lock:
            if key not in self._made:
                self._made[key] = self._make(*key)
            return self._made[key]

    def _make(self, part: int, revision: int, share: float) -> Content:
        recipe = self.errors if part == ERRORS else self.recipe
        if self.result:
            size = int(self.result.part_size(part) * (share or WORK_DONE_AT_CANCEL))
            return self._synthesize(
                self.result, size, f"{self.world.seed}:{self.id}:{self.result.seed}:{part}:{revision}"
            )
        if recipe is None:
            return BytesContent(b"", "application/octet-stream")
        path = self.world.spool_path()
        with path.open("wb") as file:
            recipe.write(file, revision, share)
        return FileContent(path, recipe.content_type)

    def _synthesize(self, spec: ResultSpec, size: int, seed: str) -> Content:
        format = spec.format_for(self.vendor)
        if format != "parquet":
            return SyntheticContent(self.vendor, format, size, seed)
        path = self.world.spool_path()
        write_synthetic_parquet(path, self.vendor, size, seed)
        return FileContent(path, MEDIA_TYPES["parquet"])

    def files(self) -> list[ServedFile]:
        """Return what a perfect download of the finished job yields; digests are computed by streaming, once."""
        contents = ((part, self.content(part)) for part in range(1, self.parts + 1))
        return [
            ServedFile(self.part_name(part), content.size, content.sha256, part, content.content_type)
            for part, content in contents
        ]
