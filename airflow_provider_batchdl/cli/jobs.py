"""Commands ``airflow batchdl jobs``, ``job``, ``cancel`` and ``balance``."""

from __future__ import annotations

from argparse import Namespace
from datetime import datetime
from typing import Any

from airflow_provider_batchdl._tasks.cancel import cancel_unless_ended
from airflow_provider_batchdl._values.times import rfc3339
from airflow_provider_batchdl.cli.session import command, open_hook, print_note, show
from airflow_provider_batchdl.jobs import Job, progress_of
from airflow_provider_batchdl.triggers.events import job_to_event


@command
def jobs(args: Namespace) -> None:
    """List an account's jobs."""
    with open_hook(args) as hook:
        found = hook.list_with_times()
    chosen = [each for each in found if args.state in (None, each.job.state.value)]
    show([row(each.job, created=_time(each.created), updated=_time(each.updated)) for each in chosen], args.output)


@command
def job(args: Namespace) -> None:
    """Show a job."""
    with open_hook(args) as hook:
        show([row(hook.get_job(args.job_id))], args.output)


@command
def cancel(args: Namespace) -> None:
    """Cancel a job that is still running; a job that has ended is only shown."""
    with open_hook(args) as hook:
        before = hook.get_job(args.job_id)
        if before.state.is_terminal:
            print_note(f"Job {before.id} has already ended.")
            show([row(before)], args.output)
        else:
            show([row(cancel_unless_ended(hook, args.job_id))], args.output)


@command
def balance(args: Namespace) -> None:
    """Show the credits that are left."""
    with open_hook(args) as hook:
        credits_left = hook.get_balance()
        if credits_left is None:
            print_note(f"The API of {hook.vendor.label} does not report a balance.")
        show([{"conn_id": hook.conn_id, "vendor": hook.vendor.name, "credits": credits_left}], args.output)


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else rfc3339(moment)


def row(job: Job, **times: str | None) -> dict[str, Any]:
    """A job as a row of the table, with ``times`` if any; the vendor's words are redacted."""
    facts = job_to_event(job)
    return {
        "job_id": job.id,
        "state": job.state.value,
        "vendor_state": facts["vendor_state"],
        "progress": progress_of(job),
        "name": facts["name"],
        "files": len(job.files) or None,
        **times,
        "message": facts["message"],
    }
