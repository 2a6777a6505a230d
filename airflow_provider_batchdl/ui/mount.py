"""The page's place in Airflow: path, menu entry, and an app that is imported by its first request."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from airflow_provider_batchdl._airflow.compat import is_ui_enabled, ui_path

PREFIX = "/batchdl"
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


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
    """The plugin's ``fastapi_apps``; empty where ``[batchdl] ui`` is False."""
    return [{"app": LazyApp(), "url_prefix": PREFIX, "name": "Batch jobs"}] if is_ui_enabled() else []


def external_views() -> list[dict[str, Any]]:
    """The plugin's ``external_views``: an entry in the menu "Browse"; none where ``[batchdl] ui`` is False."""
    if not is_ui_enabled():
        return []
    return [
        {
            "name": "Batch jobs",
            "href": ui_path(f"{PREFIX}/"),
            "destination": "nav",
            "category": "browse",
            "url_route": "batch-jobs",
            "icon": ui_path(f"{PREFIX}/static/icon.svg"),
            "icon_dark_mode": ui_path(f"{PREFIX}/static/icon-dark.svg"),
        }
    ]
