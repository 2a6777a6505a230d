"""The page's place in Airflow: path, menu entry, and an app that is imported by its first request."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from airflow_provider_batchdl._airflow.compat import has_page_sessions, has_scoped_views, is_ui_enabled, ui_path

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

PREFIX = "/batchdl"
# A DAG with this tag has a tab "Batch jobs".
TAG = "batchdl"
# Tasks of these classes have one. Named, since their modules cost an import.
CLASSES = (
    "BatchJobOperator",
    "BatchJobSensor",
    "CancelBatchJobOperator",
    "DownloadBatchResultsOperator",
    "SubmitBatchJobOperator",
    "_BatchJobDecoratedOperator",
)


class LazyApp:
    """ASGI app that imports the real one when the first request arrives.

    Airflow loads plugins in every process, and only the API server's gets requests.
    """

    def __init__(self) -> None:
        self._app: Any = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if self._app is None:
            from airflow_provider_batchdl.ui.app import create_app

            self._app = create_app()
        await self._app(scope, receive, send)


def fastapi_apps() -> list[dict[str, Any]]:
    """The plugin's ``fastapi_apps``; empty where the page is not served."""
    return [{"app": LazyApp(), "url_prefix": PREFIX, "name": "Batch jobs"}] if _is_served() else []


def external_views() -> list[dict[str, Any]]:
    """The plugin's ``external_views``: an entry in the menu "Browse", and tabs where Airflow can say of what.

    None where the page is not served.
    """
    if not _is_served():
        return []
    menu = _view("Batch jobs", "batch-jobs", "/", destination="nav", category="browse")
    return [menu, *_tabs()] if has_scoped_views() else [menu]


def _is_served() -> bool:
    """False if ``[batchdl] ui`` is False, or if Airflow does not tell a plugin's page who the user is."""
    return is_ui_enabled() and has_page_sessions()


def _tabs() -> Iterator[dict[str, Any]]:
    """Tabs of a DAG with the tag `TAG`, of our tasks, and of their instances.

    What is in braces Airflow replaces; at an instance of a task that is not mapped, all but ``{MAP_INDEX}``. What it
    knows of a DAG does not have the classes of its tasks.
    """
    jobs = "/?days=30&dag_id={DAG_ID}"
    job = "/job/{DAG_ID}/{RUN_ID}/{TASK_ID}/{MAP_INDEX}"
    yield _view("Batch jobs", "batch-jobs-of-dag", jobs, destination="dag", applies_to={"tags.name": [TAG]})
    scope = {"class_ref.class_name": list(CLASSES)}
    yield _view("Batch jobs", "batch-jobs-of-task", f"{jobs}&task_id={{TASK_ID}}", destination="task", applies_to=scope)
    scope = {"operator": list(CLASSES)}
    yield _view("Batch job", "batch-job", job, destination="task_instance", applies_to=scope)


def _view(name: str, route: str, path: str, **more: Any) -> dict[str, Any]:
    icons = {"icon": ui_path(f"{PREFIX}/static/icon.svg"), "icon_dark_mode": ui_path(f"{PREFIX}/static/icon-dark.svg")}
    return {"name": name, "href": ui_path(f"{PREFIX}{path}"), "url_route": route, **icons, **more}
