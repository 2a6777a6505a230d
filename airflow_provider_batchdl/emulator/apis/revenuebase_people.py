"""Revenuebase's calls beside the batch: single addresses, organizations, contacts, as the official SDK has them."""

from __future__ import annotations

import hashlib
from typing import Any

from airflow_provider_batchdl.emulator.apis.revenuebase import METADATA_FLAG, V1, V2, Revenuebase
from airflow_provider_batchdl.emulator.exchange import Call, Endpoint, Reply, json_reply
from airflow_provider_batchdl.emulator.openapi import TEXT, body
from airflow_provider_batchdl.emulator.verdicts import looks_like_address, revenuebase_metadata, revenuebase_status

_PLACES = ("headquarters_state", "headquarters_country", "headquarters_city", "headquarters_street", "headquarters_zip")
_MAX_SIMILARITY = 0.95


def _problems(body: dict[str, Any], key: str) -> list[tuple[tuple[str, ...], str, str, Any]]:
    """Return what FastAPI would find wrong with the types of an organization request."""
    found: list[tuple[tuple[str, ...], str, str, Any]] = []
    if key not in body:
        found.append((("body", key), "Field required", "missing", body))
    elif not isinstance(body[key], str):
        found.append((("body", key), "Input should be a valid string", "string_type", body[key]))
    count = body.get("result_count", 1)
    if not isinstance(count, (int, float)) or isinstance(count, bool) or int(count) != count:
        found.append((("body", "result_count"), "Input should be a valid integer", "int_type", count))
    score = body.get("min_similarity_score", 0)
    if not isinstance(score, (int, float)) or isinstance(score, bool):
        found.append((("body", "min_similarity_score"), "Input should be a valid number", "float_type", score))
    return found + [
        (("body", place), "Input should be a valid string", "string_type", body[place])
        for place in _PLACES
        if not isinstance(body.get(place), (str, type(None)))
    ]


def _company(name: str, rank: int, count: int, body: dict[str, Any]) -> dict[str, Any]:
    rbid = hashlib.sha256(f"{name}:{rank}".encode(errors="replace")).hexdigest()[:16]
    places = {place: body.get(place) for place in _PLACES}
    score = round(1.0 - rank / (count + 1), 4)
    return {"rbid": rbid, "company_name": f"{name} {rank + 1}", "similar_score": score, "about_us": None, **places}


class WholeRevenuebase(Revenuebase):
    """All that the vendor's API has."""

    def endpoints(self) -> list[Endpoint]:
        """Return the routes of jobs, and those beside them."""
        count = {"result_count": {"type": "integer"}}
        places = {place: {"anyOf": [TEXT, {"type": "null"}]} for place in _PLACES} | count
        score = {"min_similarity_score": {"type": "number", "minimum": 0, "maximum": _MAX_SIMILARITY}}
        resolve = body({"company_name": TEXT, **places}, ["company_name"])
        discover = body({"keyword": TEXT, **score, **places}, ["keyword"])
        email = body({"email": {**TEXT, "format": "email"}})
        return [
            *super().endpoints(),
            Endpoint("verify", "POST", f"{V2}/email/verify", self.verify, {**METADATA_FLAG, **email}),
            Endpoint("verify", "POST", f"{V1}/process-email", self.verify, {**METADATA_FLAG, **email}),
            Endpoint("resolve", "POST", f"{V2}/organization/resolve", self.resolve, resolve),
            Endpoint("discover", "POST", f"{V2}/organization/discover", self.discover, discover),
            Endpoint("refresh", "POST", f"{V2}/contact/refresh/email", self.refresh, email),
        ]

    async def verify(self, call: Call) -> Reply:
        """Verify a single address, for one credit unless the verdict is Unknown."""
        metadata = self.metadata(call)
        given = await call.json_object()
        if "email" not in given:
            raise self.invalid((("body", "email"), "Field required", "missing", given))
        address = given["email"]
        if not isinstance(address, str) or not looks_like_address(address):
            raise self.invalid((("body", "email"), "value is not a valid email address", "value_error", address))
        self.require_credits()
        status = revenuebase_status(address, self.world.seed)
        self.charge(int(status != "Unknown"))
        extra = revenuebase_metadata(address, status, self.world.seed) if metadata else {}
        return json_reply(200, {"email": address, "status": status, **extra})

    # Defaults and bounds are the vendor's OpenAPI's.

    async def resolve(self, call: Call) -> Reply:
        """Find a company, for one credit."""
        return await self._organizations(call, "company_name", 3, 10)

    async def discover(self, call: Call) -> Reply:
        """Find companies by a keyword, for one credit each."""
        return await self._organizations(call, "keyword", 1000, 10_000, per_result=True)

    async def _organizations(self, call: Call, key: str, default: int, most: int, *, per_result: bool = False) -> Reply:
        given = await call.json_object()
        if problems := _problems(given, key):
            raise self.invalid(*problems)
        count = int(given.get("result_count", default))
        least = float(given.get("min_similarity_score", 0))
        if not 1 <= count <= most:
            return self.error(400, f"result_count must be between 1 and {most}")
        if not 0 <= least <= _MAX_SIMILARITY:
            return self.error(400, f"min_similarity_score must be between 0 and {_MAX_SIMILARITY}")
        self.require_credits()
        companies = [_company(given[key], rank, count, given) for rank in range(count)]
        companies = [company for company in companies if company["similar_score"] >= least]
        self.charge(len(companies) if per_result else 1)
        return json_reply(200, {"companies": companies})

    async def refresh(self, call: Call) -> Reply:
        """Return a contact, as only the official SDK (0.3.0) describes it."""
        address = (await call.json_object()).get("email")
        if not isinstance(address, str) or not looks_like_address(address):
            raise self.invalid((("body", "email"), "value is not a valid email address", "value_error", address))
        contact = {"EMAIL_ADDRESS_PER": address, "EMAIL_DOMAIN_PER": address.rpartition("@")[2]}
        document = {"schema_version": 2, "status": "current", "input_email": address, "contacts": [contact]}
        return json_reply(200, {**document, "request_id": None})
