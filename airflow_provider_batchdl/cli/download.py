"""``airflow batchdl download``."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import Any

from airflow_provider_batchdl.cli.progress import shown_progress
from airflow_provider_batchdl.cli.session import command, open_hook, show, tell
from airflow_provider_batchdl.jobs import LandedFile

# Whoever asks for these is no person. Nor is a bar shown where the log is: it has the same in lines.
FOR_PROGRAMS = ("json", "yaml")


@command
def download(args: Namespace) -> None:
    """Land a job's results."""
    destination = place(args.destination)
    quiet = args.verbose or args.output in FOR_PROGRAMS
    with open_hook(args) as hook, shown_progress(f"Job {args.job_id}", quiet=quiet) as progress:
        landing = hook.download(
            args.job_id,
            destination,
            accept_partial=args.accept_partial,
            if_exists=args.if_exists,
            on_empty=args.on_empty,
            sha256=not args.no_sha256,
            max_connections=args.max_connections,
            progress=progress,
        )
    show([_row(file) for file in landing.files], args.output)
    files = "1 file" if len(landing.files) == 1 else f"{len(landing.files)} files"
    tell(f"Job {landing.job_id}: {files}, {landing.bytes:,} bytes in {landing.seconds:.1f} s.")


def place(destination: str) -> str:
    """The destination as a shell means it: a folder that exists is one, whether or not it is said to end in ``/``."""
    if "://" in destination or not destination.strip():
        return destination
    path = Path(destination)
    if destination.endswith("/") or path.is_dir():
        return f"{path.resolve()}/"
    return str(path.parent.resolve() / path.name)


def _row(file: LandedFile) -> dict[str, Any]:
    return {
        "uri": file.uri,
        "bytes": file.bytes,
        "rows": file.rows,
        "sha256": file.sha256,
        "verified_by": ",".join(file.verified_by),
    }
