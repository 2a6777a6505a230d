"""Packages as pip leaves them in a folder: a module, and metadata with entry points of vendors."""

from __future__ import annotations

from pathlib import Path

from airflow_provider_batchdl import vendors

WHOLE = """
from airflow_provider_batchdl.vendors.proofy import Proofy

class Acme(Proofy):
    name = "acme"
"""


def install(folder: Path, package: str, code: str, **entries: str) -> None:
    """Install a package of one module in a folder that is, or will be, on ``sys.path``.

    Args:
        folder: where.
        package: the distribution's name; the module's has ``_`` in it for each ``-``.
        code: the module's source.
        entries: vendors by name: ``acme="acme_batch:Acme"``.
    """
    module = package.replace("-", "_")
    (folder / f"{module}.py").write_text(code)
    metadata = folder / f"{module}-1.2.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.2\n")
    lines = "".join(f"{name} = {value}\n" for name, value in entries.items())
    (metadata / "entry_points.txt").write_text(f"[{vendors.ENTRY_POINT_GROUP}]\n{lines}")
