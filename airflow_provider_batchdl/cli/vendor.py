"""Commands ``airflow batchdl vendor check``, ``try`` and ``new``."""

from __future__ import annotations

import json
import re
from argparse import Namespace
from pathlib import Path

from airflow_provider_batchdl._redaction.redactor import redact
from airflow_provider_batchdl.cli.jobs import place
from airflow_provider_batchdl.cli.session import FAILED, command, fail, print_note, show
from airflow_provider_batchdl.cli.trial import Trial
from airflow_provider_batchdl.hooks._account import fields_of, get_connection, read_document
from airflow_provider_batchdl.hooks.base import BatchApiHook
from airflow_provider_batchdl.vendors.connections import vendor_by
from airflow_provider_batchdl.vendors.declared import Declared
from airflow_provider_batchdl.vendors.declared.document import MEMBERS, Document
from airflow_provider_batchdl.vendors.declared.explaining import explained
from airflow_provider_batchdl.vendors.declared.loading import load, skeleton
from airflow_provider_batchdl.vendors.declared.problems import problems_of
from airflow_provider_batchdl.vendors.declared.reading import DocumentError, parse

_NAME = re.compile(r"[a-z][a-z0-9_]*")


@command
def check(args: Namespace) -> None:
    """Check a document, explain it, and ask the vendor whether it accepts a connection's credentials."""
    document = _document(args.document)
    problems = list(problems_of(document))
    if problems:
        show([{"problem": each} for each in problems], args.output)
        fail(f"{args.document} cannot be used.")
    rows = [{"step": step, "does": does} for step, does in explained(document)]
    good, message = True, ""
    if args.connection:
        good, message = _hook(args.connection, document).test_connection()
        rows.append({"step": "answer", "does": message})
    show(rows, args.output)
    if not good:
        print_note(f"{args.connection} failed: {message}")
        raise SystemExit(FAILED)


@command
def try_(args: Namespace) -> None:
    """Walk one job through the document's steps, and show what each pointer found."""
    document = _document(args.document)
    for problem in problems_of(document):
        fail(f"{args.document} cannot be used: {problem}.")
    if args.job_id and (args.request or args.file):
        fail("give a job to follow, or a request or a file to submit, not both.")
    if args.request and not _is_object(args.request):
        fail("""--request is no JSON object: write it like --request '{"name": "value"}'.""")
    trial = Trial(_hook(args.connection, document))
    try:
        trial.run(
            args.request,
            args.file and _absolute(args.file),
            args.job_id,
            timeout=args.timeout,
            destination=args.destination and place(args.destination),
        )
    finally:
        show(trial.rows, args.output)


@command
def new(args: Namespace) -> None:
    """Write a commented document to start from."""
    path = Path(args.document)
    name = path.stem.lower().replace("-", "_")
    if path.suffix != ".toml" or not _NAME.fullmatch(name):
        fail("name the file like acme.toml: small letters, digits and '_', since the vendor is called so, too.")
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(skeleton(name))
    except FileExistsError:
        fail(f"{path} is there already.")
    except OSError as error:
        fail(f"{path} cannot be written: {error.strerror}.")
    print_note(f"Wrote {path}. Next: airflow batchdl vendor check {path}")


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False


def _absolute(source: str) -> str:
    """A file as at a shell: a path is relative to its current folder."""
    return source if "://" in source else str(Path(source).absolute())


def _document(source: str) -> Document:
    """The document at a path or URL, or the bundled one of that name; it may contradict itself."""
    try:
        if source.endswith((".toml", ".json")):
            return parse(read_document(_absolute(source)), source)
        return load(source, None)
    except DocumentError as error:
        fail(redact(str(error)))
    except Exception as error:  # noqa: BLE001 any store's own
        fail(f"{source} cannot be read ({type(error).__name__}).")


def _hook(conn_id: str, document: Document) -> BatchApiHook:
    """A hook with a connection's account, and the document's vendor whatever the connection's type."""
    hook = BatchApiHook(conn_id)
    hook.vendor = vendor_by(Declared.of(document), fields_of(get_connection(conn_id)), MEMBERS)
    return hook
