"""What Airflow learns of this provider without importing the rest of it."""

from __future__ import annotations

from typing import Any

from airflow_provider_batchdl import __version__

_PACKAGE = "airflow_provider_batchdl"
_HIDDEN = ["schema", "port"]


def _text(label: str, description: str, *, secret: bool = False, default: str | None = None) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": ["string", "null"]}
    if secret:
        schema["format"] = "password"
    if default is not None:
        schema["default"] = default
    return {"label": label, "description": description, "schema": schema}


_POLL = _text("Poll interval", "Seconds between looks at a job; empty for the vendor's own pace.")
_MAX_POLL = _text("Longest poll interval", "Most seconds between looks at a job that takes long, while deferred.")
_RATE = _text("Rate limit", 'Requests/seconds, like "120/60", where your contract differs from the public limit.')


def _connection(
    vendor: str, hook: str, label: str, password: str, host: str, *, login: str | None = None, **fields: Any
) -> dict[str, Any]:
    relabeling = {"host": "Base URL", "password": password} | ({"login": login} if login else {})
    return {
        "connection-type": vendor,
        "hook-class-name": f"{_PACKAGE}.hooks.{vendor}.{hook}",
        "hook-name": label,
        "ui-field-behaviour": {
            "hidden-fields": _HIDDEN if login else [*_HIDDEN, "login"],
            "relabeling": relabeling,
            "placeholders": {"host": host},
        },
        "conn-fields": {**fields, "poll_interval": _POLL, "max_poll_interval": _MAX_POLL, "rate_limit": _RATE},
    }


def _modules(key: str, *names: str) -> list[dict[str, Any]]:
    return [{"integration-name": "BatchDL", "python-modules": [f"{_PACKAGE}.{key}.{name}" for name in names]}]


def get_provider_info() -> dict[str, Any]:
    """The provider's metadata, in the form of Airflow's ``provider_info.schema.json``."""
    return {
        "package-name": "airflow-provider-batchdl",
        "name": "BatchDL",
        "description": "Batch APIs: submit a batch, wait for it, land the result file, once and whole.",
        "versions": [__version__],
        "integrations": [
            {
                "integration-name": "BatchDL",
                "external-doc-url": "https://pypi.org/project/airflow-provider-batchdl/",
                "tags": ["service"],
            }
        ],
        "hooks": _modules("hooks", "base", "revenuebase", "proofy", "batchcom", "apartmentiq"),
        "operators": _modules("operators", "submit", "download", "run", "cancel"),
        "sensors": _modules("sensors", "job"),
        "triggers": _modules("triggers", "job", "completed"),
        "extra-links": [f"{_PACKAGE}.links.BatchJobLink"],
        "cli": [f"{_PACKAGE}.cli.definition.get_cli_commands"],
        "connection-types": [
            _connection(
                "revenuebase",
                "RevenuebaseHook",
                "Revenuebase",
                "API key",
                "https://api.revenuebase.ai",
                api_version=_text("API version", "v1 only for mirrors of the API retired on 2026-07-07.", default="v2"),
            ),
            _connection("proofy", "ProofyHook", "Proofy", "API key", "https://apis.proofy.io/v1"),
            _connection(
                "batchcom",
                "BatchComHook",
                "Batch.com",
                "REST API key",
                "https://api.batch.com",
                project_key=_text("Project key", "Required; your Batch.com dashboard shows it.", secret=True),
                api_version=_text("API version", "Of the path, like 2.11.", default="2.11"),
            ),
            _connection(
                "apartmentiq",
                "ApartmentIQHook",
                "ApartmentIQ",
                "Client secret, or an access token without a client id",
                "https://data.apartmentiq.io/apartmentiq/api/v1",
                login="Client id",
                token_url=_text("Token URL", "Only where it is not /oauth/token at the base URL's origin."),
            ),
        ],
    }
