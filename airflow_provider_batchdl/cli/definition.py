"""Names, arguments and help texts of the commands. Every ``airflow`` command imports this, and not their code."""

from __future__ import annotations

from argparse import ArgumentTypeError, BooleanOptionalAction
from dataclasses import Field, fields
from typing import Any

from airflow.cli.cli_config import ARG_OUTPUT, ARG_VERBOSE, ActionCommand, Arg, GroupCommand, lazy_load_command

from airflow_provider_batchdl._values.arguments import seconds
from airflow_provider_batchdl.jobs import JobState
from airflow_provider_batchdl.options import DownloadOptions

_PACKAGE = "airflow_provider_batchdl.cli"


def _span(text: str) -> float:
    """A number of seconds, 0 or more: not "nan", by which a wait would never end."""
    try:
        return seconds("timeout", float(text), zero=True)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is no number of seconds, 0 or more and at most ten years") from None


def _arg(*flags: str, **settings: Any) -> Arg:
    return Arg(flags, **settings)  # type: ignore[no-untyped-call]


CONN_ID = _arg(
    "-c", "--conn-id", help="The account's Airflow connection; may be left out if there is only one to a batch API"
)
CONN_IDS = _arg(
    "-c",
    "--conn-id",
    action="append",
    help="A connection to test, instead of all that can be listed; may be given several times",
)
EXPLAIN = _arg(
    "--explain",
    metavar="CONN_ID",
    help="Test only this connection, and print for a bug report its fields, the route of requests, the requests, and "
    "which assumptions about the vendor held; prints no secrets",
)
JOB_ID = _arg("job_id", metavar="JOB_ID", help="The vendor's id of the job")
STATE = _arg("--state", choices=tuple(state.value for state in JobState), help="Only jobs in this state")
DESTINATION = _arg(
    "destination",
    metavar="DESTINATION",
    help="A local path, or a URL like s3://aws_conn@bucket/key; ending in / a folder for the vendor's file names",
)


DOCUMENT = _arg(
    "document",
    metavar="DOCUMENT",
    help="A vendor's document: a .toml or .json file, a URL like s3://aws_conn@bucket/acme.toml, or the name of one "
    "that comes with the package",
)
NEW_DOCUMENT = _arg(
    "document", metavar="FILE", help="The file to write, like acme.toml; an existing one is left as it is"
)
CHECKED_BY = _arg("-c", "--connection", help="Also run the document's check call, with this Airflow connection")
TRIED_BY = _arg("-c", "--connection", required=True, help="The Airflow connection with the account's credentials")
REQUEST = _arg("-r", "--request", help="The request to submit, as JSON")
FILE = _arg("-f", "--file", help="The file to submit: a path, or a URL of a store")
TRIED_JOB = _arg("-j", "--job-id", help="Follow this job instead of submitting one")
SECONDS = _arg("-t", "--timeout", type=_span, default=600.0, help="Most seconds to wait for the job's end")
LANDING = _arg("-d", "--destination", help="Also download the results: a local path, or a URL of a store")


def _option(field: Field[Any]) -> Arg:
    """A download option as a command-line argument of the same name."""
    flag, settings = f"--{field.name.replace('_', '-')}", dict(field.metadata)
    if not settings.keys() & {"choices", "type"}:
        settings["action"] = BooleanOptionalAction
    return _arg(flag, default=field.default, **settings)


def _action(name: str, module: str, text: str, *args: Arg, description: str | None = None) -> ActionCommand:
    return ActionCommand(
        name=name,
        help=text,
        description=description,
        func=lazy_load_command(f"{_PACKAGE}.{module}.{'try_' if name == 'try' else name}"),
        args=(*args, ARG_OUTPUT, ARG_VERBOSE),
    )


def _vendor_commands() -> GroupCommand:
    """Commands about documents of vendors."""
    return GroupCommand(
        name="vendor",
        help="Write, check and try a vendor's document",
        subcommands=(
            _action(
                "check",
                "vendor",
                "Check a document, and explain each of its steps",
                DOCUMENT,
                CHECKED_BY,
                description="Exits with 1 if the document cannot be used, or if the vendor rejects the credentials.",
            ),
            _action(
                "try",
                "vendor",
                "Walk one job through, and show what each pointer found",
                DOCUMENT,
                TRIED_BY,
                REQUEST,
                FILE,
                TRIED_JOB,
                SECONDS,
                LANDING,
                description="Submits a real job, which the vendor may charge for, unless --job-id names one.",
            ),
            _action("new", "vendor", "Write a commented document to start from", NEW_DOCUMENT),
        ),
    )


def get_cli_commands() -> list[GroupCommand]:
    """Commands that the provider adds to ``airflow``; named in its metadata, read by Airflow 3.2 and later."""
    return [
        GroupCommand(
            name="batchdl",
            help="Show, cancel and download jobs of batch APIs",
            subcommands=(
                _action("jobs", "jobs", "List an account's jobs, in its vendor's order", CONN_ID, STATE),
                _action("job", "jobs", "Show a job", CONN_ID, JOB_ID),
                _action("cancel", "jobs", "Cancel a job that is still running", CONN_ID, JOB_ID),
                _action("balance", "jobs", "Show the credits that an account has left", CONN_ID),
                _action(
                    "download",
                    "jobs",
                    "Download a job's results: whole and verified, or nothing",
                    CONN_ID,
                    JOB_ID,
                    DESTINATION,
                    *map(_option, fields(DownloadOptions)),
                ),
                _action(
                    "check",
                    "check",
                    "Test every connection to a batch API",
                    CONN_IDS,
                    EXPLAIN,
                    description=(
                        "Ask each vendor whether it accepts the connection's credentials. Tests the connections in the "
                        "metadata database, in AIRFLOW_CONN_* and in a local secrets file; name those that only "
                        "another secrets backend has. Exits with 1 if one of them fails."
                    ),
                ),
                _vendor_commands(),
            ),
        )
    ]
