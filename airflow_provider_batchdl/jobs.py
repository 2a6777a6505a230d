"""Jobs, result files and finished downloads, the same for all vendors.

All are frozen and turn into plain JSON and back (``to_dict``/``from_dict``), so that they pass through XCom,
trigger events and manifests. What goes out is storable (``_values/storable.py``), whatever a vendor wrote into it.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import Any, Self

from airflow_provider_batchdl._values.storable import bounded_text, storable, storable_number, storable_text

__all__ = ["Job", "JobState", "LandedFile", "Landing", "ResultFile"]

RESULT = "result"
"""Kind of the files that a job is run for."""
_KIND = re.compile(r"[a-z0-9]+(?:[_-][a-z0-9]+)*", re.ASCII)
LONGEST_KIND = 32
_URL = re.compile(r"\s*https?:", re.IGNORECASE)

# Characters of a vendor's word for a state, and of a file's name, whose end counts: the rest is noise.
LONGEST_STATE = 200
LONGEST_NAME = 1_000


class JobState(StrEnum):
    """State of a job. The vendor's own state is in :attr:`Job.vendor_state`."""

    PENDING = "pending"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_terminal(self) -> bool:
        """True if the vendor will not change this state any more."""
        return self in (JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED)


def _set(value: object, **fields: object) -> None:
    """Set fields of a frozen dataclass while it is made."""
    for name, content in fields.items():
        object.__setattr__(value, name, content)


def _name(name: str | None) -> str | None:
    """A file's name; of a URL, whose query may be a signature, the last segment of its path."""
    if name is None:
        return None
    text = storable_text(name)
    if _URL.match(text):
        text = re.split(r"[?#]", text, maxsplit=1)[0].rstrip("/").rpartition("/")[2]
    return text[-LONGEST_NAME:]


def is_kind(text: object) -> bool:
    """True if ``text`` can be the kind of a file: it becomes a part of the name of a file."""
    return isinstance(text, str) and len(text) <= LONGEST_KIND and _KIND.fullmatch(text) is not None


class _Json:
    """JSON out and in for the flat dataclasses below; unknown members of a newer version are ignored."""

    def to_dict(self) -> dict[str, Any]:
        """The value as plain JSON (dict, list, str, int, float, bool, None)."""
        return storable(asdict(self))  # type: ignore[call-overload,no-any-return]

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """The value that :meth:`to_dict` described."""
        known = {field.name for field in fields(cls)}  # type: ignore[arg-type]
        values = {name: tuple(value) if isinstance(value, list) else value for name, value in data.items()}
        return cls(**{name: value for name, value in values.items() if name in known})


@dataclass(frozen=True)
class ResultFile(_Json):
    """One file of a job's result, as the vendor announces it.

    Args:
        id: what the vendor's download call takes; not a URL, see ``Vendor.locate``.
        name: the file's name, where announced.
        size: bytes, where announced.
        part: 1-based number where a result comes in several parts.
        kind: ``result``, or what else comes with a result: ``errors``, for example.

    Raises:
        ValueError: a kind that is not one word of ``a-z``, ``0-9``, ``_`` and ``-``.
    """

    id: str
    name: str | None = None
    size: int | None = None
    part: int | None = None
    kind: str = RESULT

    def __post_init__(self) -> None:
        """Make the vendor's values storable."""
        if not is_kind(self.kind):
            raise ValueError(f"the kind of a result file is one word like 'errors', not {self.kind!r:.60}")
        _set(self, id=storable_text(self.id), name=_name(self.name))
        _set(self, size=storable_number(self.size), part=storable_number(self.part))


@dataclass(frozen=True)
class Job(_Json):
    """One job at a vendor.

    Args:
        id: the vendor's id, always a string here.
        state: where it stands.
        vendor_state: the vendor's own word for that.
        message: the vendor's words about it, the reason of a failure above all.
        progress: share done, 0.0 to 1.0, where the vendor reports it.
        files: result files, where the job lists them.
        name: the file name it was submitted under, where there is one.
        records: records done so far, where the vendor counts them without a total.
    """

    id: str
    state: JobState
    vendor_state: str
    message: str | None = None
    progress: float | None = None
    files: tuple[ResultFile, ...] = ()
    name: str | None = None
    records: int | None = None

    def __post_init__(self) -> None:
        """Make the vendor's values storable."""
        _set(self, id=storable_text(self.id), vendor_state=bounded_text(self.vendor_state, LONGEST_STATE))
        _set(self, message=None if self.message is None else bounded_text(self.message))
        _set(self, progress=storable_number(self.progress), name=_name(self.name))
        _set(self, records=storable_number(self.records))

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """The job that :meth:`to_dict` described."""
        files = tuple(ResultFile.from_dict(file) for file in data.get("files", ()))
        return super().from_dict({**data, "state": JobState(data["state"]), "files": files})


@dataclass(frozen=True)
class LandedFile(_Json):
    """One object that a download left at its destination, whole and verified.

    Args:
        uri: where it is; ``ObjectStoragePath`` opens it.
        bytes: its size.
        sha256: hex digest of its bytes, computed as they passed; None where that was turned off, or where an upload to
            S3 was resumed by another process.
        etag: the strong validator of the source, where it had one.
        content_type: as the source declared it.
        source_name: the vendor's name for the file, made safe.
        part: 1-based, where the result has several parts of its kind.
        rows: records counted on the way (CSV without its header, JSON lines, array items), where that is known.
        verified_by: what proved it whole: ``sha256``, ``md5``, … (a declared checksum), ``content-length``,
            ``chunked`` (the framing's own end), ``announced-size`` (the vendor's), ``read-twice``; what its content
            adds: ``json``, ``gzip``, ``zip``, ``parquet`` (its own end), ``csv-end``, ``jsonl-end`` (the last record is
            whole); and ``store-checksum``, where the store compared the whole object with what was sent.
            docs/downloads.md says what each is worth.
        kind: ``result``, or what else came with the result: ``errors``, for example.
        pages: number of pages that were joined into it; None where they were not to be joined.
    """

    uri: str
    bytes: int
    sha256: str | None
    etag: str | None = None
    content_type: str | None = None
    source_name: str | None = None
    part: int | None = None
    rows: int | None = None
    verified_by: tuple[str, ...] = ("nothing",)
    kind: str = RESULT
    pages: int | None = None


@dataclass(frozen=True)
class Landing(_Json):
    """Outcome of one download.

    Args:
        job_id: the vendor's id of the job.
        vendor: the vendor's name.
        files: the objects, in order of their parts, results first.
        bytes: sum of the files' bytes.
        seconds: wall time from the first request to the last publication.
        resumed: how often a transfer was interrupted and resumed.
        restarted: how often it could not resume and restarted from byte 0.
        connections: the most that a file was fetched by at once.
        verified_by: what held for every file; ``nothing`` where no proof is common to all.
    """

    job_id: str
    vendor: str
    files: tuple[LandedFile, ...]
    bytes: int
    seconds: float
    resumed: int = 0
    restarted: int = 0
    connections: int = 1
    verified_by: tuple[str, ...] = ("nothing",)

    @property
    def results(self) -> tuple[LandedFile, ...]:
        """The files of kind ``result``."""
        return tuple(file for file in self.files if file.kind == RESULT)

    @property
    def rows(self) -> int | None:
        """Records of all results together; None where one of them is not counted."""
        counts = [file.rows for file in self.results]
        return None if None in counts else sum(filter(None, counts))

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """The landing that :meth:`to_dict` described."""
        return super().from_dict({**data, "files": tuple(LandedFile.from_dict(file) for file in data["files"])})


def progress_of(job: Job) -> str | None:
    """Progress of a job for people: a share, or a count of records where the total is unknown."""
    if job.progress is not None:
        return f"{job.progress:.0%}"
    return None if job.records is None else f"{job.records:,} records"


def state_words(job: Job) -> str:
    """The vendor's word for a job's state, with the progress if it is known, for people."""
    progress = progress_of(job)
    return job.vendor_state if progress is None else f"{job.vendor_state} ({progress})"
