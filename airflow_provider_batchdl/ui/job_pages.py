"""Routes of one job: its page, "ask now", and the cancel, which asks first."""

from __future__ import annotations

from typing import Annotated, Any

from airflow.api_fastapi.common.db.common import SessionDep
from airflow.api_fastapi.core_api.security import GetUserDep
from fastapi import APIRouter, Depends, HTTPException, Path, Request
from fastapi.responses import HTMLResponse
from pydantic import BeforeValidator

from airflow_provider_batchdl._values.storable import is_storable_text
from airflow_provider_batchdl.ui import actions, detail, forms, pages, queries
from airflow_provider_batchdl.ui.access import Refused, may_change, require_change, require_read
from airflow_provider_batchdl.ui.forms import Token
from airflow_provider_batchdl.ui.named_job import named_job
from airflow_provider_batchdl.ui.queries import Row

# Airflow leaves it in a tab's address where the task is not mapped. Its databases have 32 bits for the number.
NOT_MAPPED = "{MAP_INDEX}"
MapIndex = Annotated[int, Path(ge=-1, lt=2**31), BeforeValidator(lambda given: "-1" if given == NOT_MAPPED else given)]

router = APIRouter(prefix="/job/{dag_id}/{run_id}/{task_id}/{map_index}", default_response_class=HTMLResponse)


def row_of(session: SessionDep, dag_id: str, run_id: str, task_id: str, map_index: MapIndex) -> Row:
    """The job of a path."""
    can_exist = all(map(is_storable_text, (dag_id, run_id, task_id)))
    row = queries.job_row(session, (dag_id, run_id, task_id, map_index)) if can_exist else None
    if row is None:
        raise HTTPException(404)
    return row


Reading = Annotated[None, Depends(require_read)]
Changing = Annotated[None, Depends(require_change)]
JobRow = Annotated[Row, Depends(row_of)]


@router.get("")
def job(request: Request, _: Reading, user: GetUserDep, session: SessionDep, row: JobRow) -> Any:
    """One job's own page."""
    return _page(request, user, row, detail.of(session, row, user))


@router.post("/ask")
def ask(
    request: Request, _: Changing, user: GetUserDep, session: SessionDep, row: JobRow, form_token: Token = ""
) -> Any:
    """Ask the vendor now."""
    found = detail.of(session, row, user)
    named = named_job(row, found, user)
    forms.require_own_form(request, form_token, "ask", *_facts(row))
    return _page(request, user, row, found, actions.ask(named))


@router.get("/cancel")
def confirm(request: Request, _: Changing, user: GetUserDep, session: SessionDep, row: JobRow) -> Any:
    """Page that asks before a job is cancelled."""
    named_job(row, detail.of(session, row, user), user)
    return pages.render("cancel.html", row=row, form_token=forms.token(request, "cancel", *_facts(row)))


@router.post("/cancel")
def cancel(
    request: Request, _: Changing, user: GetUserDep, session: SessionDep, row: JobRow, form_token: Token = ""
) -> Any:
    """Cancel the job that the form has named: if the task has another by now, the token does not fit."""
    named = named_job(row, detail.of(session, row, user), user)
    forms.require_own_form(request, form_token, "cancel", *_facts(row))
    actions.record(session, user, "batchdl.cancel_job", row)
    session.commit()
    answer = actions.cancel(named)
    return _page(request, user, row, detail.of(session, row, user), answer)  # whose history has the cancel


def _facts(row: Row) -> tuple[object, ...]:
    return (*row.place, row.note.get("conn_id"), row.job_id)


def _page(
    request: Request, user: Any, row: Row, found: detail.Detail, answer: actions.Answer | None = None
) -> HTMLResponse:
    form_token, no_actions = None, None
    if row.job_id is not None and may_change(user, row.dag_id):
        try:
            named_job(row, found, user)
            form_token = forms.token(request, "ask", *_facts(row))
        except Refused as refusal:  # why a user who may change the task gets no forms
            no_actions = refusal.detail
    return pages.render("job.html", row=row, detail=found, answer=answer, form_token=form_token, no_actions=no_actions)
