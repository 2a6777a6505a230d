from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_batchdl.exceptions import InvalidRequestError
from airflow_provider_batchdl.vendors.requests import as_texts
from tests.vendors.declared.documents import changed, vendor_of


@pytest.mark.parametrize("name", ["tags", ""])
@pytest.mark.parametrize("value", [["a"], {"a": 1}])
def test_a_member_that_is_no_text_goes_into_no_query(name: str, value: Any) -> None:
    with pytest.raises(InvalidRequestError, match=r"which '(tags)?' cannot: it is no text or number"):
        as_texts(vendor_of(changed()), {"good": 1, name: value}, "query")


def test_texts_of_a_request() -> None:
    given = {"a": True, "b": None, "c": 1.5, "d": "x"}
    assert as_texts(vendor_of(changed()), given, "query") == {"a": "true", "c": "1.5", "d": "x"}
