"""Which process runs which modules, and when: those that share a server go to one, the longest begin first.

Two processes at most run Airflows of their own, each with several processes more.
"""

from __future__ import annotations

from typing import Any

import pytest

TOGETHER = (
    ("tests/system/matrix/", "tests/system/test_telemetry.py"),
    ("tests/system/",),
    ("tests/transfer/sinks/azure/",),
    ("tests/ui/",),
)
# The longest first, since all others wait for what began last. Of two processes each gets two modules at the beginning:
# the first and third, the second and fourth.
LONGEST = tuple(
    f"tests/system/{name}"
    for name in (
        "test_demo.py",
        *(f"matrix/test_{name}.py" for name in ("rolling_restart", "infrastructure", "users", "workers")),
        "matrix/",
        "test_dag_test.py",
        "",  # all others
    )
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(
        key=lambda item: next((at for at, name in enumerate(LONGEST) if item.nodeid.startswith(name)), len(LONGEST))
    )


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> object | None:
    """In the place of ``--dist loadfile``."""
    if config.getvalue("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    class ByServer(LoadFileScheduling):  # type: ignore[misc]  # xdist has no types for those who use it
        def _split_scope(self, nodeid: str) -> str:
            file: str = super()._split_scope(nodeid)
            return next((names[0] for names in TOGETHER if file.startswith(names)), file)

    return ByServer(config, log)
