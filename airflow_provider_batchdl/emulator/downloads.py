"""Serving a job's result, with the faults that concern what a file contains."""

from __future__ import annotations

import asyncio

from airflow_provider_batchdl.emulator.content import BitFlippedContent, Content
from airflow_provider_batchdl.emulator.exchange import Call, Reply
from airflow_provider_batchdl.emulator.jobs import EmulatedJob


async def result_content(call: Call, job: EmulatedJob, part: int = 1) -> Content:
    """Return the bytes to serve; a first use may write a file, so it runs off the event loop."""
    if call.faulty("changed_file"):
        job.revision += 1
    return await asyncio.to_thread(job.content, part)


async def harmed(call: Call, reply: Reply) -> Reply:
    """Apply the faults ``bitflip`` and ``checksum`` to an answer."""
    fault = call.fault
    if fault is None or fault.kind not in ("bitflip", "checksum"):
        return reply
    whole = reply.length == reply.content.size
    if fault.kind == "checksum" or fault.declare_checksum:
        reply.headers += await asyncio.to_thread(reply.content.checksum_headers, whole=whole)
    if fault.kind == "bitflip" and reply.content.size:
        reply.content = BitFlippedContent(reply.content, fault.at_byte)
    return reply


async def direct_download(call: Call, job: EmulatedJob, *, chunked: bool = True) -> Reply:
    """Answer with the result itself, as vendors without a store do: no ranges, no validator."""
    content = await result_content(call, job)
    return await harmed(call, Reply(200, content, chunked=chunked))
