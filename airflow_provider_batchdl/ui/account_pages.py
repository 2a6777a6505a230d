"""Route of one connection: "ask now"."""

from __future__ import annotations

from typing import Annotated, Any

from airflow.api_fastapi.core_api.security import GetUserDep
from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse

from airflow_provider_batchdl._values.storable import is_storable_text
from airflow_provider_batchdl.ui import actions, forms, pages
from airflow_provider_batchdl.ui.access import Refused, may_test_connection

router = APIRouter(prefix="/connection", default_response_class=HTMLResponse)


def form_token(request: Request) -> str:
    """The token of the forms in the list of connections."""
    return forms.token(request, "connection")


@router.post("/ask")
def ask(
    request: Request,
    user: GetUserDep,
    conn_id: Annotated[str, Form(max_length=250)],
    form_token: Annotated[str, Form(max_length=200)] = "",
) -> Any:
    """Ask the vendor now whether the connection works, by who may change it, as for Airflow's Test button."""
    if not is_storable_text(conn_id) or not may_test_connection(user, conn_id):
        raise Refused(403, "Testing a connection needs the rights to read and to change it.")
    forms.require_own_form(request, form_token, "connection")
    return pages.render("connection.html", answer=actions.ask_account(conn_id))
