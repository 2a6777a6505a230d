"""Forms that change something: the request must come from this page, and name what the page has shown.

Airflow's session cookie is ``SameSite=Lax``: a browser does not send it with another site's form. Beyond that, a
form has a token that only who holds the session can make, and the request's origin must be Airflow's own.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Annotated

from airflow.api_fastapi.auth.managers.base_auth_manager import COOKIE_NAME_JWT_TOKEN
from fastapi import Form, Request

from airflow_provider_batchdl._airflow.compat import ui_origin
from airflow_provider_batchdl.ui.access import Refused

Token = Annotated[str, Form(max_length=200)]


def token(request: Request, *facts: object) -> str:
    """The token of a form, made from the session and from what the form is about."""
    key = request.cookies.get(COOKIE_NAME_JWT_TOKEN) or request.headers.get("authorization") or ""
    said = "\0".join(map(str, facts))
    return hmac.new(key.encode(), said.encode(), hashlib.sha256).hexdigest()


def require_own_form(request: Request, given: str, *facts: object) -> None:
    """Refuse, with 403, a form of another site, of another session, or about something else."""
    site = request.headers.get("sec-fetch-site", "same-origin")
    origin = request.headers.get("origin")
    # Not the scheme: a proxy that ends TLS may hide it from us.
    is_own = origin is None or origin == ui_origin() or origin.partition("://")[2] == request.headers.get("host")
    is_made = hmac.compare_digest(given.encode(errors="replace"), token(request, *facts).encode())
    if not is_own:
        raise Refused(403, "Open Airflow at its address; behind a proxy that changes Host, set [api] base_url to it.")
    if site != "same-origin" or not is_made:
        raise Refused(403, "This form is not of this page, or has expired: open the page again.")
