"""The page's app: routes, static files, and errors as pages."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

from airflow.api_fastapi.common.db.common import SessionDep
from airflow.api_fastapi.core_api.security import GetUserDep
from fastapi import FastAPI, Form, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.staticfiles import StaticFiles

from airflow_provider_batchdl._airflow.compat import is_testing_enabled, ui_path
from airflow_provider_batchdl.ui import actions, forms, job_pages, pages, queries
from airflow_provider_batchdl.ui.access import ReadableDags, Refused, readable_connections, require_test
from airflow_provider_batchdl.ui.connections import of_connections
from airflow_provider_batchdl.ui.filters import PERIODS, STATES, Filters

EXPLAINED = {
    401: "Sign in to Airflow, then open this page again.",
    403: "You may not see this: the rights are those of Airflow's own pages for the DAG's task instances and XComs.",
    405: "A form was sent here. Open the page of the job again.",
    500: "The page could not be made; Airflow's API server has logged why. If the database works, report it as a bug.",
    404: "There is no such job. Airflow removes a job's note when its task is tried again, cleared or deleted.",
}


def create_app() -> FastAPI:
    """The app, to be mounted into Airflow's API server."""
    app = FastAPI(title="Batch jobs", docs_url=None, redoc_url=None, openapi_url=None)
    app.mount("/static", StaticFiles(directory=pages.FOLDER / "static"), name="static")
    app.add_api_route("/", jobs, methods=["GET"], response_class=HTMLResponse)
    app.add_api_route("/connection/ask", ask_account, methods=["POST"], response_class=HTMLResponse)
    app.include_router(job_pages.router)
    app.add_exception_handler(StarletteHTTPException, _error)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(Exception, _error)
    return app


def jobs(
    request: Request,
    session: SessionDep,
    dag_ids: ReadableDags,
    user: GetUserDep,
    chosen: Annotated[Filters, Query()],
) -> HTMLResponse:
    """The list of jobs, with the connections above it."""
    counted = queries.counts(session, chosen, dag_ids)
    return pages.render(
        "jobs.html",
        filters=chosen,
        listed=queries.listed(session, chosen, dag_ids),
        form_token=forms.token(request, "connection") if is_testing_enabled() else None,
        connections=of_connections(session, counted, dag_ids, partial(readable_connections, user)),
        vendors=sorted({each.vendor for each in counted if each.vendor}),
        conn_ids=sorted({each.conn_id for each in counted if each.conn_id}),
        dag_ids=queries.dags(session, chosen, dag_ids),
        states=list(STATES),
        periods=PERIODS,
    )


def ask_account(
    request: Request,
    user: GetUserDep,
    conn_id: Annotated[str, Form(max_length=250)],
    form_token: forms.Token = "",
) -> Any:
    """Ask the vendor now whether the connection works, by who may change it, as for Airflow's Test button."""
    require_test(user, conn_id)
    forms.require_own_form(request, form_token, "connection")
    return pages.render("connection.html", answer=actions.ask_account(conn_id))


async def _error(_: Request, error: Exception) -> HTMLResponse:
    status = getattr(error, "status_code", 500)
    words = error.detail if isinstance(error, Refused) else EXPLAINED.get(status, "")
    return pages.render("error.html", status, number=status, words=words, home=ui_path("/"))


async def _invalid(_: Request, __: Exception) -> HTMLResponse:
    return pages.render("error.html", 422, number=422, words="There is no such address or form.", home=ui_path("/"))
