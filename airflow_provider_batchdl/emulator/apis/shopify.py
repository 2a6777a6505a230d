"""Shopify's bulk operations: GraphQL at one address, and results behind signed URLs on another host.

Sources: the GraphQL Admin API reference (``BulkOperation``, ``BulkOperationStatus``, ``bulkOperationRunQuery``,
``bulkOperationCancel``, ``bulkOperations``, ``node``), the guides on bulk operations and on rate limits. Inferences are
said to be: texts of some errors, and that a ``CANCELED`` operation has no data.

The real signed URLs are of another store than the S3 that stands behind them here.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from datetime import UTC, datetime
from typing import Any, BinaryIO

from airflow_provider_batchdl.emulator.exchange import (
    Api,
    BadBodyError,
    Call,
    Endpoint,
    RefusedError,
    Reply,
    json_reply,
)
from airflow_provider_batchdl.emulator.graphql import Field, SyntaxProblemError, fields_of
from airflow_provider_batchdl.emulator.jobs import EmulatedJob
from airflow_provider_batchdl.emulator.limits import TokenBucket
from airflow_provider_batchdl.emulator.listing import jobs_after
from airflow_provider_batchdl.emulator.openapi import body
from airflow_provider_batchdl.emulator.results import Recipe
from airflow_provider_batchdl.emulator.rows import MEDIA_TYPES
from airflow_provider_batchdl.emulator.states import Phase
from airflow_provider_batchdl.emulator.store import link_to

GRAPHQL = "/shopify_bulk/admin/api/{api_date}/graphql.json"
MOST_AT_ONCE = 5
"""Bulk queries of an app that run in a shop at a time, from API version 2026-01 on."""
COST, BURST, PER_SECOND = 10, 2000, 100
"""Points of a call (an inference), of a full bucket (an inference) and given back each second (Standard plan)."""

PRODUCTS = 500
"""Products of the emulated shop; every query is answered with these, whatever it selects."""

_OPERATIONS = {
    "bulkOperationRunQuery": "submit",
    "bulkOperationCancel": "cancel",
    "bulkOperations": "list",
    "bulkOperation": "status",
    "currentBulkOperation": "status",
    "node": "status",
    "shop": "check",
}
_IN_HTTP = {400: "Bad Request", 403: "Forbidden", 404: "Not Found", 500: "Internal Server Error"}
_EXAMPLE = "{ products { edges { node { id } } } }"
_LIMIT = "Bulk operations limit reached. Please try again later."


class ShopifyBulk(Api):
    """The one route under ``/shopify_bulk/admin/api``."""

    vendor = "shopify_bulk"

    def endpoints(self) -> list[Endpoint]:
        """Return the route; what a request does is in its document."""
        listing = "{ bulkOperations(first: 2) { nodes { id } } }"
        run = f'mutation {{ bulkOperationRunQuery(query: "{_EXAMPLE}") {{ userErrors {{ code }} }} }}'
        fields = {"query": {"enum": [listing, run]}, "variables": {"type": "object"}}
        return [Endpoint("graphql", "POST", GRAPHQL, self.graphql, body(fields, ["query"]))]

    async def operation_of(self, call: Call, endpoint: Endpoint) -> str:
        """Return the operation by the first field that the document selects."""
        try:
            return _OPERATIONS.get((await _selected(call))[0].name, endpoint.operation)
        except (BadBodyError, SyntaxProblemError, IndexError):
            return endpoint.operation

    def error(self, status: int, message: str) -> Reply:
        """Return an error: some have an HTTP status, and most are inside a 200, a throttled request as well."""
        if status == 401:
            return json_reply(401, {"errors": "[API] Invalid API key or access token"})
        if status == 429:
            return self.problem("Throttled", "THROTTLED")
        if status in (500, 503):
            return self.problem("Internal error. Looks like something went wrong on our end.", "INTERNAL_SERVER_ERROR")
        return json_reply(status, {"errors": _IN_HTTP.get(status, message)})

    def problem(self, message: str, code: str | None = None) -> Reply:
        """Return an error inside a 200."""
        return json_reply(200, {"errors": [{"message": message, **({"extensions": {"code": code}} if code else {})}]})

    def guard(self, call: Call, endpoint: Endpoint) -> None:
        """Check the access token and the limit, which counts points."""
        if call.header("x-shopify-access-token") != self.key:
            raise RefusedError(self.error(401, ""))
        verdict = self.world.take(self.vendor, self.key, lambda: TokenBucket(BURST // COST, COST / PER_SECOND))
        call.request.state.verdict = verdict
        if not verdict.allowed:
            raise RefusedError(self.error(429, ""))

    async def graphql(self, call: Call) -> Reply:
        """Run a document: each field at its root, and the points that it cost."""
        try:
            selected = await _selected(call)
        except SyntaxProblemError as problem:
            return self.problem(str(problem))
        data = {}
        for field in selected:
            resolve = getattr(self, f"_resolve_{_OPERATIONS.get(field.name, '')}", None)
            if resolve is None:
                return self.problem(f"Field '{field.name}' doesn't exist on type 'QueryRoot'", "undefinedField")
            data[field.key] = field.of(await resolve(call, field))
        points = {"maximumAvailable": BURST, "currentlyAvailable": call.request.state.verdict.remaining * COST}
        cost = {"requestedQueryCost": COST, "actualQueryCost": COST}
        status = {**points, "restoreRate": PER_SECOND}
        return json_reply(200, {"data": data, "extensions": {"cost": {**cost, "throttleStatus": status}}})

    # --- fields at the root

    async def _resolve_submit(self, call: Call, field: Field) -> dict[str, Any]:
        query = field.arguments.get("query")
        problem = _problem_of(query)
        if problem:
            return _refused(["query"], problem, "INVALID")
        running = [job for job in self.world.jobs(self.vendor) if not job.phase.is_terminal]
        if len(running) >= MOST_AT_ONCE or self.world.accounts.quota_exceeded.get(self.vendor):
            return _refused(None, _LIMIT, "LIMIT_REACHED")
        job = self.world.add_job(self.vendor, request={"query": query}, recipe=_recipe_for(self.world.seed))
        return {"bulkOperation": await self._describe(call, job), "userErrors": []}

    async def _resolve_cancel(self, call: Call, field: Field) -> dict[str, Any]:
        """Cancel, which takes a while; that an ended operation is a user error, without a code, is a third party's."""
        job = self.world.job(self.vendor, str(field.arguments.get("id")))
        if job is None:
            unknown = {"field": ["id"], "message": "Bulk operation does not exist"}
            return {"bulkOperation": None, "userErrors": [unknown]}
        errors = []
        if job.phase.is_terminal:
            message = f"A bulk operation cannot be canceled when it is {job.vendor_state.lower()}"
            errors = [{"field": None, "message": message}]
        elif job.phase is not Phase.CANCELLING:
            job.ask_to_cancel(lingering=True)
        return {"bulkOperation": await self._describe(call, job), "userErrors": errors}

    async def _resolve_status(self, call: Call, field: Field) -> dict[str, Any] | None:
        job = self.world.job(self.vendor, str(field.arguments.get("id")))
        if field.name == "currentBulkOperation":
            job = next(iter(self.world.jobs(self.vendor)[::-1]), None)
        return await self._describe(call, job) if job else None

    async def _resolve_list(self, call: Call, field: Field) -> dict[str, Any]:
        """Return the app's operations, newest first; filters are not emulated."""
        first, after = field.arguments.get("first"), field.arguments.get("after")
        limit = first if isinstance(first, int) and 0 < first <= 250 else 250
        jobs = self.world.jobs(self.vendor)[::-1]
        page = jobs_after(call, self.vendor, jobs, str(after or ""), limit)
        nodes = [await self._describe(call, job) for job in page.jobs]
        edges = [{"cursor": node["id"], "node": node} for node in nodes]
        info = {"hasNextPage": page.has_more, "endCursor": nodes[-1]["id"] if nodes else None}
        return {"nodes": nodes, "edges": edges, "pageInfo": info}

    async def _resolve_check(self, call: Call, field: Field) -> dict[str, Any]:
        return {"name": "Acme", "myshopifyDomain": "acme.myshopify.com"}

    async def _describe(self, call: Call, job: EmulatedJob) -> dict[str, Any]:
        """Return an operation. Its URL is signed anew for each answer, and is null where it has no data."""
        phase = job.phase
        lines, size, url = 0, None, None
        if phase in (Phase.SUCCEEDED, Phase.FAILED):
            content = await asyncio.to_thread(job.content)
            lines = (await asyncio.to_thread(getattr, content, "lines")).count
            size = str(call.announced(content.size)) if content.size else None
            url = self._link(job) if content.size else None
        return {
            "__typename": "BulkOperation",
            "id": job.id,
            "status": job.vendor_state,
            "errorCode": (job.message or "INTERNAL_SERVER_ERROR") if phase is Phase.FAILED else None,
            "createdAt": job.dated or _moment(job.submitted_at),
            "completedAt": _moment(job.ended_at) if phase is Phase.SUCCEEDED and job.ended_at else None,
            "objectCount": str(lines),
            "rootObjectCount": str(lines),
            "fileSize": size if phase is Phase.SUCCEEDED else None,
            "url": url if phase is Phase.SUCCEEDED else None,
            "partialDataUrl": url if phase is Phase.FAILED else None,
            "query": job.request.get("query", _EXAMPLE),
            "type": "QUERY",
        }

    def _link(self, job: EmulatedJob) -> str:
        stored = self.world.links.store(f"shopify-bulk/{job.part_name(1)}", job, 1)
        return link_to(self.world, stored)


async def _selected(call: Call) -> tuple[Field, ...]:
    body = await call.json_object()
    document, variables = body.get("query"), body.get("variables") or {}
    if not isinstance(document, str) or not isinstance(variables, dict):
        raise BadBodyError("query and variables are not a text and an object")
    return fields_of(document, variables)


def _problem_of(query: Any) -> str | None:
    """Return why a text is no query to run in bulk, or ``None``: it has to read a connection (the reference)."""
    try:
        fields = fields_of(query, {}) if isinstance(query, str) else ()
    except SyntaxProblemError as problem:
        return f"Invalid bulk query: {problem}"
    names = {each.name for field in fields for each in field.selection}
    return None if names & {"edges", "nodes"} else "Bulk queries must contain at least one connection."


def _refused(field: list[str] | None, message: str, code: str) -> dict[str, Any]:
    return {"bulkOperation": None, "userErrors": [{"field": field, "message": message, "code": code}]}


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _recipe_for(seed: int) -> Recipe:
    """Return the recipe of a result: an object on each line (guide on bulk operations, "JSONL file format")."""

    def write(file: BinaryIO, revision: int, share: float) -> None:
        for number in range(1, int(PRODUCTS * share) + 1):
            digest = hashlib.sha256(f"{seed}:{revision}:{number}".encode()).hexdigest()
            line = {"id": f"gid://shopify/Product/{number}", "title": f"Product {digest[:8]}"}
            file.write(json.dumps(line, separators=(",", ":")).encode() + b"\n")

    return Recipe(MEDIA_TYPES["jsonl"], write)
