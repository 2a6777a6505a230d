"""OpenAI's files: uploads for batches, and the content of a batch's files (API reference, "Files")."""

from __future__ import annotations

import hashlib

from airflow_provider_batchdl.emulator.apis.openai import BASE, OUTPUTS, OpenAIBatch, file_id
from airflow_provider_batchdl.emulator.content import FileContent
from airflow_provider_batchdl.emulator.downloads import direct_download
from airflow_provider_batchdl.emulator.exchange import BadBodyError, Call, Endpoint, Reply, json_reply
from airflow_provider_batchdl.emulator.uploads import read_multipart

_SCHEMA = {
    "type": "object",
    "properties": {"purpose": {"const": "batch"}, "file": {"type": "string", "format": "binary"}},
    "required": ["purpose", "file"],
}
_UPLOAD = {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": _SCHEMA}}}}


def endpoints(api: OpenAIBatch) -> list[Endpoint]:
    """Return the routes of files."""
    world = api.world

    async def upload(call: Call) -> Reply:
        """Accept a file of requests; the fields beside it are form fields."""
        try:
            received, fields = await read_multipart(call, "file")
        except BadBodyError as problem:
            return api.error(400, str(problem))
        if received is None:
            return api.error(400, "'file' is a required property", param="file")
        if fields.get("purpose") != "batch":
            return api.error(400, f"'{fields.get('purpose')}' is not one of ['batch']", param="purpose")
        with world.lock:
            digest = hashlib.sha256(f"{world.seed}:file:{len(world.uploads)}".encode()).hexdigest()
            name = f"file-{digest[:22]}"
            world.uploads[api.vendor, name] = received
        size = received.path.stat().st_size
        described = {"id": name, "object": "file", "bytes": size, "created_at": int(world.clock.time())}
        return json_reply(200, {**described, "filename": received.filename, "purpose": "batch", "status": "processed"})

    async def content(call: Call) -> Reply:
        """Serve a file whole; that there are no ranges and no validator is an inference."""
        name = call.params["file_id"]
        if received := world.uploads.get((api.vendor, name)):
            return Reply(200, FileContent(received.path, "application/octet-stream"))
        for job in world.jobs(api.vendor):
            if not job.phase.is_terminal:
                continue
            for kind, part in OUTPUTS.items():
                if name == file_id(job, kind):
                    return await direct_download(call, job, part, chunked=False)
        return api.error(404, f"No such File object: {name}", param="id")

    return [
        Endpoint("upload", "POST", f"{BASE}/files", upload, _UPLOAD),
        Endpoint("download", "GET", f"{BASE}/files/{{file_id}}/content", content),
    ]
