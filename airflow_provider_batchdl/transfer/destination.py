"""A destination: an object, or a folder for objects under the vendor's file names."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from airflow_provider_batchdl.jobs import RESULT
from airflow_provider_batchdl.transfer.sinks.stores import is_local, local_path
from airflow_provider_batchdl.transfer.source.filenames import kind_name, part_name, split_suffix
from airflow_provider_batchdl.transfer.state import MANIFEST, WORK_FOLDER

if TYPE_CHECKING:
    from datetime import datetime

    from fsspec import AbstractFileSystem

_REPLACED = "4d616e6966657374"  # sixteen hex digits, as in the names of partial files


@dataclass(frozen=True)
class Destination:
    """An object or a folder in a store.

    Args:
        fs: the store.
        path: a path in it, as ``fs`` writes it; ends in ``/`` where it is a folder.
        uri: the same place for people and for ``ObjectStoragePath``.
    """

    fs: AbstractFileSystem
    path: str
    uri: str

    @property
    def is_folder(self) -> bool:
        """True for a folder, to which the vendor's file name is added."""
        return self.uri.endswith("/")

    def named(self, name: str) -> Destination:
        """The object called ``name`` in this folder, or beside this object."""
        if self.is_folder:
            return replace(self, path=f"{self.path.rstrip('/')}/{name}", uri=self.uri + name)
        path, uri = ("".join(each.rpartition("/")[:2]) + name for each in (self.path, self.uri))
        return replace(self, path=path, uri=uri)

    def part(self, number: int | None, name: str, kind: str = RESULT) -> Destination:
        """The object for part ``number`` (None: the only one) of a file called ``name``.

        A file of another kind than the results is beside them, the kind before its suffix: ``export.errors.csv``.
        """
        if not self.is_folder:
            name = self.path.rpartition("/")[2]
        if kind != RESULT:
            name = kind_name(name, kind)
        elif number is None and not self.is_folder:
            return self
        return self.named(name if number is None else part_name(name, number))

    def manifest(self) -> Destination:
        """The manifest; beside an object, its name starts with the object's, since others may be there."""
        return self.named(self._stem + MANIFEST)

    def replaced(self) -> Destination:
        """The record of what a new result replaces, until that is removed; `sweep` finds it by its name."""
        return self.named(f".{self._stem}_replaced.json.{_REPLACED}.part")

    def record(self, name: str) -> Destination:
        """The task's record of its job called ``name``; `sweep` finds it."""
        return self.named(f"{WORK_FOLDER}/{name}.json")

    @property
    def _stem(self) -> str:
        return "" if self.is_folder else split_suffix(self.path.rpartition("/")[2])[0]

    def info(self) -> dict[str, Any] | None:
        """The store's info of the object, past fsspec's cache; None where there is none. Raises the store's errors."""
        self.fs.invalidate_cache(self.path.rpartition("/")[0])
        try:
            if is_local(self.fs):
                os.lstat(local_path(self.fs, self.path))  # mostly nothing is there, and `info` takes long to find out
            info: dict[str, Any] = self.fs.info(self.path)
        except FileNotFoundError:
            return None
        # To an object store, a prefix with objects below it is no object.
        return None if info.get("type") == "directory" else info

    def modified(self) -> datetime | None:
        """Time at which the object was written; None where its store does not say. Raises the store's errors."""
        try:
            written: datetime = self.fs.modified(self.path)
        except NotImplementedError:
            return None
        return written
