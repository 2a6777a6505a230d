"""Many small results through one client into one local folder."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

from bench.measure import Case
from bench.scene import OURS, Scene
from bench.settings import SMALL_FILES


def measured(scene: Scene) -> Iterator[tuple[str, Case]]:
    """One table."""
    folder = scene.target.with_name("small")

    def emptied() -> None:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()

    many: dict[str, Any] = {"target": str(folder), "count": SMALL_FILES}
    yield scene.in_turn("small files", {
        OURS: scene.python("ours", **many, sha256=True),
        "httpx": scene.python("httpx", **many),
    }, prepare=emptied)  # fmt: skip
