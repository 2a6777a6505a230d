"""Command ``airflow batchdl download``."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import fields
from pathlib import Path
from typing import Any

from airflow_provider_batchdl.cli.progress import shown_progress
from airflow_provider_batchdl.cli.session import command, open_hook, print_note, show
from airflow_provider_batchdl.jobs import LandedFile
from airflow_provider_batchdl.options import DownloadOptions

# Output for programs, without a progress bar.
FOR_PROGRAMS = ("json", "yaml")


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
    show([_row(file) for file in landing.files], args.output)
    files = "1 file" if len(landing.files) == 1 else f"{len(landing.files)} files"
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


def _row(file: LandedFile) -> dict[str, Any]:
    return {
        "uri": file.uri,
        "kind": file.kind,
        "bytes": file.bytes,
        "rows": file.rows,
        "sha256": file.sha256,
        "verified_by": ",".join(file.verified_by),
    }
