from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_batchdl.vendors.pointers import value_at


@pytest.mark.parametrize(
    ("pointer", "value"),
    [("/a", 1), ("/b/c", 2), ("/d~1e/~0f", 3), ("/none", None), ("/a/x", None), ("/b", {"c": 2})],
)
def test_pointers(pointer: str, value: Any) -> None:
    assert value_at({"a": 1, "b": {"c": 2}, "d/e": {"~f": 3}}, pointer) == value
