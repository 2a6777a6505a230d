"""JSON nested deep: as far as a limit, and told beyond it."""

from __future__ import annotations

import pytest

from airflow_provider_batchdl.transfer.content.json_nesting import FOLDS
from tests.transfer.content.verdicts import judge


@pytest.mark.parametrize("depth", [FOLDS - 1, FOLDS + 1, 500, 9_000])
@pytest.mark.parametrize("around", ["{}", '{{"list": {}, "x": 1}}'])
def test_deep_nesting(depth: int, around: str) -> None:
    data = around.format("[" * depth + "1" + "]" * depth).encode()
    assert judge("json", data)[:3] == ("ok", "json", 1)
    assert judge("json", data[: -depth // 2])[0] == "TruncatedDownloadError"
    padded = around.format("[" + "[[1]], " * 100_000 + "[" * depth + "]" * depth + "]").encode()
    assert judge("json", padded)[:3] == ("ok", "json", 100_001)


def test_endless_nesting_is_refused() -> None:
    assert judge("json", b"[" * 300_000)[0] == "UnexpectedResponseError"
    assert judge("json", b'{"a":' * 300_000)[0] == "UnexpectedResponseError"
