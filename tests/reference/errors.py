"""docs/errors.md: every error with its cause and its remedy, from docstrings and ``default_remedy``."""

from __future__ import annotations

from collections.abc import Iterator

from airflow_provider_batchdl import exceptions
from airflow_provider_batchdl.exceptions import BatchDlError
from tests.reference import DOCS
from tests.reference.docstrings import cell, entries, prose

PATH = DOCS / "errors.md"

HEAD = """\
# Errors

Written from the source by `make reference`; do not edit. Every error is a `BatchDlError` of
`airflow_provider_batchdl.exceptions`, and says what happened, which vendor, connection and job, the HTTP status, the
vendor's own words, and what to do:

```text
AuthenticationError: Proofy rejected the credentials. [vendor proofy, connection proofy_default, HTTP 401] Check the
credentials in the Airflow connection, and that they belong to this host.
```

"Retried" says whether Airflow retries the task, where it has `retries`. Otherwise the task fails at once with
`BatchTaskFailedError`, whose cause is the typed error: no retry could fix it. [By message](messages.md) has the
texts, [mistakes](mistakes.md) what leads to them, [durability](durability.md) what a retry does."""


def tree(root: type[BatchDlError] = BatchDlError) -> Iterator[type[BatchDlError]]:
    """Each public error, a parent before its children."""
    for name in exceptions.__all__:
        each = getattr(exceptions, name)
        if root in each.__bases__:
            yield each
            yield from tree(each)


def remedy_of(error: type[BatchDlError]) -> str:
    assert error.default_remedy, f"{error.__name__} has no remedy"
    return error.default_remedy


# What the class alone does not say.
RETRIED = {
    exceptions.DestinationError: "yes, unless `retryable` of the error is False",
    exceptions.InvalidConnectionError: "no, unless `retryable` of the error is True",
    exceptions.JobFailedError: "no; but `BatchJobOperator` submits a failed job anew where it has `retries` left",
}


def _retried(error: type[BatchDlError]) -> str:
    return RETRIED.get(error, "yes" if error.retryable else "no")


def _section(error: type[BatchDlError]) -> str:
    kinds = [f"[{each.__name__}](#{each.__name__.lower()})" for each in error.__bases__ if each in _ALL]
    kinds += [f"`{each.__name__}`" for each in error.__bases__ if each not in _ALL]
    return "\n".join(
        [
            f"## {error.__name__}",
            "",
            prose(error),
            "",
            f"* Remedy: {remedy_of(error)}",
            f"* Retried: {_retried(error)}.",
            f"* Is a: {', '.join(kinds)}.",
        ]
    )


_ALL = (BatchDlError, *tree())


def rendered() -> str:
    """The page's text."""
    facts = [f"| `{name}` | {cell(text)} |" for name, text in entries(BatchDlError).items()]
    facts += [f"| `{name}` | {cell(text)} |" for name, text in entries(BatchDlError, "Attributes").items()]
    facts += ["| `retryable` | whether the same can succeed later. |"]
    base = "\n".join(["## BatchDlError", "", prose(BatchDlError), "", "| attribute | is |", "|---|---|", *facts])
    return "\n\n".join([HEAD, base, *map(_section, tree())]) + "\n"
