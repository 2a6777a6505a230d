"""The commands' names, arguments and help texts. Every ``airflow`` command loads this; what they do, only theirs."""

from __future__ import annotations

from typing import Any

from airflow.cli.cli_config import ARG_OUTPUT, ARG_VERBOSE, ActionCommand, Arg, GroupCommand, lazy_load_command

from airflow_provider_batchdl.jobs import JobState

_PACKAGE = "airflow_provider_batchdl.cli"


def _arg(*flags: str, **settings: Any) -> Arg:
    return Arg(flags, **settings)  # type: ignore[no-untyped-call]


CONN_ID = _arg(
    "-c", "--conn-id", help="The account's Airflow connection; may be left out where there is only one of ours"
)
CONN_IDS = _arg(
    "-c",
    "--conn-id",
    action="append",
    help="A connection to test, instead of all that can be listed; may be given several times",
)
JOB_ID = _arg("job_id", metavar="JOB_ID", help="The vendor's id of the job")
STATE = _arg("--state", choices=tuple(state.value for state in JobState), help="Only jobs in this state")
DESTINATION = _arg(
    "destination",
    metavar="DESTINATION",
    help="A local path, or a URL like s3://aws_conn@bucket/key; ending in / a folder for the vendor's file names",
)
ACCEPT_PARTIAL = _arg(
    "--accept-partial", action="store_true", help="Take what a cancelled job left, where the vendor keeps it"
)
IF_EXISTS = _arg(
    "--if-exists",
    choices=("replace", "error", "skip"),
    default="replace",
    help="What becomes of an object that is at the destination (default: replace)",
)
ON_EMPTY = _arg(
    "--on-empty",
    choices=("fail", "skip", "land"),
    default="fail",
    help="What becomes of a job that has no result file (default: fail)",
)
NO_SHA256 = _arg("--no-sha256", action="store_true", help="Do not compute the files' SHA-256")
MAX_CONNECTIONS = _arg("--max-connections", type=int, help="The most to fetch one large file by (default: 8)")


def _action(name: str, module: str, text: str, *args: Arg, description: str | None = None) -> ActionCommand:
    return ActionCommand(
        name=name,
        help=text,
        description=description,
        func=lazy_load_command(f"{_PACKAGE}.{module}.{name}"),
        args=(*args, ARG_OUTPUT, ARG_VERBOSE),
    )


def get_cli_commands() -> list[GroupCommand]:
    """What the provider adds to ``airflow``; named in the provider's metadata, read by Airflow 3.2 and later."""
    return [
        GroupCommand(
            name="batchdl",
            help="Look at, cancel and download jobs of batch APIs",
            subcommands=(
                _action("jobs", "jobs", "List an account's jobs, as its vendor does", CONN_ID, STATE),
                _action("job", "jobs", "Show a job", CONN_ID, JOB_ID),
                _action("cancel", "jobs", "Cancel a job that still runs", CONN_ID, JOB_ID),
                _action("balance", "jobs", "Show the credits that an account has left", CONN_ID),
                _action(
                    "download",
                    "download",
                    "Land a job's results: whole and verified, or nothing",
                    CONN_ID,
                    JOB_ID,
                    DESTINATION,
                    ACCEPT_PARTIAL,
                    IF_EXISTS,
                    ON_EMPTY,
                    NO_SHA256,
                    MAX_CONNECTIONS,
                ),
                _action(
                    "check",
                    "check",
                    "Test every connection to a batch API",
                    CONN_IDS,
                    description=(
                        "Ask each vendor whether it accepts the connection's credentials. Tests the connections in the "
                        "metadata database, in AIRFLOW_CONN_* and in a local secrets file; name those that only "
                        "another secrets backend has. Exits with 1 if one of them fails."
                    ),
                ),
            ),
        )
    ]
