"""Revenuebase's calls beside the batch: organizations and contacts. They make the official SDK's surface whole."""

from __future__ import annotations

import hashlib
from typing import Any

from airflow_provider_batchdl.emulator.apis.revenuebase import Revenuebase
from airflow_provider_batchdl.emulator.apis.revenuebase_parts import body_of, charge, json_body
from airflow_provider_batchdl.emulator.exchange import Call, Endpoint, Handler, Reply, json_reply
from airflow_provider_batchdl.emulator.verdicts import looks_like_address

_PLACES = ("headquarters_state", "headquarters_country", "headquarters_city", "headquarters_street", "headquarters_zip")
_MAX_SIMILARITY = 0.95
_OPTIONAL_TEXT = {"anyOf": [{"type": "string"}, {"type": "null"}]}


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


def _organizations(api: Revenuebase, key: str, default: int, most: int, *, per_result: bool) -> Handler:
    async def handler(call: Call) -> Reply:
        body = await body_of(api, call)
        if isinstance(body, Reply):
            return body
        if problems := _problems(body, key):
            return api.invalid(*problems)
        count = int(body.get("result_count", default))
        least = float(body.get("min_similarity_score", 0))
        if not 1 <= count <= most:
            return api.error(400, f"result_count must be between 1 and {most}")
        if not 0 <= least <= _MAX_SIMILARITY:
            return api.error(400, f"min_similarity_score must be between 0 and {_MAX_SIMILARITY}")
        if api.world.settle("revenuebase") <= 0:
            return api.no_credits()
        companies = [_company(body[key], rank, count, body) for rank in range(count)]
        companies = [company for company in companies if company["similar_score"] >= least]
        charge(api, len(companies) if per_result else 1)
        return json_reply(200, {"companies": companies})

    return handler


def _refresh(api: Revenuebase) -> Handler:
    """Return the handler of the contact call, which only the official SDK (0.3.0) describes."""

    async def handler(call: Call) -> Reply:
        body = await body_of(api, call)
        if isinstance(body, Reply):
            return body
        address = body.get("email")
        if not isinstance(address, str) or not looks_like_address(address):
            return api.invalid((("body", "email"), "value is not a valid email address", "value_error", address))
        contact = {"EMAIL_ADDRESS_PER": address, "EMAIL_DOMAIN_PER": address.rpartition("@")[2]}
        document = {"schema_version": 2, "status": "current", "input_email": address, "contacts": [contact]}
        return json_reply(200, {**document, "request_id": None})

    return handler


def endpoints(api: Revenuebase, base: str) -> list[Endpoint]:
    """Return the routes under ``base``."""
    places = dict.fromkeys(_PLACES, _OPTIONAL_TEXT)
    count = {"result_count": {"type": "integer"}}
    score = {"min_similarity_score": {"type": "number", "minimum": 0, "maximum": _MAX_SIMILARITY}}
    text = {"type": "string"}
    resolve = json_body({"company_name": text, **count, **places}, ["company_name"])
    discover = json_body({"keyword": text, **count, **score, **places}, ["keyword"])
    refresh = json_body({"email": {"type": "string", "format": "email"}}, ["email"])
    # Defaults and bounds are the vendor's OpenAPI's.
    resolver = _organizations(api, "company_name", 3, 10, per_result=False)
    discoverer = _organizations(api, "keyword", 1000, 10_000, per_result=True)
    return [
        Endpoint("resolve", "POST", f"{base}/organization/resolve", resolver, resolve),
        Endpoint("discover", "POST", f"{base}/organization/discover", discoverer, discover),
        Endpoint("refresh", "POST", f"{base}/contact/refresh/email", _refresh(api), refresh),
    ]
