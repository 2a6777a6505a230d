"""A destination: an object, or a folder for objects under the vendor's file names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_batchdl.jobs import RESULT
from airflow_provider_batchdl.transfer.source.filenames import kind_name, part_name, split_suffix
from airflow_provider_batchdl.transfer.state import WORK_FOLDER

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

MANIFEST = "_manifest.json"
_REMOVALS = "4d616e6966657374"  # sixteen hex digits, as in the names of partial files


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
            return Destination(self.fs, self.path.rstrip("/") + "/" + name, self.uri + name)
        return Destination(self.fs, _sibling(self.path, name), _sibling(self.uri, name))

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
        stem = "" if self.is_folder else split_suffix(self.path.rpartition("/")[2])[0]
        return self.named(stem + MANIFEST)

    def removals(self) -> Destination:
        """The record of what a replaced manifest named, while that is being removed; `sweep` finds it by its name."""
        manifest = self.manifest()
        return self.named(f".{manifest.path.rpartition('/')[2]}.{_REMOVALS}.part")

    def replaced(self) -> Destination:
        """The record of what ``keep="latest"`` replaces, until that is removed; no partial file of the manifest."""
        stem = "" if self.is_folder else split_suffix(self.path.rpartition("/")[2])[0]
        return self.named(f".{stem}_replaced.json.{_REMOVALS}.part")

    def record(self, name: str) -> Destination:
        """The task's record of its job called ``name``; `sweep` finds it."""
        return self.named(f"{WORK_FOLDER}/{name}.json")


def _sibling(path: str, name: str) -> str:
    folder, slash, _ = path.rpartition("/")
    return folder + slash + name
