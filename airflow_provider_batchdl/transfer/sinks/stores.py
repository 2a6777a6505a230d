"""Which store a file system is of, and what every sink and clean-up needs of one: its paths, removing an object."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

Store: TypeAlias = Literal["local", "s3", "azure", "gcs", "other"]

_CLASSES: dict[Store, tuple[str, str]] = {
    "local": ("fsspec.implementations.local", "LocalFileSystem"),
    "s3": ("s3fs", "S3FileSystem"),
    "azure": ("adlfs", "AzureBlobFileSystem"),
    "gcs": ("gcsfs.core", "GCSFileSystem"),
}


def store_of(fs: AbstractFileSystem) -> Store:
    """The store that ``fs`` is of, by its class or a base of it.

    There is no such file system in a process that has not imported its module; importing s3fs to ask would cost 0.5 s.
    """
    for store, (module, name) in _CLASSES.items():
        loaded = sys.modules.get(module)
        if loaded is not None and isinstance(fs, getattr(loaded, name)):
            return store
    return "other"


def is_local(fs: AbstractFileSystem) -> bool:
    """True if ``fs`` is the local disk."""
    return store_of(fs) == "local"


def local_path(fs: AbstractFileSystem, path: str) -> str:
    """`path` on the local disk, without a scheme; an absolute one has none, and `fs` takes long to find that out."""
    plain = path.startswith("/") and not path.endswith("/")
    return path if plain else str(fs._strip_protocol(path))


def remove_object(fs: AbstractFileSystem, path: str) -> None:
    """Remove one object, if it exists; on a local disk, durably.

    Raises:
        Exception: what the store raises where it refuses.
    """
    try:
        fs.rm_file(path)
    except FileNotFoundError:
        return
    except NotImplementedError:  # adlfs 2025.8; the option keeps it from reading the path as a pattern
        fs.rm(path, expand_path=False)
    if is_local(fs):
        from airflow_provider_batchdl.transfer.sinks.local.fs import sync

        sync(fs._parent(path))
