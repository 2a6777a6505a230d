"""Revenuebase: what guards its two versions, its errors, and the routes of both.

Sources: the vendor's OpenAPI documents (v2, and v1 before its retirement on 2026-07-07) and its rate-limit page.
"""

from __future__ import annotations

import hmac
import json
import math
from typing import Any

from airflow_provider_batchdl.emulator.exchange import Api, Call, Endpoint, Reply, json_reply, text_reply
from airflow_provider_batchdl.emulator.limits import FixedWindow, RollingWindow, Verdict

PER_MINUTE = 60
PER_DAY = 10_000
VERIFY_PER_SECOND = 5

_MESSAGES = {
    "invalid_extension": "File must be .csv or .json.",
    "upload_error": "File upload failed. Contact support.",
    "already_cancelled": "Job is already CANCELLED or CANCELLING.",
    "not_cancellable": "Job has status COMPLETED or ERROR.",
    "not_completed": "Job must be COMPLETED or CANCELLED before downloading.",
    "process_error": "Job ended with an error. No output file available.",
    "invalid_process_id": "Invalid process_id or job does not belong to your account.",
}


class Revenuebase(Api):
    """Routes under ``/revenuebase/v2`` and ``/revenuebase/v1``."""

    vendor = "revenuebase"

    # --- errors

    def error(self, status: int, message: str) -> Reply:
        """Return FastAPI's error shape, which the live 401 answers have (third-party probe)."""
        return json_reply(status, {"detail": message})

    def coded(self, code: str) -> Reply:
        """Return a 400 with one of the documented codes, in the shape that the emulator is set to.

        The codes are the vendor's; the body around them is documented nowhere.
        """
        message = _MESSAGES[code]
        if self.world.revenuebase_errors == "message":
            return json_reply(400, {"message": code})
        if self.world.revenuebase_errors == "dict":
            return json_reply(400, {"detail": {"code": code, "message": message}})
        if self.world.revenuebase_errors == "sentence":
            return json_reply(400, {"detail": message})
        if self.world.revenuebase_errors == "problem":
            problem = {"type": f"/errors/{code}", "title": "Bad Request", "status": 400, "detail": message}
            return text_reply(400, json.dumps(problem), "application/problem+json")
        return json_reply(400, {"detail": message if code == "invalid_process_id" else code})

    def invalid(self, *problems: tuple[tuple[str, ...], str, str, Any]) -> Reply:
        """Return FastAPI's 422 for ``(location, message, type, input)`` problems (vendor's OpenAPI)."""
        detail = [{"loc": list(loc), "msg": msg, "type": kind, "input": value} for loc, msg, kind, value in problems]
        return json_reply(422, {"detail": detail})

    def no_credits(self) -> Reply:
        """Return 402: documented for single calls; that a batch upload answers so as well is an inference."""
        return json_reply(402, {"detail": "Insufficient credits. Recharge your account before retrying."})

    # --- guards

    def guard(self, call: Call, endpoint: Endpoint) -> Reply | None:
        """Check the version, the key in ``x-key`` and the limits."""
        if not self.world.revenuebase_v1 and "/v1/" in endpoint.path:
            return self.error(410, "Gone")
        key = self.world.accounts.credentials[self.vendor].password
        if not hmac.compare_digest(call.header("x-key").encode(), key.encode()):
            # The two spellings were seen on the live service by a third party.
            return self.error(401, "Not Authenticated" if endpoint.operation == "verify" else "Not authenticated")
        verdicts = self._count(call, endpoint)
        refused = next((verdict for verdict in verdicts if not verdict.allowed), None)
        call.request.state.verdict = refused or verdicts[0]
        if refused and self.world.rate_limits:
            return self.error(429, "Rate limit exceeded")
        return None

    def _count(self, call: Call, endpoint: Endpoint) -> list[Verdict]:
        key = call.header("x-key")
        verdicts = [
            self.world.take("revenuebase-minute", key, lambda: RollingWindow(PER_MINUTE, 60)),
            self.world.take("revenuebase-day", key, lambda: FixedWindow(PER_DAY, 86_400)),
        ]
        if endpoint.operation == "verify":
            verdicts.append(
                self.world.take("revenuebase-verify", key, lambda: RollingWindow(VERIFY_PER_SECOND, 1)),
            )
        return verdicts

    def dress(self, call: Call, reply: Reply) -> None:
        """Add ``X-RateLimit-*`` to every answer; ``Reset`` is Unix time (vendor's documentation)."""
        verdict = getattr(call.request.state, "verdict", None) or Verdict(True, PER_MINUTE, PER_MINUTE, 60)
        reply.headers += [
            ("x-ratelimit-limit", str(verdict.limit)),
            ("x-ratelimit-remaining", str(max(0, verdict.remaining))),
            ("x-ratelimit-reset", str(math.ceil(self.world.clock.time() + verdict.reset_after))),
        ]
