"""Pages as HTML: templates with autoescape, filters for times and sizes, and headers that forbid all but our own."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from fastapi.responses import HTMLResponse
from jinja2 import ChainableUndefined, Environment, FileSystemLoader

from airflow_provider_batchdl import __version__
from airflow_provider_batchdl._airflow.compat import ui_path
from airflow_provider_batchdl._values.storable import displayable
from airflow_provider_batchdl._values.times import moment_of, now
from airflow_provider_batchdl.ui.mount import PREFIX

FOLDER = Path(__file__).parent
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; frame-ancestors 'self'; base-uri 'none'"
    ),
    "Cache-Control": "no-store",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
# What a path may hold as it is beside letters, digits and "-._~" (RFC 3986, `pchar`).
_PCHAR = "!$&'()*+,:;=@"


def render(name: str, status: int = 200, **context: Any) -> HTMLResponse:
    """A page made from a template."""
    html = _environment().get_template(name).render(**context)
    return HTMLResponse(html, status_code=status, headers=HEADERS)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(FOLDER / "templates"),
        autoescape=True,
        undefined=ChainableUndefined,  # members of a note may be missing
        finalize=displayable,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    shown: dict[str, Callable[..., str]] = {"age": age, "moment": moment, "task_url": task_url, "job_path": job_path}
    environment.filters |= shown | {"count": "{:,}".format}
    environment.globals |= {"root": ui_path(PREFIX), "version": __version__}
    return environment


def age(value: datetime | str | None) -> str:
    """Time since a moment, like ``3 h``; empty if unknown."""
    then = moment_of(value)
    if then is None:
        return ""
    seconds = max(0, int(now().timestamp() - then.timestamp()))
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"


def moment(value: datetime | str | None) -> str:
    """A time to the second, in UTC."""
    then = moment_of(value)
    return "" if then is None else then.in_timezone("UTC").format("YYYY-MM-DD HH:mm:ss [UTC]")


def job_path(row: Any) -> str:
    """Path of a job's own page, below the app's root.

    With nothing escaped that a URL need not escape: Airflow mirrors the frame's path in its own, decoded, and loads the
    frame once more where the browser writes it another way. That would take a button away under the user's hand.
    """
    return "/job/" + "/".join(quote(str(part), safe=_PCHAR) for part in row.place)


def task_url(row: Any) -> str:
    """Path of the task instance in Airflow's UI."""
    dag_id, run_id, task_id = (quote(part, safe="") for part in (row.dag_id, row.run_id, row.task_id))
    mapped = f"/mapped/{row.map_index}" if row.map_index >= 0 else ""
    return f"{ui_path('')}/dags/{dag_id}/runs/{run_id}/tasks/{task_id}{mapped}"
