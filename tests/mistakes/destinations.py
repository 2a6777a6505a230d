"""Mistakes in a task's destination: what is no template shows when the DAG is parsed, what is one before the submit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_batchdl.exceptions import DestinationError, InvalidArgumentError, InvalidRequestError
from tests.mistakes import BEFORE_SUBMIT, PARSE, Mistake

if TYPE_CHECKING:
    from tests.mistakes.desk import Desk


def _refused(did: str, destination: object, says: str, remedy: str) -> Mistake:
    return Mistake(did, lambda desk: desk.parse(destination=destination), PARSE, InvalidArgumentError, says, remedy)


def _existing(desk: Desk) -> str:
    path = desk.folder / "existing.csv"
    path.touch()
    return str(path)


_TEMPLATE = "Correct the task's destination; where it is a template, see what it renders to."

MISTAKES: list[Mistake] = [
    _refused(
        "gives an empty destination",
        "",
        "The destination is empty.",
        "See what its template renders to; leave it out for XCom.",
    ),
    _refused(
        "gives a relative destination",
        "results/out.csv",
        "The destination 'results/out.csv' is relative to a folder that each worker has another of.",
        _TEMPLATE,
    ),
    _refused(
        "misspells the scheme of a destination",
        "s4://bucket/out.csv",
        "No installed provider serves s4:// destinations.",
        'Did you mean "s3://"?',
    ),
    _refused(
        "names a bucket and no object in it",
        "s3://bucket",
        "The destination 's3://bucket' names no object; a folder ends in '/'.",
        _TEMPLATE,
    ),
    _refused(
        "gives a destination that is no text",
        ["/tmp/out.csv"],
        "destination must be a text that is not empty, not ['/tmp/out.csv'].",
        "Correct the argument.",
    ),
    _refused(
        "writes a template of a destination with single braces",
        "/data/{ds}.csv",
        "The destination has '{ds}' in it, which is no template and would stay as it is.",
        "Write {{ ds }}; in an f-string, each of its braces twice.",
    ),
    Mistake(
        "gives the file to submit as the destination",
        lambda desk: desk.parse(file="/data/./contacts.csv", destination="file:///data/contacts.csv"),
        PARSE,
        InvalidArgumentError,
        "The destination 'file:///data/contacts.csv' is the file that is submitted, and the result would replace it.",
        "Give the result another destination.",
    ),
    Mistake(
        "gives a destination that renders to the file to submit",
        lambda desk: desk.run(file="{{ '/data' }}/contacts.csv", destination="/data/contacts{{ '.csv' }}"),
        BEFORE_SUBMIT,
        InvalidArgumentError,
        "The destination '/data/contacts.csv' is the file that is submitted, and the result would replace it.",
        "Give the result another destination.",
    ),
    Mistake(
        "gives a destination whose template renders to nothing",
        lambda desk: desk.run(destination="{{ '' }}"),
        BEFORE_SUBMIT,
        InvalidRequestError,
        "The destination rendered to an empty text.",
        "Check what its template renders to, …",
    ),
    Mistake(
        "gives a destination of which a part renders to None",
        lambda desk: desk.run(destination="s3://{{ none }}/out.csv"),
        BEFORE_SUBMIT,
        InvalidRequestError,
        "The destination rendered to 's3://None/out.csv', with None for a part of it.",
        "Check what its template renders to, …",
    ),
    Mistake(
        "gives a destination whose name renders to None, like a data interval that a manual run does not have",
        lambda desk: desk.run(destination=f"{desk.folder}/dt={{{{ none | ds }}}}/out-{{{{ none | ds }}}}.csv"),
        BEFORE_SUBMIT,
        InvalidRequestError,
        "The destination rendered to '…/dt=None/out-None.csv', with None for a part of it.",
        "Check what its template renders to, …",
    ),
    Mistake(
        "gives a destination whose name renders to nothing",
        lambda desk: desk.run(destination=f"{desk.folder}/{{{{ '' }}}}.csv"),
        BEFORE_SUBMIT,
        InvalidRequestError,
        "The destination rendered to '…/.csv', with nothing before the suffix.",
        "Check what its template renders to, …",
    ),
    Mistake(
        "gives a destination below a file",
        lambda desk: desk.run(destination=f"{desk.folder}/people.csv/out.csv"),
        BEFORE_SUBMIT,
        DestinationError,
        "…/people.csv/out.csv: cannot write there: NotADirectoryError: …Not a directory…",
        "A part of the destination's path is a file, not a folder; correct the destination.",
    ),
    Mistake(
        'says if_exists="error", and an object is there',
        lambda desk: desk.run(destination=_existing(desk), if_exists="error"),
        BEFORE_SUBMIT,
        DestinationError,
        "…/existing.csv exists already.",
        'Remove it, choose another destination, or let if_exists="replace" replace it.',
    ),
    Mistake(
        "misspells the connection of a destination",
        lambda desk: desk.run(destination="s3://aws_typo@bucket/out.csv"),
        BEFORE_SUBMIT,
        DestinationError,
        "Airflow does not find the connection 'aws_typo' (AirflowNotFoundException).",
        "Create it, or correct the id; if a secrets backend or AIRFLOW_CONN_AWS_TYPO has it, check that it can be …",
    ),
    Mistake(
        "names the vendor's connection in the destination, where the store's belongs",
        lambda desk: desk.run(destination="s3://proofy_default@bucket/out.csv"),
        BEFORE_SUBMIT,
        DestinationError,
        "The destination's connection 'proofy_default' is of type 'proofy', and s3:// takes one of type 'aws'.",
        "Name the store's connection before the '@' of the destination, not the vendor's.",
    ),
]
