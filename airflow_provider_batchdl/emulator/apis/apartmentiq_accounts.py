"""ApartmentIQ's token endpoint, account list and quota (vendor's documentation)."""

from __future__ import annotations

from airflow_provider_batchdl.emulator.accounts import TOKEN_SECONDS
from airflow_provider_batchdl.emulator.apis.apartmentiq import BASE, ApartmentIQ
from airflow_provider_batchdl.emulator.apis.apartmentiq_pages import PAGE_SPEC, page_of
from airflow_provider_batchdl.emulator.exchange import BadBodyError, Call, Endpoint, Reply, json_reply
from airflow_provider_batchdl.emulator.oauth import TOKEN_SPEC, refusal_of_client

_ACCOUNTS = [{"id": 42, "name": "Acme Properties"}]
_QUOTA_SPEC = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "properties": {"account_id": {"type": "integer"}},
                    "required": ["account_id"],
                }
            }
        },
    }
}


def endpoints(api: ApartmentIQ) -> list[Endpoint]:
    """Return the routes."""

    async def token(call: Call) -> Reply:
        refusal = await refusal_of_client(call, api.vendor, refused_status=401)
        if refusal:
            return refusal
        now = api.world.clock.time()
        with api.world.lock:
            issued = api.world.accounts.issue_token(api.vendor, now)
        answer = {"access_token": issued, "token_type": "Bearer", "expires_in": TOKEN_SECONDS[api.vendor]}
        return json_reply(200, {**answer, "scope": "api", "created_at": int(now)})

    async def listing(call: Call) -> Reply:
        return page_of(api, call, "data", _ACCOUNTS)

    async def quota(call: Call) -> Reply:
        try:
            body = await call.json_object()
        except BadBodyError as problem:
            return api.error(400, str(problem), "Bad Request")
        if not isinstance(body.get("account_id"), int):
            return api.error(400, "account_id is required")
        used = 5001 if api.world.accounts.quota_exceeded.get(api.vendor) else 120
        counts = {"requested_records": 0, "new_records": 0, "prev_records": 0, "expected_new_consumed_quota": used}
        return json_reply(200, {"total_quota": 5000, "consumed_quota": used, **counts})

    return [
        Endpoint("token", "POST", "/oauth/token", token, TOKEN_SPEC, open=True),
        Endpoint("check", "GET", f"{BASE}/v1/accounts", listing, PAGE_SPEC),
        Endpoint("balance", "POST", f"{BASE}/v2/properties/bulk/quota_impact", quota, _QUOTA_SPEC),
    ]
