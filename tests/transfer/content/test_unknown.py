"""Content of unknown format: web pages and stores' error messages are refused, all else passes."""

from __future__ import annotations

import pytest

from airflow_provider_batchdl.transfer.content import check_for
from tests.transfer.content.strategies import PAGES
from tests.transfer.content.verdicts import judge

OTHERS = [b"", b"<", b"<?xml version='1.0'?><report/>", b"<errors/>", b"anything", b"a <html> in the text", bytes(9)]


@pytest.mark.parametrize("size", [1, 100, None])
def test_of_unknown_content_only_pages_and_error_messages_are_refused(size: int | None) -> None:
    for page in PAGES:
        assert judge("unknown", page, size)[0] == "UnexpectedResponseError"
        assert judge("html", page, size)[0] == "ok"
    for other in OTHERS:
        assert judge("unknown", other, size)[:3] == ("ok", "unknown", None)
    assert check_for(None, "x.bin").evidence == "none"
