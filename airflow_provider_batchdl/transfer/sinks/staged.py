"""Sink for every other fsspec store (SFTP, HDFS, memory, …): a sibling object, then a move."""

from __future__ import annotations

import contextlib
import secrets
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_batchdl.transfer.sinks.buffered import Block, BlockSink, BlockSizes, Upload
from airflow_provider_batchdl.transfer.sinks.errors import no_object
from airflow_provider_batchdl.transfer.sinks.local.partial import cut
from airflow_provider_batchdl.transfer.sinks.stores import remove_object

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

BLOCK = 8 << 20
"""Bytes fsspec buffers before it sends (its default is 5 MiB, some stores' is 50 MiB)."""
_PIECE = 1 << 20
"""Bytes handed over to it at a time."""


class StagedSink(BlockSink["StagedUpload"]):
    """A `Sink` that writes `<folder>/.<name>.<random>.part` and moves it over the target on `publish`.

    Limits, all the store's:
    the move is as atomic as the store's own (a rename on SFTP or HDFS; a server-side copy, then a delete, on object
    stores, where the copy appears at once but is billed as one more write; a plain copy on stores that have neither);
    listings show the `.part` object until then, and a worker killed outright leaves it; HDFS does not rename over an
    existing file, which then is a `DestinationError`. With `create_only` the store is asked right before the move,
    which is itself unconditional: a writer that creates the object in between is overwritten.
    """

    def __init__(self, fs: AbstractFileSystem, path: str, uri: str, *, create_only: bool = False) -> None:
        if not path.rpartition("/")[2]:
            raise no_object(uri)
        new_upload = partial(StagedUpload, fs, path, create_only=create_only)
        super().__init__(uri, BlockSizes(_PIECE, fixed=True, grow_every=1), new_upload, create_only=create_only)


class StagedUpload(Upload):
    """A temporary object beside the target, written by this thread."""

    attested = False

    def __init__(self, fs: AbstractFileSystem, path: str, *, create_only: bool) -> None:
        super().__init__()
        self._fs = fs
        self._target = path
        self._create_only = create_only
        folder, slash, name = path.rpartition("/")
        self._folder = folder + slash
        # Cut, so that stores with a 255-byte limit take the longer one; `*?[` would be a glob to fsspec.
        name = cut("".join("_" if char in "*?[]" else char for char in name))
        self._temporary = f"{self._folder}.{name}.{secrets.token_hex(8)}.part"
        self._written = 0
        self._file: Any = None

    def send(self, block: Block) -> None:
        """See `Upload`."""
        file = self._open()
        self.begun += 1
        for piece in block.pieces(_PIECE):
            # Some files (SFTP, pipes) take less than they are offered.
            while piece:
                taken = file.write(piece)
                piece = piece[len(piece) if taken is None else taken :]  # noqa: PLW2901
        self._written += block.size

    def collect(self) -> None:
        """Do nothing: a block that was sent is written."""

    def finish(self, rest: Block | None = None) -> None:
        """Close the temporary object and check its size; only the move is left."""
        super().finish(rest)
        self._open().close()
        self._fs.invalidate_cache(self._folder)
        size = self._fs.info(self._temporary).get("size")
        if size is not None and size != self._written:
            raise OSError(f"the store has {size} of {self._written} bytes")

    def complete(self, rest: Block | None) -> object:
        """Move onto the target. Returns the ETag where the store has one."""
        if rest is not None:
            self.finish(rest)
        if self._create_only and self._is_there():
            raise FileExistsError(self._target)
        self._move()
        with contextlib.suppress(Exception):
            info = self._fs.info(self._target)
            return info.get("ETag") or info.get("etag")
        return None

    def abort(self) -> None:
        """Cancel the upload and remove the temporary object. Never raises."""
        file, self._file = self._file, None
        if file is None:
            return
        with contextlib.suppress(Exception):
            _cancel(file)
        with contextlib.suppress(Exception):
            self._fs.invalidate_cache(self._folder)
            remove_object(self._fs, self._temporary)

    def _open(self) -> Any:
        if self._file is None:
            with contextlib.suppress(NotImplementedError, FileExistsError, PermissionError):
                # Object stores have no folders, or may not let us make a bucket; where one is needed, `open` says so.
                self._fs.makedirs(self._folder.rstrip("/") or "/", exist_ok=True)
            self._file = self._fs.open(self._temporary, "wb", block_size=BLOCK)
        return self._file

    def _is_there(self) -> bool:
        self._fs.invalidate_cache(self._folder)
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
