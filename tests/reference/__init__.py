"""Pages of the reference that are read from the source; written by ``make reference``.

A page is a module with ``PATH``, where it lies, and ``rendered()``, its text.
"""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
