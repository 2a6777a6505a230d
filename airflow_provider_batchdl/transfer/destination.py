"""Where results go: an object, or a folder for objects under the vendor's file names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_batchdl.transfer.filenames import part_name, split_suffix

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

MANIFEST = "_manifest.json"
RECORDS = ".batchdl"  # readers of whole folders, like Spark, ignore names that begin with a dot
_REMOVALS = "4d616e6966657374"  # sixteen hex digits, as in the names of partial files


@dataclass(frozen=True)
class Destination:
    """Where results go.

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
        """Whether the vendor's file name is to be added."""
        return self.uri.endswith("/")

    def named(self, name: str) -> Destination:
        """The object called ``name`` in this folder, or beside this object."""
        if self.is_folder:
            return Destination(self.fs, self.path.rstrip("/") + "/" + name, self.uri + name)
        return Destination(self.fs, _sibling(self.path, name), _sibling(self.uri, name))

    def part(self, number: int | None, name: str) -> Destination:
        """Where part ``number`` (None: the only one) of a file called ``name`` goes."""
        if not self.is_folder:
            name = self.path.rpartition("/")[2]
            return self if number is None else self.named(part_name(name, number))
        return self.named(name if number is None else part_name(name, number))

    def manifest(self) -> Destination:
        """Where the manifest goes: beside an object it carries that object's name, since others may be there."""
        stem = "" if self.is_folder else split_suffix(self.path.rpartition("/")[2])[0]
        return self.named(stem + MANIFEST)

    def removals(self) -> Destination:
        """Where it is noted what a replaced manifest named, while that is removed; `sweep` finds it by its name."""
        manifest = self.manifest()
        return self.named(f".{manifest.path.rpartition('/')[2]}.{_REMOVALS}.part")

    def record(self, name: str) -> Destination:
        """Where a task's record of its job is, called ``name``; `sweep` finds it."""
        return self.named(f"{RECORDS}/{name}.json")


def _sibling(path: str, name: str) -> str:
    folder, slash, _ = path.rpartition("/")
    return folder + slash + name
