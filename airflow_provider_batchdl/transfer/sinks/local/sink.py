"""Sink for local files: a partial in the target's folder, fsync, rename."""

from __future__ import annotations

import contextlib
import errno
import os
import resource
from collections.abc import Iterator
from dataclasses import replace

from airflow_provider_batchdl.exceptions import DestinationError
from airflow_provider_batchdl.transfer.reorder_buffer import FileReorderBuffer, read_back
from airflow_provider_batchdl.transfer.sinks.base import DurableSink
from airflow_provider_batchdl.transfer.sinks.errors import already_there, destination_error, ended
from airflow_provider_batchdl.transfer.sinks.local import fs, partial
from airflow_provider_batchdl.transfer.state import PartialRecord, boot_id

WORTH_RESUMING = 1 << 20
"""Bytes below which downloading a file again is faster than resuming it."""
SYNC_EVERY = 1 << 30
"""Bytes after which they are flushed to the disk, to be resumed after a crash of the machine."""


class LocalSink(DurableSink):
    """A `Sink` for one local file.

    Bytes go to a partial `.batchdl/.<name>.<key>.part` in the target's own folder, so that the final rename stays on
    one file system and is atomic (POSIX `rename`). `.batchdl` is removed when it is empty. Where it is another user's,
    the partial is beside the target. The target's folder is created where it is missing, and left by `discard`: another
    task may be about to write into it.

    A symbolic link at the target is replaced by the new file, as `mv` does: writing through it would change a file
    outside the folder that the user named. Links among the parent folders are followed. An existing file is replaced
    with a new one under the worker's umask: readers that have it open keep the old content, and its mode and owner are
    not copied.

    A killed worker (SIGKILL) leaves its partial, and beside it, as `….part.json`, the record that `remember` was given
    (for large files only): `resumable_sink` with the same key resumes it. `publish` removes what other tries left for
    the same target, and `transfer.sweep` removes the rest. A second writer with the same key, while the first is alive,
    gets a partial of its own, which no try resumes.

    The arguments are those of `open_sink`; with ``keep_bytes`` an earlier try's bytes stay, for `resume`.
    """

    def __init__(
        self,
        path: str,
        uri: str,
        *,
        expected_bytes: int | None = None,
        key: str | None = None,
        keep_bytes: bool = False,
        create_only: bool = False,
    ) -> None:
        self.uri = uri
        self.written = self._flushed = 0
        self.partial_record: PartialRecord | None = None
        self.landed: tuple[tuple[int, int], ...] = ()
        self._target = path
        self._create_only = create_only
        self._key = key
        self._folder, self._name = os.path.split(path)
        self._work_folder = self._temporary = ""
        self._fd: int | None = None
        self._keyed = False
        self._finalized: os.stat_result | None = None
        fs.refuse_target(path, uri)
        with self._failing("create the file"):
            for tries in range(8, 0, -1):
                try:
                    self._open(keep_bytes=keep_bytes, expected_bytes=expected_bytes)
                    break
                except FileNotFoundError:
                    # The folder is missing for its first file; or another process has removed an empty `.batchdl`.
                    if tries == 1:
                        raise
                    os.makedirs(self._folder or ".", exist_ok=True)

    def _open(self, *, keep_bytes: bool, expected_bytes: int | None) -> None:
        self._work_folder = partial.make_work_folder(self._folder)
        if self._key is not None:
            path = partial.path_of(self._work_folder, self._name, self._key)
            self._fd = partial.lock(path)
            if self._fd is not None:
                self._temporary, self._keyed = path, True
                if not keep_bytes:
                    partial.remove_state(path)
                    if os.fstat(self._fd).st_size:
                        os.ftruncate(self._fd, 0)
        if self._fd is None:
            self._temporary, self._fd = partial.create(self._work_folder, self._name)
        if expected_bytes is not None and expected_bytes >= WORTH_RESUMING:
            partial.check_room(self._work_folder, self._name, self._key, expected_bytes)

    def resume(self) -> bool:
        """Keep the bytes of an earlier try, as far as its record vouches for them. Returns whether there are any."""
        fd = self._descriptor()
        # Read again, under the lock: another process may have had the file since it was found.
        record = PartialRecord.from_json(partial.read_state(self._temporary)) if self._keyed else None
        with self._failing("resume the partial file"):
            size = os.fstat(fd).st_size
            at = record.trusted(size) if record else 0
            self.landed = record.beyond(at, size) if record and at else ()
            os.ftruncate(fd, self.landed[-1][1] if self.landed else at)
            os.lseek(fd, at, os.SEEK_SET)
            if record and at and record.boot != boot_id():
                # The bytes so far were on the disk; those that follow are in this machine's page cache.
                record = self._store(replace(record, durable=at))
        self.written, self._flushed, self.partial_record = at, at, record
        return at > 0

    def replay(self) -> Iterator[bytes]:
        """Read back all bytes so far, in pieces of at most 1 MiB."""
        with self._failing("read back"):
            yield from read_back(self._descriptor(), 0, self.written)

    def is_worth_resuming(self, total: int) -> bool:
        """True if `remember` would store the record."""
        return self._keyed and total >= WORTH_RESUMING

    def remember(self, partial_record: PartialRecord) -> None:
        """Store the record beside the partial, for the next try to resume it."""
        if self.is_worth_resuming(partial_record.total):
            with self._failing("update the partial file"):
                self.partial_record = self._store(replace(partial_record, target=self._name, durable=0))

    def write(self, data: bytes | memoryview) -> None:
        """Append `data`."""
        fd = self._descriptor()
        view = memoryview(data).cast("B")
        with self._failing("write"):
            while view:
                count = os.write(fd, view)
                self.written += count
                view = view[count:]
            if self.written - self._flushed >= fs.FLUSH_EVERY:
                self._flushed = fs.start_flush(fd, self._flushed, self.written)
            record = self.partial_record
            if record is not None and self.written - record.durable >= SYNC_EVERY and fs.flush(fd):
                self.partial_record = self._store(replace(record, durable=self.written))

    def reorder_buffer(self) -> FileReorderBuffer:
        """The buffer by which several threads write at any offset; call `record_progress` for what they wrote."""
        return FileReorderBuffer(self._descriptor())

    def record_progress(self, at: int, landed: tuple[tuple[int, int], ...]) -> None:
        """Record which bytes are present, for the next try: all before `at`, and the intervals of `landed`."""
        fd = self._descriptor()
        self.written, self.landed = at, tuple(interval for interval in landed if interval[1] > at)
        with self._failing("update the partial file"):
            os.lseek(fd, at, os.SEEK_SET)
            if self.partial_record is not None:
                durable = self.partial_record.durable
                if at - durable >= SYNC_EVERY and fs.flush(fd):
                    durable = at
                self.partial_record = self._store(replace(self.partial_record, landed=landed, durable=durable))

    def truncate(self, at: int) -> None:
        """Drop everything after the first `at` bytes."""
        with self._failing("update the partial file"):
            # The file first: a record without intervals vouches for all its bytes, and after `at` there are holes.
            os.ftruncate(self._descriptor(), at)
        self.record_progress(at, ())

    def restart(self) -> None:
        """Drop all bytes so far and restart from byte 0."""
        fd = self._descriptor()
        with self._failing("restart"):
            # The record first: it must never be beside another file's bytes.
            if self._keyed:
                partial.remove_state(self._temporary)
            os.ftruncate(fd, 0)
            os.lseek(fd, 0, os.SEEK_SET)
        self.written, self._flushed, self.partial_record, self.landed = 0, 0, None, ()

    def finalize(self) -> None:
        """Flush to the disk; only the rename is left. The lock is held, unless descriptors may run out."""
        fd = self._descriptor()
        with self._failing("flush"):
            fs.flush(fd)
            self._finalized = os.fstat(fd)
            limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
            if 0 < limit // 2 <= fd:
                self._fd = None
                os.close(fd)

    def publish(self) -> None:
        """Flush to the disk, then rename onto the target. A local file has no ETag: returns None."""
        if self._finalized is None:
            self.finalize()
        with self._failing("publish"):
            self._lock_again()
            if self.partial_record is not None:
                # Before the rename frees the name: a record beside it afterwards would be another writer's.
                partial.remove_state(self._temporary)
            if self._create_only:
                try:
                    fs.rename_unless_taken(self._temporary, self._target)
                except FileExistsError:
                    raise already_there(self.uri) from None
            else:
                fs.refuse_target(self._target, self.uri)
                os.replace(self._temporary, self._target)
            self._close()
        fs.sync(self._folder)
        if not self._remove_work_folder():
            partial.remove_unused(self._work_folder, self._name, self._key)
            self._remove_work_folder()
        self._work_folder = self._folder  # nothing of this sink is left there

    def discard(self) -> None:
        """Remove the partial, while its lock is held, and close it. Never raises; may be called again."""
        if self._fd is not None and partial.leads_to(self._temporary, self._fd):
            partial.remove(self._temporary)
        elif self._temporary:
            partial.remove_if_unused(self._temporary)
        self._close()
        self._remove_work_folder()

    def suspend(self) -> None:
        """See `DurableSink`."""
        if self.partial_record is None:
            self.discard()
        self._close()

    def _close(self) -> None:
        fd, self._fd, self._temporary, self._finalized = self._fd, None, "", None
        if fd is not None:
            with contextlib.suppress(OSError):
                os.close(fd)

    def _remove_work_folder(self) -> bool:
        return self._work_folder != self._folder and partial.remove_work_folder(self._work_folder)

    def _lock_again(self) -> None:
        """Check that the file is still ours; lock it again where its lock was given up."""
        if self._fd is None:
            self._fd = partial.lock_existing(self._temporary, unchanged=self._finalized)
            if self._fd is None:
                self._temporary = ""  # by now another writer's
                raise OSError(errno.EBUSY, "another process has taken the partial file")
        if self._keyed:
            partial.check_name(self._temporary, self._fd)

    def _store(self, record: PartialRecord) -> PartialRecord:
        """Store `record`, as this boot's, beside the partial; return it."""
        record = replace(record, boot=boot_id())
        partial.check_name(self._temporary, self._descriptor())
        partial.write_state(self._temporary, record.to_json())
        return record

    def _descriptor(self) -> int:
        if self._fd is None or self._finalized is not None:
            raise ended(self.uri)
        return self._fd

    @contextlib.contextmanager
    def _failing(self, doing: str) -> Iterator[None]:
        try:
            yield
        except (DestinationError, OSError) as error:
            self.discard()
            if isinstance(error, DestinationError):
                raise
            raise destination_error(self.uri, doing, error) from error


def resumable_sink(path: str, uri: str, key: str, *, create_only: bool = False) -> LocalSink | None:
    """The sink of a download that was stopped, with its bytes; None where there is nothing to resume.

    `path` is the target, or its folder, ending in `/`; `key` that of the stopped download.
    """
    folder, name = os.path.split(path)
    work = partial.work_folder(folder)
    for temporary in [partial.path_of(work, name, key)] if name else partial.find(work, key=key):
        record = PartialRecord.from_json(partial.read_state(temporary))
        target = record.target if record else ""
        if target in ("", ".", "..") or os.path.basename(target) != target or name not in ("", target):
            continue
        if partial.path_of(work, target, key) != temporary or not os.path.lexists(temporary):
            continue
        try:
            place = os.path.join(folder, target), uri if name else uri + target
            sink = LocalSink(*place, key=key, keep_bytes=True, create_only=create_only)
        except DestinationError:
            continue  # the download will raise it
        if sink.resume():
            return sink
        sink.discard()
    return None
