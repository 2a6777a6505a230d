"""All checks of a vendor's class."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from airflow_provider_batchdl.exceptions import BatchDlError
from airflow_provider_batchdl.testing.answers import check_answers, check_errors, check_results
from airflow_provider_batchdl.testing.bench import Bench
from airflow_provider_batchdl.testing.driving import Answer
from airflow_provider_batchdl.testing.requests import check_ids, check_requests, check_secrets, check_submit
from airflow_provider_batchdl.vendors.account import Account
from airflow_provider_batchdl.vendors.base import Submission, Vendor
from airflow_provider_batchdl.vendors.checking import prepare_submission
from airflow_provider_batchdl.vendors.registration import problems_of

# In no answer and in no word of any vendor's.
SECRET = "Kx7-not-a-key-9qZ"  # noqa: S105 of nobody's
# Of a vendor whose connections each have a host of their own.
HOST = "https://api.example.com"
CHECKS = (check_submit, check_ids, check_requests, check_answers, check_errors, check_results)


def check_vendor(
    kind: type[Vendor],
    *,
    request: Mapping[str, Any] | None = None,
    file: str | None = None,
    job_id: str = "1",
    answers: Mapping[str, Answer] | None = None,
    login: str | None = None,
    extra: Mapping[str, Any] | None = None,
) -> list[str]:
    """Find what a vendor's class does wrong: a list of sentences, empty where nothing is found.

    It is given junk for answers (no JSON, wrong types, huge numbers, errors inside a 200), good answers with members
    missing or changed, lost answers to its submit, ids with slashes, dots and signs, unknown states, and answers
    about another job; and what it raises, logs, and makes of them is checked. Nothing is sent anywhere.

    Args:
        kind: the class.
        request: a request that its API accepts.
        file: the path of a file that it accepts; the file need not exist.
        job_id: an id as its jobs have it.
        answers: good answers, by the operation of the request (``submit``, ``status``, ``list``, ``cancel``,
            ``balance``, ``check``): the more there are, the more is found. They are about job ``job_id``.
        login: the account's login, where it has one.
        extra: the connection's extra, where the class needs it.
    """
    facts = list(problems_of(kind))
    if facts:
        return [f"{each}." for each in facts]
    account = Account(kind.default_host or HOST, SECRET, login, dict(extra or {}))
    submission = Submission(dict(request or {}), file, "5f0c2a91", datetime.now(UTC))
    try:
        vendor = kind(account)
        vendor.auth()
    except Exception as error:  # noqa: BLE001 that is what is looked for
        return [f"The class cannot be used with this account: {type(error).__name__}: {error}."]
    try:
        submission = prepare_submission(vendor, submission)
    except BatchDlError as error:
        return [f"The request given here is refused by the class's own rules: {error}."]
    bench = Bench(kind, account, submission, job_id, answers or {})
    found: dict[str, None] = {}

    def run_all() -> None:
        found.update((problem, None) for check in CHECKS for problem in check(bench))

    secrets = list(check_secrets(bench, run_all))
    return [f"{each}." for each in (*found, *secrets)]


def assert_vendor(kind: type[Vendor], **how: Any) -> None:
    """As :func:`check_vendor`, with the same arguments.

    Raises:
        AssertionError: listing what is wrong.
    """
    problems = check_vendor(kind, **how)
    if problems:
        raise AssertionError("\n".join((f"{kind.__qualname__}:", *(f"- {each}" for each in problems))))
