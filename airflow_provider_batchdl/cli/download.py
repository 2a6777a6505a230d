"""``airflow batchdl download``."""

from __future__ import annotations

from argparse import Namespace
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from rich.console import Console

from airflow_provider_batchdl.cli.session import command, open_hook, show, tell
from airflow_provider_batchdl.jobs import LandedFile


@command
def download(args: Namespace) -> None:
    """Land a job's results."""
    destination = place(args.destination)
    with open_hook(args) as hook, _busy(f"Downloading job {args.job_id}"):
        landing = hook.download(
            args.job_id,
            destination,
            accept_partial=args.accept_partial,
            if_exists=args.if_exists,
            sha256=not args.no_sha256,
            max_connections=args.max_connections,
        )
    show([_row(file) for file in landing.files], args.output)
    files = "1 file" if len(landing.files) == 1 else f"{len(landing.files)} files"
    tell(f"Job {landing.job_id}: {files}, {landing.bytes:,} bytes in {landing.seconds:.1f} s.")


def place(destination: str) -> str:
    """The destination as a shell means it: a folder that exists is one, whether or not it is said to end in ``/``."""
    if "://" in destination or destination.endswith("/") or not destination.strip():
        return destination
    path = Path(destination).absolute()
    return f"{path}/" if path.is_dir() else str(path)


def _busy(text: str) -> AbstractContextManager[Any]:
    """Something that moves, on a terminal."""
    console = Console(stderr=True, markup=False)
    return console.status(f"{text} …") if console.is_terminal else nullcontext()


def _row(file: LandedFile) -> dict[str, Any]:
    return {
        "uri": file.uri,
        "bytes": file.bytes,
        "rows": file.rows,
        "sha256": file.sha256,
        "verified_by": ",".join(file.verified_by),
    }
