"""Commands ``airflow batchdl jobs``, ``job``, ``cancel``, ``balance`` and ``download``."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import fields
from datetime import datetime
from pathlib import Path
from typing import Any

from airflow_provider_batchdl._tasks.cancel import cancel_unless_ended
from airflow_provider_batchdl._values.times import rfc3339
from airflow_provider_batchdl.cli.progress import shown_progress
from airflow_provider_batchdl.cli.session import command, open_hook, print_note, show
from airflow_provider_batchdl.jobs import Job, LandedFile, progress_of
from airflow_provider_batchdl.options import DownloadOptions
from airflow_provider_batchdl.transfer.progress import plural
from airflow_provider_batchdl.triggers.events import job_to_event

# Output for programs, without a progress bar.
FOR_PROGRAMS = ("json", "yaml")


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


@command
def download(args: Namespace) -> None:
    """Download a job's results."""
    destination = place(args.destination)
    quiet = args.verbose or args.output in FOR_PROGRAMS
    with open_hook(args) as hook, shown_progress(f"Job {args.job_id}", quiet=quiet) as progress:
        landing = hook.download(
            args.job_id,
            destination,
            DownloadOptions(**{option.name: getattr(args, option.name) for option in fields(DownloadOptions)}),
            progress=progress,
        )
    show([_landed(file) for file in landing.files], args.output)
    files = plural(len(landing.files), "file")
    print_note(f"Job {landing.job_id}: {files}, {landing.bytes:,} bytes in {landing.seconds:.1f} s.")


def place(destination: str) -> str:
    """The destination as at a shell: an existing folder is a folder, with or without ``/`` at the end."""
    if "://" in destination or not destination.strip():
        return destination
    path = Path(destination)
    try:
        if destination.endswith("/") or path.is_dir():
            return f"{path.resolve()}/"
        return str(path.parent.resolve() / path.name)
    except OSError:  # too long a name: the hook reports it
        return destination


def _landed(file: LandedFile) -> dict[str, Any]:
    return {
        "uri": file.uri,
        "kind": file.kind,
        "bytes": file.bytes,
        "rows": file.rows,
        "sha256": file.sha256,
        "verified_by": ",".join(file.verified_by),
    }
