"""What keeps tests apart: a secret of one is a word in the next."""

from __future__ import annotations

from importlib import import_module

import pytest

from airflow_provider_batchdl._redaction.redactor import redact, remember_recent
from airflow_provider_batchdl.hooks._account import mask

TEXT = "The partition_key is fine."


@pytest.mark.parametrize("order", ["first", "second"])
def test_a_secret_of_one_request_is_a_word_in_the_next_test(order: str) -> None:
    assert redact(TEXT) == TEXT, order
    remember_recent("partition_key")
    assert redact(TEXT) == "The *** is fine."


@pytest.mark.parametrize("order", ["first", "second"])
def test_a_secret_of_one_test_is_a_word_in_the_next(order: str) -> None:
    airflows = import_module("airflow.sdk._shared.secrets_masker").redact
    assert (redact(TEXT), airflows(TEXT)) == (TEXT, TEXT), order
    mask("partition_key")
    assert (redact(TEXT), airflows(TEXT)) == ("The *** is fine.", "The *** is fine.")
