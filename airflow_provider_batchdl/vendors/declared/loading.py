"""Documents by name: those that come with this package, and files beside a module."""

from __future__ import annotations

from functools import lru_cache
from importlib import resources
from pathlib import Path

from airflow_provider_batchdl.vendors.declared.document import Document
from airflow_provider_batchdl.vendors.declared.reading import DocumentError, read

_HERE = resources.files("airflow_provider_batchdl.vendors.declared")
_CATALOGUE = _HERE / "catalogue"
SUFFIXES = (".toml", ".json")


def bundled_names() -> list[str]:
    """The names of the documents that come with this package."""
    return sorted(each.name.removesuffix(".toml") for each in _CATALOGUE.iterdir() if each.name.endswith(".toml"))


@lru_cache(maxsize=64)
def bundled(name: str) -> Document:
    """A document that comes with this package, by one of its ``bundled_names``."""
    return read((_CATALOGUE / f"{name}.toml").read_bytes(), name)


def load(source: str | Path, beside: str | None) -> Document:
    """The document at a path, which starts ``beside`` a module's file, or the one of that name of this package."""
    path = Path(source)
    if path.suffix not in SUFFIXES:
        if str(source) in bundled_names():
            return bundled(str(source))
        known = ", ".join(bundled_names())
        raise DocumentError(f"it is no file ending in {' or '.join(SUFFIXES)}, and no name of {known}", str(source))
    if not path.is_absolute() and beside is not None:
        path = Path(beside).parent / path
    try:
        return read(path.read_bytes(), path.name)
    except OSError as error:
        raise DocumentError(f"it cannot be read ({error.strerror or type(error).__name__})", str(path)) from None


def skeleton(name: str) -> str:
    """The text of a commented document to start from, which can be used."""
    text = (_HERE / "skeleton.toml").read_text(encoding="utf-8")
    return text.replace('"acme"', f'"{name}"').replace('"Acme"', f'"{name.replace("_", " ").title()}"')
