"""Which process runs which modules, and when: those that share a server go to one, the longest begin first."""

from __future__ import annotations

from typing import Any

import pytest

TOGETHER = ("tests/system/matrix/", "tests/transfer/sinks/azure/", "tests/ui/")
# What begins last is what all others wait for at the end.
LONGEST = ("tests/system/test_demo.py", "tests/system/matrix/")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: not item.nodeid.startswith(LONGEST))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> object | None:
    """In the place of ``--dist loadfile``."""
    if config.getvalue("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    class ByServer(LoadFileScheduling):  # type: ignore[misc]  # xdist has no types for those who use it
        def _split_scope(self, nodeid: str) -> str:
            file: str = super()._split_scope(nodeid)
            return next((folder for folder in TOGETHER if file.startswith(folder)), file)

    return ByServer(config, log)
