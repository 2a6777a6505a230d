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


async def served(call: Call, reply: Reply, job: EmulatedJob) -> Reply:
    """Give an answer with a result its speed and its checksums, and apply the fault ``bitflip``."""
    fault = call.fault
    reply.bytes_per_second = call.world.bytes_per_second
    declared = job.declares_checksums or (
        fault is not None and (fault.kind == "checksum" or (fault.kind == "bitflip" and fault.declare_checksum))
    )
    if declared:
        whole = reply.length == reply.content.size
        reply.headers += await asyncio.to_thread(reply.content.checksum_headers, whole=whole)
    if fault is not None and fault.kind == "bitflip" and reply.content.size:
        at = fault.at_byte if fault.after_bytes is None else reply.start + fault.after_bytes
        reply.content = BitFlippedContent(reply.content, at)
    return reply


async def direct_download(call: Call, job: EmulatedJob, part: int = 1, *, chunked: bool = True) -> Reply:
    """Answer with the result itself, as vendors without a store do: no ranges, no validator."""
    content = await result_content(call, job, part)
    return await served(call, Reply(200, content, chunked=chunked), job)
