"""Batch jobs of both versions of Revenuebase."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

from airflow_provider_batchdl.emulator.addresses import (
    UnreadableInputError,
    addresses_in,
    json_rows,
    write_revenuebase_result,
)
from airflow_provider_batchdl.emulator.apis.revenuebase import Revenuebase
from airflow_provider_batchdl.emulator.downloads import direct_download
from airflow_provider_batchdl.emulator.exchange import Call, Reply, json_reply
from airflow_provider_batchdl.emulator.jobs import EmulatedJob
from airflow_provider_batchdl.emulator.naming import result_names
from airflow_provider_batchdl.emulator.results import Recipe
from airflow_provider_batchdl.emulator.rows import MEDIA_TYPES
from airflow_provider_batchdl.emulator.states import Phase
from airflow_provider_batchdl.emulator.uploaded import Upload
from airflow_provider_batchdl.emulator.uploads import read_upload
from airflow_provider_batchdl.emulator.verdicts import revenuebase_status

_MESSAGES = {
    Phase.QUEUED: "Process is queued.",
    Phase.RUNNING: "Process is running.",
    Phase.SUCCEEDED: "Process completed.",
    Phase.FAILED: "Process ended with an error.",
    Phase.CANCELLING: "Process is being cancelled.",
    Phase.CANCELLED: "Process was cancelled.",
}


def find(api: Revenuebase, process_id: int) -> EmulatedJob | None:
    """Return a job by its number."""
    return api.world.job("revenuebase", str(process_id))


def as_flag(text: str) -> bool | None:
    """Read a boolean query parameter as FastAPI does; ``None`` for what it refuses."""
    flags = {"true": True, "1": True, "on": True, "yes": True, "t": True, "y": True}
    flags |= {"false": False, "0": False, "off": False, "no": False, "f": False, "n": False}
    return flags.get(text.lower())


def metadata_of(api: Revenuebase, call: Call) -> bool | Reply:
    """Return the ``metadata`` parameter, or the 422 about it."""
    text = call.query.get("metadata", "false")
    flag = as_flag(text)
    if flag is None:
        problem = "Input should be a valid boolean, unable to interpret input"
        return api.invalid((("query", "metadata"), problem, "bool_parsing", text))
    return flag


def describe(job: EmulatedJob) -> dict[str, Any]:
    """Return the body of a status answer (vendor's OpenAPI)."""
    return {
        "process_id": int(job.id),
        "filename": job.part_name(1),
        "current_status": job.vendor_state,
        "message": job.message or _MESSAGES[job.phase],
    }


async def submit(api: Revenuebase, call: Call) -> Reply:
    """Accept a file and queue it."""
    metadata = metadata_of(api, call)
    if isinstance(metadata, Reply):
        return metadata
    upload = await read_upload(call, "requested_file")
    if upload is None:
        return api.invalid((("body", "requested_file"), "Field required", "missing", None))
    if not upload.filename.lower().endswith((".csv", ".json")):
        return api.coded("invalid_extension")
    if api.world.settle("revenuebase") <= 0:
        return api.no_credits()
    return await create(api, upload, metadata=metadata)


async def create(api: Revenuebase, upload: Upload, *, metadata: bool) -> Reply:
    """Make a job of an upload and announce it."""
    seed = api.world.seed
    media = MEDIA_TYPES["json" if upload.filename.lower().endswith(".json") else "csv"]
    recipe = Recipe(
        media,
        lambda file, revision, share: write_revenuebase_result(
            file, upload.path, upload.filename, metadata=metadata, seed=seed, revision=revision, share=share
        ),
    )
    cost, problem = await asyncio.to_thread(_price, upload, seed)
    job = api.world.add_job(
        "revenuebase",
        filename=upload.filename,
        request={"metadata": metadata},
        recipe=recipe,
        upload=upload.path,
        cost=cost,
        doomed=problem,
    )
    job.names = result_names(job)
    # The documented answer says "PROCESSING QUEUED", a word that the job's states don't have.
    return json_reply(200, {"process_id": int(job.id), "filename": upload.filename, "status": "PROCESSING QUEUED"})


def _price(upload: Upload, seed: int) -> tuple[int, str | None]:
    """Return the credits a file will take, one per Valid or Invalid, and why it will fail, if it will."""
    try:
        if upload.filename.lower().endswith(".json"):
            json_rows(upload.path)
        statuses = (revenuebase_status(address, seed) for address in addresses_in(upload.path, upload.filename))
        return sum(status != "Unknown" for status in statuses), None
    except UnreadableInputError as error:
        return 0, f"The file could not be read: {error}"


def listing(api: Revenuebase) -> Reply:
    """Return the queued and processing jobs, and no others (vendor's OpenAPI)."""
    active = [job for job in api.world.jobs("revenuebase") if job.phase in (Phase.QUEUED, Phase.RUNNING)]
    processes = []
    for job in active:
        view = describe(job)
        view["status"] = view.pop("current_status")
        view["last_updated"] = datetime.fromtimestamp(job.changed_at, UTC).isoformat()
        processes.append(view)
    return json_reply(200, {"processes": processes})


def status(api: Revenuebase, process_id: int) -> Reply:
    """Return a job's state; an unknown id is a 400, not a 404 (vendor's OpenAPI)."""
    job = find(api, process_id)
    return json_reply(200, describe(job)) if job else api.coded("invalid_process_id")


def cancel(api: Revenuebase, process_id: int) -> Reply:
    """Ask a job to stop; the answer says CANCELLING (vendor's documentation)."""
    job = find(api, process_id)
    if job is None:
        return api.coded("invalid_process_id")
    if job.phase in (Phase.CANCELLING, Phase.CANCELLED):
        return api.coded("already_cancelled")
    if job.phase in (Phase.SUCCEEDED, Phase.FAILED):
        return api.coded("not_cancellable")
    job.ask_to_cancel(lingering=True)
    message = _MESSAGES[Phase.CANCELLING]
    return json_reply(200, {**describe(job), "current_status": "CANCELLING", "message": message})


async def download(api: Revenuebase, call: Call, process_id: int) -> Reply:
    """Stream the result of a completed or cancelled job.

    The answer has no length and no ranges; the documentation says "streams" and nothing about either (an inference).
    """
    job = find(api, process_id)
    if job is None:
        return api.coded("invalid_process_id")
    if job.phase is Phase.FAILED:
        return api.coded("process_error")
    if job.phase not in (Phase.SUCCEEDED, Phase.CANCELLED) or job.vendor_state not in ("COMPLETED", "CANCELLED"):
        return api.coded("not_completed")
    reply = await direct_download(call, job)
    reply.headers.append(("content-disposition", _disposition(job.part_name(1))))
    return reply


def _disposition(name: str) -> str:
    """Return a Content-Disposition value; names beyond plain ASCII take RFC 6266's second form."""
    plain = name.encode("ascii", "replace").decode()
    quoted = "".join("_" if character in '"\\' or ord(character) < 32 else character for character in plain)
    if quoted == name:
        return f'attachment; filename="{name}"'
    from urllib.parse import quote

    return f"attachment; filename=\"{quoted}\"; filename*=utf-8''{quote(name.encode(errors='replace'), safe='')}"
