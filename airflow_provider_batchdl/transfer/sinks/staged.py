"""Sink for every other fsspec store (SFTP, HDFS, memory, …): a sibling object, then a move."""

from __future__ import annotations

import contextlib
import secrets
from typing import TYPE_CHECKING, Any

from airflow_provider_batchdl.exceptions import DestinationError
from airflow_provider_batchdl.transfer.sinks.errors import already_there, destination_error, ended, no_object
from airflow_provider_batchdl.transfer.sinks.local.partial import cut
from airflow_provider_batchdl.transfer.sinks.stores import remove_object

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

BLOCK = 8 << 20
"""Bytes fsspec buffers before it sends (its default is 5 MiB, some stores' is 50 MiB)."""


class StagedSink:
    """A `Sink` that writes `<folder>/.<name>.<random>.part` and moves it over the target on `publish`.

    Limits, all the store's:
    the move is as atomic as the store's own (a rename on SFTP or HDFS; a server-side copy, then a delete, on object
    stores, where the copy appears at once but is billed as one more write; a plain copy on stores that have neither);
    listings show the `.part` object until then, and a worker killed outright leaves it; HDFS does not rename over an
    existing file, which then is a `DestinationError`. With `create_only` the store is asked right before the move,
    which is itself unconditional: a writer that creates the object in between is overwritten.
    """

    attested: tuple[str, ...] = ()

    def __init__(self, fs: AbstractFileSystem, path: str, uri: str, *, create_only: bool = False) -> None:
        self.uri = uri
        self.written = 0
        self._fs = fs
        self._target = path
        self._create_only = create_only
        folder, slash, name = path.rpartition("/")
        if not name:
            raise no_object(uri)
        self._folder = folder + slash
        # Cut, so that stores with a 255-byte limit take the longer one; `*?[` would be a glob to fsspec.
        self._name = cut("".join("_" if char in "*?[]" else char for char in name))
        self._file: Any = None
        self._finalized = False
        self._temporary = ""
        self._begin()

    def _begin(self) -> None:
        self.written = 0
        self._temporary = f"{self._folder}.{self._name}.{secrets.token_hex(8)}.part"
        with self._failing("create an object beside"):
            with contextlib.suppress(NotImplementedError, FileExistsError, PermissionError):
                # Object stores have no folders, or may not let us make a bucket; where one is needed, `open` says so.
                self._fs.makedirs(self._folder.rstrip("/") or "/", exist_ok=True)
            self._file = self._fs.open(self._temporary, "wb", block_size=BLOCK)

    def write(self, data: bytes | memoryview) -> None:
        """Append `data`. Raises `DestinationError` where the store refuses it."""
        file = self._open_file()
        view = memoryview(data).cast("B")
        with self._failing("write beside"):
            # Some files (SFTP, pipes) take less than they are offered.
            while view:
                taken = file.write(view)
                count = len(view) if taken is None else taken
                self.written += count
                view = view[count:]

    def restart(self) -> None:
        """Discard all bytes so far; restart from byte 0, under a new temporary name."""
        self._open_file()
        self.discard()
        self._begin()

    def finalize(self) -> None:
        """Close the temporary object and check its size; only the move is left."""
        file = self._open_file()
        with self._failing("finish an object beside"):
            file.close()
            self._check_size(self._temporary)
        self._finalized = True

    def publish(self) -> str | None:
        """Close, check the stored size, move onto the target. Returns the ETag where the store has one."""
        if not self._finalized:
            self.finalize()
        with self._failing("publish"):
            if self._create_only:
                self._fs.invalidate_cache(self._folder)
                if self._is_there():
                    self.discard()
                    raise already_there(self.uri)
            self._move()
        self._file, self._finalized = None, False
        return self._etag()

    def discard(self) -> None:
        """Cancel the upload and remove the temporary object. Never raises; may be called again."""
        file, self._file, self._finalized = self._file, None, False
        if file is None:
            return
        with contextlib.suppress(Exception):
            _cancel(file)
        with contextlib.suppress(Exception):
            self._fs.invalidate_cache(self._folder)
            remove_object(self._fs, self._temporary)

    def _is_there(self) -> bool:
        try:
            return bool(self._fs.info(self._target)["type"] != "directory")
        except FileNotFoundError:
            return False

    def _move(self) -> None:
        from fsspec.spec import AbstractFileSystem

        # fsspec's own `mv` reads `[` and `*` in names as patterns; a store's own is a rename.
        if type(self._fs).mv is not AbstractFileSystem.mv:
            self._fs.mv(self._temporary, self._target)
        else:
            self._fs.cp_file(self._temporary, self._target)
            with contextlib.suppress(Exception):
                # The result is visible and whole; a leftover must not make it look failed.
                remove_object(self._fs, self._temporary)
        self._fs.invalidate_cache(self._folder)

    def _check_size(self, path: str) -> None:
        self._fs.invalidate_cache(self._folder)
        size = self._fs.info(path).get("size")
        if size is not None and size != self.written:
            raise OSError(f"the store has {size} of {self.written} bytes")

    def _etag(self) -> str | None:
        with contextlib.suppress(Exception):
            info = self._fs.info(self._target)
            etag = info.get("ETag") or info.get("etag")
            return str(etag).strip('"') if etag else None
        return None

    def _open_file(self) -> Any:
        if self._file is None or self._finalized:
            raise ended(self.uri)
        return self._file

    @contextlib.contextmanager
    def _failing(self, doing: str) -> Any:
        try:
            yield
        except DestinationError:
            raise
        except Exception as error:  # noqa: BLE001  every store raises its own kinds
            self.discard()
            raise destination_error(self.uri, doing, error) from None


def _cancel(file: Any) -> None:
    """Cancel an upload where the store can, else close: the object has a temporary name and is removed next."""
    from fsspec.spec import AbstractBufferedFile

    if isinstance(file, AbstractBufferedFile) and type(file).discard is not AbstractBufferedFile.discard:
        # Closed by hand: `__del__` would flush a discarded buffer.
        try:
            file.discard()
        finally:
            file.closed = True
    else:
        file.close()
