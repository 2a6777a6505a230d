"""The tree of errors is the printed one, and every error survives the ways it travels."""

from __future__ import annotations

import copy
import json
import pickle
import re
import traceback
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_batchdl import exceptions
from airflow_provider_batchdl._redaction.redactor import remember
from airflow_provider_batchdl.exceptions import BatchDlError, VendorUnavailableError


def kinds(root: type[BatchDlError] = BatchDlError) -> list[type[BatchDlError]]:
    """The classes of this module, parents first; other packages may have subclasses of their own."""
    found = [root] if root.__module__ == exceptions.__name__ else []
    for child in root.__subclasses__():
        found += kinds(child)
    return found


def printed_tree() -> dict[str, tuple[str, bool]]:
    """Name of each class in the docstring, with its parent's name and whether it says retryable."""
    tree: dict[str, tuple[str, bool]] = {}
    parents = ["BatchDlError"]
    for line in (exceptions.__doc__ or "").splitlines():
        match = re.match(r"^    ([│ ]*)[├└]── (\w+)(.*)$", line)
        if match:
            depth = len(match[1]) // 4 + 1
            del parents[depth:]
            tree[match[2]] = (parents[-1], "(retryable)" in match[3])
            parents.append(match[2])
    return tree


def test_the_printed_tree_is_the_real_one() -> None:
    real = {kind.__name__: (kind.__bases__[0].__name__, kind.retryable) for kind in kinds() if kind is not BatchDlError}
    assert printed_tree() == real
    assert len(real) == 28
    assert BatchDlError.retryable is False


FACTS: dict[str, Any] = {
    "vendor": "proofy",
    "job_id": "7",
    "status": 418,
    "vendor_message": "short and stout",
    "remedy": "Tip it over.",
    "retry_after": 3.5,
}


@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: kind.__name__)
def test_an_error_survives_json_pickle_and_copy(kind: type[BatchDlError]) -> None:
    error = kind("It went wrong.", **FACTS)
    if isinstance(error, VendorUnavailableError):
        error.maybe_processed = False
    travelled = json.loads(json.dumps(error.to_dict()))
    for twin in (BatchDlError.from_dict(travelled), pickle.loads(pickle.dumps(error)), copy.deepcopy(error)):  # noqa: S301
        assert type(twin) is kind
        assert twin.__dict__ == error.__dict__
        assert str(twin) == str(error)
        assert twin.args == error.args


@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: kind.__name__)
def test_an_error_says_what_who_which_and_what_to_do(kind: type[BatchDlError]) -> None:
    text = str(kind("It went wrong.", **FACTS))
    for part in ("It went wrong.", "proofy", "job 7", "HTTP 418", "short and stout", "Tip it over."):
        assert part in text
    assert str(kind("Alone.")).startswith("Alone.")


def test_a_default_remedy_is_there_unless_another_is_given() -> None:
    assert "Check the credentials" in str(exceptions.AuthenticationError("No."))
    assert "key or secret" not in str(exceptions.AuthenticationError("No.", remedy="Ask Bob."))


def test_an_error_of_a_newer_version_becomes_the_base() -> None:
    error = BatchDlError.from_dict({"type": "FromTheFutureError", "message": "Hm.", "vendor": "x", "planet": "Mars"})
    assert type(error) is BatchDlError
    assert (error.message, error.vendor) == ("Hm.", "x")
    assert not hasattr(error, "planet")


@pytest.mark.parametrize("data", [{}, {"type": "JobFailedError"}, {"type": "JobFailedError", "message": None}])
def test_a_crippled_event_still_becomes_an_error(data: dict[str, Any]) -> None:
    assert "without a message" in str(BatchDlError.from_dict(data))


def test_vendor_words_of_any_type_are_taken() -> None:
    error = exceptions.JobFailedError("Failed.", vendor_message={"code": 5})  # type: ignore[arg-type]
    assert "{'code': 5}" in str(error)


def test_vendor_words_already_in_the_message_are_not_said_twice() -> None:
    assert str(BatchDlError("It says nope.", vendor_message="nope")).count("nope") == 1


@given(st.text(min_size=1), st.none() | st.text(), st.none() | st.floats(allow_nan=False))
def test_any_words_survive_the_trip(message: str, words: str | None, wait: float | None) -> None:
    error = exceptions.RateLimitedError(message, vendor_message=words, retry_after=wait)
    twin = BatchDlError.from_dict(json.loads(json.dumps(error.to_dict())))
    assert twin.__dict__ == error.__dict__


def test_what_an_error_gets_later_is_clean_too() -> None:
    secret = "sesame-open-4712/#"
    remember(secret)
    error = BatchDlError("Failed.")
    error.vendor_message = error.vendor_code = error.job_id = error.remedy = error.message = f"{secret} \ud83d \x00"
    error.retry_after = float("inf")
    facts = error.__dict__
    assert {facts[name] for name in ("vendor_message", "vendor_code", "job_id", "remedy", "message")} == {
        "*** \ufffd \ufffd"
    }
    assert facts["retry_after"] is None
    error.vendor_message = "x" * 100_000
    assert len(facts["vendor_message"]) == 2_000


def test_a_secret_is_in_no_form_of_an_error() -> None:
    secret = "sesame-open-4711/#"
    remember(secret)
    try:
        try:
            raise ValueError("inner")
        except ValueError as inner:
            raise exceptions.JobFailedError(
                f"Failed with {secret}.", vendor_message=f"key {secret!r} is bad; see https://u:{secret}@h/?k={secret}"
            ) from inner
    except BatchDlError as error:
        shown = [str(error), repr(error), json.dumps(error.to_dict()), "".join(traceback.format_exception(error))]
        shown.append(pickle.dumps(error).decode("latin-1"))
    assert not any(secret in text or "4711" in text for text in shown)
