"""Mistakes in the file to upload, and in what comes from tasks upstream."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from airflow_provider_batchdl.exceptions import InvalidArgumentError, InvalidRequestError
from airflow_provider_batchdl.operators.cancel import CancelBatchJobOperator
from airflow_provider_batchdl.operators.download import DownloadBatchResultsOperator
from airflow_provider_batchdl.sensors.job import BatchJobSensor
from tests.mistakes import BEFORE_SUBMIT, COMMAND, PARSE, REFUSED, Mistake
from tests.mistakes.desk import Desk, Shown

CORRECT = "Correct the file, or the task that writes it; the vendor's section in the documentation says more."
UPSTREAM = (
    "Check what its template renders to, or what the task returned whose output it is: one that was skipped, or that "
    "returns nothing, gives None."
)


def holding(content: bytes | str, name: str = "people.csv") -> Callable[[Desk], Shown]:
    """Submit a file of this content to Revenuebase."""

    def drive(desk: Desk) -> Shown:
        path = desk.folder / f"given-{name}"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return desk.run(file=str(path))

    return drive


def _made(desk: Desk) -> object:
    path = desk.folder / "made.csv"
    path.mkdir()
    return path


def _file(did: str, content: bytes | str, says: str, name: str = "people.csv") -> Mistake:
    words = f"The file '…given-{name}' {says}"
    return Mistake(did, holding(content, name), BEFORE_SUBMIT, InvalidRequestError, words, CORRECT)


def _job_id(did: str, value: Any, says: str, remedy: str, *, operator: type = DownloadBatchResultsOperator) -> Mistake:
    def drive(desk: Desk) -> Shown:
        desk.api.conf = {"id": value}
        return desk.run(operator, "proofy", job_id="{{ dag_run.conf['id'] }}", render_template_as_native_obj=True)

    return Mistake(did, drive, BEFORE_SUBMIT, InvalidRequestError, says, remedy)


MISTAKES: list[Mistake] = [
    Mistake(
        "names a file that does not exist",
        lambda desk: desk.run(file=f"{desk.folder}/no-such.csv"),
        BEFORE_SUBMIT,
        InvalidRequestError,
        "The file to submit, '…no-such.csv', does not exist.",
        "Check the task's file, and that what writes it comes before this task and writes to this worker's disk.",
    ),
    Mistake(
        "names a file by a path that is relative",
        lambda desk: desk.run(file="data/contacts.csv"),
        BEFORE_SUBMIT,
        InvalidRequestError,
        "The file to submit, 'data/contacts.csv', does not exist.",
        "It is relative to a folder that each worker has another of: give the path from / on.",
    ),
    Mistake(
        "names a file in a store that no installed provider serves",
        lambda desk: desk.run(file="s4://bucket/contacts.csv"),
        BEFORE_SUBMIT,
        InvalidRequestError,
        "No installed provider serves s4:// files.",
        'Did you mean "s3://"?',
    ),
    Mistake(
        "names a folder for a file",
        lambda desk: desk.run(file=str(_made(desk))),
        BEFORE_SUBMIT,
        InvalidRequestError,
        "The file to submit, '…made.csv', is a folder, and no file.",
        "Check the task's file, and that what writes it comes before this task and writes to this worker's disk.",
    ),
    Mistake(
        "gives a file of a kind that the vendor does not take",
        holding("email\na@b.example\n", "people.xlsx"),
        BEFORE_SUBMIT,
        InvalidRequestError,
        "Revenuebase takes a file of .csv or .json, and not .xlsx.",
        "Correct the task's request or file.",
    ),
    Mistake(
        "gives Revenuebase no file",
        lambda desk: desk.run(file=None),
        BEFORE_SUBMIT,
        InvalidRequestError,
        "Revenuebase takes a file of .csv or .json, and there is none.",
        "Correct the task's request or file.",
    ),
    _file("submits an empty file", b"", "is empty."),
    _file("submits a file of blank lines", "\n \n", "has nothing but blanks in it."),
    _file("submits a file with a header alone", "email\n", "has a header and no row."),
    _file(
        "submits a file without the column that the vendor reads",
        "address,name\nada@example.com,Ada\n",
        "has no column 'email' among its 2.",
    ),
    _file("submits a file without addresses", "name,phone\nAda,1\n", "has no email address in it."),
    _file("submits a workbook under the name of a table", b"PK\x03\x04\x00", "is no text: it is zip (…)."),
    _file(
        "submits the page of an error or a login in place of a table",
        "<!DOCTYPE html><p>Ask ada@example.com for access.",
        "is a page of HTML or XML.",
    ),
    _file("submits a table in UTF-16", "email\nada@example.com\n".encode("utf-16"), "is no text: it is UTF-16, …"),
    _file(
        "submits JSON that is none", "email,name\n", "is no JSON: it begins with neither '[' nor '{'.", "people.json"
    ),
    _file("submits JSON without rows", "[]", "has no rows.", "people.json"),
    _file(
        "submits JSON whose rows lack the member that the vendor reads",
        '[{"address": "ada@example.com"}]',
        "has no member 'email' in any of its 1 rows.",
        "people.json",
    ),
    Mistake(
        "submits a table whose column may be the one that the vendor reads",
        holding("E-Mail,name\nada@example.com,Ada\n"),
        REFUSED,
        None,
        "Submitting the file …given-people.csv as it is, although it has no column 'email' among its 2",
        "('e-mail' may be meant).",
    ),
    Mistake(
        "gives a list of files to one task",
        lambda desk: desk.parse(file=["/data/a.csv", "/data/b.csv"]),
        PARSE,
        InvalidArgumentError,
        "The file is of type list, and a file is one path or URL.",
        "Map the task over it: .expand(file=…) makes one task for each file.",
    ),
    Mistake(
        "gives None for a job's id",
        lambda desk: desk.command("download", "-c", "proofy_default", "None", "/tmp/x.json"),
        COMMAND,
        InvalidRequestError,
        "The job_id is 'None', which is no job's.",
        UPSTREAM,
    ),
    _job_id("takes the id of a task that returned nothing", None, "The job_id is None, which is no job's.", UPSTREAM),
    _job_id(
        "takes the ids of a mapped task for one",
        ["7", "8"],
        "The job_id is a list of 2, ['7', '8'], and an id is one text.",
        "Map the task over it: .expand(job_id=…) makes one task for each id.",
        operator=BatchJobSensor,
    ),
    _job_id(
        "takes what a sensor returned for a job's id",
        {"id": "7", "state": "succeeded"},
        "The job_id is a dict, {'id': '7', …}, and an id is one text.",
        "Give its id: ….output['id'].",
        operator=CancelBatchJobOperator,
    ),
    Mistake(
        "takes a list of ids from a template, which renders to text",
        lambda desk: desk.run(BatchJobSensor, "proofy", job_id="{{ ['7', '8'] }}"),
        BEFORE_SUBMIT,
        InvalidRequestError,
        "The job_id is the text \"['7', '8']\" of a list or a dict, and an id is one text.",
        "Take the other task's .output instead of a template: .expand(job_id=…) makes one task for each id of a list, "
        "and ….output['id'] is the one of a job's dict.",
    ),
    Mistake(
        "leaves a job's id empty",
        lambda desk: desk.parse(CancelBatchJobOperator, "proofy", job_id=""),
        PARSE,
        InvalidArgumentError,
        "The job_id is '', which is no job's.",
        UPSTREAM,
    ),
]
