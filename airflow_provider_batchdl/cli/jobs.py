"""``airflow batchdl jobs``, ``job``, ``cancel`` and ``balance``."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from airflow_provider_batchdl.cli.session import command, open_hook, show, tell
from airflow_provider_batchdl.deferral import shown
from airflow_provider_batchdl.jobs import Job
from airflow_provider_batchdl.operators.cancel import cancel_unless_ended


@command
def jobs(args: Namespace) -> None:
    """List an account's jobs."""
    with open_hook(args) as hook:
        found = hook.list_jobs()
    show([row(job) for job in found if args.state in (None, job.state.value)], args.output)


@command
def job(args: Namespace) -> None:
    """Show a job."""
    with open_hook(args) as hook:
        show([row(hook.get_job(args.job_id))], args.output)


@command
def cancel(args: Namespace) -> None:
    """Cancel a job that still runs; one that has ended is shown as it is."""
    with open_hook(args) as hook:
        before = hook.get_job(args.job_id)
        if before.state.is_terminal:
            tell(f"Job {before.id} has already ended.")
            show([row(before)], args.output)
        else:
            show([row(cancel_unless_ended(hook, args.job_id))], args.output)


@command
def balance(args: Namespace) -> None:
    """Show the credits that are left."""
    with open_hook(args) as hook:
        credits_left = hook.get_balance()
        if credits_left is None:
            tell(f"The API of {hook.vendor.label} does not tell.")
        show([{"conn_id": hook.conn_id, "vendor": hook.vendor.name, "credits": credits_left}], args.output)


def row(job: Job) -> dict[str, Any]:
    """A job as a table shows it: no secret in the vendor's words."""
    facts = shown(job)
    return {
        "job_id": job.id,
        "state": job.state.value,
        "vendor_state": job.vendor_state,
        "progress": None if job.progress is None else f"{job.progress:.0%}",
        "name": job.name,
        "files": len(job.files) or None,
        "message": facts["message"],
    }
