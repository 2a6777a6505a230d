"""Which process runs which modules: those that share a server go to one, which starts it once."""

from __future__ import annotations

from typing import Any

import pytest

TOGETHER = ("tests/system/matrix/", "tests/transfer/sinks/azure/", "tests/ui/")


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
