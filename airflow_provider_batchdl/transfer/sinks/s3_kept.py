"""Finding what a download that was stopped left on S3."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from airflow_provider_batchdl.redaction import get_logger
from airflow_provider_batchdl.transfer.sinks import s3_checkpoints
from airflow_provider_batchdl.transfer.sinks.errors import destination_error
from airflow_provider_batchdl.transfer.sinks.s3 import PartSizes, S3Sink
from airflow_provider_batchdl.transfer.sinks.s3_checkpoints import CheckpointedS3Sink
from airflow_provider_batchdl.transfer.sinks.s3_note import Beside, Note, digest_of, with_checksums
from airflow_provider_batchdl.transfer.sinks.s3_object import S3Object
from airflow_provider_batchdl.transfer.sinks.s3_upload import abort_upload, listed_parts, listing

if TYPE_CHECKING:
    from s3fs import S3FileSystem

    from airflow_provider_batchdl.transfer.state import StateStore

log = get_logger(__name__)


def s3_sink(
    fs: S3FileSystem,
    path: str,
    uri: str,
    *,
    expected_bytes: int | None = None,
    key: str | None = None,
    create_only: bool = False,
    state: StateStore | None = None,
) -> S3Sink:
    """The sink for a new object, which a next try can go on with where that is worth it; see `open_sink`."""
    if key is None or (expected_bytes or 0) < s3_checkpoints.WORTH_NOTING:
        return S3Sink(fs, path, uri, expected_bytes=expected_bytes, create_only=create_only)
    notes = state or Beside(fs, path)
    return CheckpointedS3Sink(
        fs, path, uri, notes=notes, key=key, expected_bytes=expected_bytes, create_only=create_only
    )


def kept_upload(
    fs: S3FileSystem, path: str, uri: str, key: str, *, state: StateStore | None = None, create_only: bool = False
) -> CheckpointedS3Sink | None:
    """The sink of a download that was stopped, at the last checkpoint that the store has all parts of.

    Args:
        fs: the file system.
        path: the target, or the folder it is in, ending in `/`.
        uri: the same for people.
        key: what the download was begun with.
        state: where it kept its note; None for beside the target.
        create_only: see `S3Sink`.

    Returns:
        The sink, its `mark` set; None where nothing can be gone on with. What is then left has been aborted.

    Raises:
        DestinationError: the store does not tell.
    """
    notes = state or Beside(fs, path)
    try:
        text = _read(notes, key)
        note = Note.from_json(text) if text is not None else None
        if text is not None and note is None:
            notes.delete(key)
        if note is None:
            return None
        bucket, wanted, _ = fs.split_path(path + note.mark.target if path.endswith("/") else path)
        if (note.bucket, note.key) != (bucket, wanted):
            return None  # another destination's: it is not ours to touch
        target = S3Object(fs, bucket, wanted, f"{bucket}/{wanted}")
        parts = _usable(target, note)
        if parts is None:
            abort_upload(target, note.upload_id)
            notes.delete(key)
            return None
    except Exception as error:  # noqa: BLE001  every store raises its own kinds
        raise destination_error(uri, "look for what an earlier try left of", error) from None
    return CheckpointedS3Sink(
        fs,
        target.path,
        uri + note.mark.target if path.endswith("/") else uri,
        notes=state or Beside(fs, target.path),
        key=key,
        create_only=create_only,
        kept=note,
        parts=parts,
    )


def _read(notes: StateStore, key: str) -> str | None:
    try:
        return notes.get(key)
    except PermissionError:
        # Who may only write, or not list, is told of nothing here; S3 says so also where nothing is.
        log.debug("What an earlier try may have noted cannot be read; beginning from zero.")
        return None


def _usable(target: S3Object, note: Note) -> tuple[dict[str, Any], ...] | None:
    """The parts before the checkpoint, where the store has them all, as they were."""
    if not note.parts or note.offset >= note.mark.total:
        log.info("An earlier try had uploaded too little to go on with; beginning again, from zero.")
        return None
    try:
        found = listed_parts(target, note.upload_id)
    except FileNotFoundError:
        log.info("The upload that an earlier try began is gone; beginning again, from zero.")
        return None
    sizes = PartSizes(note.base, note.fixed, note.grow_every, note.planned)
    numbers = range(1, note.parts + 1)
    whole = all(number in found and found[number].get("Size") == sizes.size(number) for number in numbers)
    parts = [listing(number, found[number]) for number in numbers] if whole else []
    if whole and sum(map(sizes.size, numbers)) == note.offset and digest_of(parts) == note.etags:
        with contextlib.suppress(ValueError):
            return tuple(with_checksums(parts, note.crc32))
    log.warning("The upload that an earlier try began is not as it was left; beginning again, from zero.")
    return None
