"""Which process runs which modules: those that start Airflow beside the others, those that share a server in one."""

from __future__ import annotations

from typing import Any

import pytest

# So many processes take the modules of tests/system first: these mostly wait, and of more Airflows at once each would
# wait for the others.
WITH_AIRFLOW = 2
# Their modules go to one process, which starts their server once.
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

        def _assign_work_unit(self, node: Any) -> None:
            with_airflow = node in self.nodes[:WITH_AIRFLOW]
            fitting = (each for each in self.workqueue if each.startswith("tests/system/") == with_airflow)
            if (scope := next(fitting, None)) is not None:
                self.workqueue.move_to_end(scope, last=False)
            super()._assign_work_unit(node)

    return ByServer(config, log)
