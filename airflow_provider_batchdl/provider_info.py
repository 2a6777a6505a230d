"""Metadata that Airflow reads about this provider without importing the rest of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_batchdl import __version__, vendors

__all__ = ["get_provider_info"]

_PACKAGE = "airflow_provider_batchdl"
_HIDDEN = ["schema", "port"]
# Members of a connection type that Airflow reads with `get`, and only where it shows a form or names a hook.
_FORM = frozenset({"hook-name", "ui-field-behaviour", "conn-fields"})


def _text(
    label: str, description: str, *, secret: bool = False, section: str | None = None, lines: bool = False
) -> dict[str, Any]:
    """Text field: optional, or required in a section of its own, so that Save needs it.

    No field has a default: a prefilled value would be stored, and stay when the default changes.
    """
    schema: dict[str, Any] = {"type": "string" if section else ["string", "null"]}
    if secret:
        schema["format"] = "password"
    if lines:
        schema["format"] = "multiline"
    if section is not None:
        schema["section"] = section
    return {"label": label, "description": description, "schema": schema}


_POLL = _text(
    "Poll interval",
    "Seconds between two polls of a job, like 30. Leave it empty for the vendor's default.",
)
_MAX_POLL = _text(
    "Max. interval",
    "Most seconds between two polls of an old job: the interval grows with its age. Leave it empty for the default.",
)
_RATE = _text(
    "Rate limit",
    "Requests per seconds, like 60/60 for sixty a minute. Leave it empty unless your contract has another limit.",
)


def _connection(
    vendor: str,
    hook: str,
    label: str,
    password: str,
    host: str,
    fields: Mapping[str, Any] | None = None,
    *,
    login: str | None = None,
) -> dict[str, Any]:
    """Form of one vendor's connection. Labels have a third of its width: over about 16 letters, they wrap.

    ``password`` and ``login`` are labels: text after ``: `` is a placeholder, and None hides the login.
    """
    name, _, hint = password.partition(": ")
    relabeling = {"host": "Base URL", "password": name} | ({"login": login} if login else {})
    placeholders = {"host": f"empty for {host}"} | ({"password": hint} if hint else {})
    return {
        "connection-type": vendor,
        "hook-class-name": f"{_PACKAGE}.hooks.{hook}",
        "hook-name": label,
        "ui-field-behaviour": {
            "hidden-fields": _HIDDEN if login else [*_HIDDEN, "login"],
            "relabeling": relabeling,
            "placeholders": placeholders,
        },
        "conn-fields": {**(fields or {}), "poll_interval": _POLL, "max_poll_interval": _MAX_POLL, "rate_limit": _RATE},
    }


class _InstalledVendor(dict[str, Any]):
    """Connection type of a vendor in another package. Its form is made of its class when it is first asked for.

    Every Airflow process reads this table, and few show forms: none of the others imports that package.
    """

    def __init__(self, name: str) -> None:
        super().__init__({"connection-type": name, "hook-class-name": f"{_PACKAGE}.hooks.by_type.{name}_hook"})

    def get(self, key: str, default: Any = None) -> Any:
        if key in _FORM and key not in self:
            self.update(form_of(self["connection-type"]))
        return super().get(key, default)


def form_of(name: str) -> dict[str, Any]:
    """Form of a vendor's connection, from its class; a bare one where the class cannot be used."""
    hook = f"by_type.{name}_hook"
    try:
        kind = vendors.vendor_class(name)
        members = kind.extra_members or ()
        fields = {each: _member(each, members, kind.docs_url) for each in members}
        host = kind.default_host or "https://host/path of your account"
        return _connection(name, hook, kind.label, kind.key_label, host, fields, login=kind.login_label)
    except Exception as error:  # noqa: BLE001 one package's mistake must not take the forms of all others
        from airflow_provider_batchdl._redaction.redactor import get_logger

        log = get_logger(__name__)
        log.warning("The connection form of vendor %r has no fields of its own: %s", name, error)
        return _connection(name, hook, name, "API key", "the vendor's own", login="Login")


def _member(name: str, members: Any, docs_url: str) -> dict[str, Any]:
    """Field of a member of the extra that only this vendor reads."""
    from airflow_provider_batchdl.vendors.extras import is_secret

    words = members[name] if isinstance(members, Mapping) else f"See {docs_url} for what it is."
    return _text(name.replace("_", " ").capitalize(), words, secret=is_secret(name))


def _modules(key: str, *names: str) -> list[dict[str, Any]]:
    return [{"integration-name": "BatchDL", "python-modules": [f"{_PACKAGE}.{key}.{name}" for name in names]}]


def get_provider_info() -> dict[str, Any]:
    """Return the provider's metadata, in the form of Airflow's ``provider_info.schema.json``."""
    return {
        "package-name": "airflow-provider-batchdl",
        "name": "BatchDL",
        "description": "Batch APIs: submit a batch, wait for it, download the result file, once and whole.",
        "versions": [__version__],
        "integrations": [
            {
                "integration-name": "BatchDL",
                "external-doc-url": "https://pypi.org/project/airflow-provider-batchdl/",
                "tags": ["service"],
            }
        ],
        "hooks": _modules("hooks", "base", "revenuebase", "proofy", "batchcom", "apartmentiq", "batchapi"),
        "operators": _modules("operators", "submit", "download", "run", "cancel"),
        "sensors": _modules("sensors", "job"),
        "triggers": _modules("triggers", "job", "completed"),
        "task-decorators": [{"name": "batch_job", "class-name": f"{_PACKAGE}.decorators.batch_job.batch_job_task"}],
        "extra-links": [f"{_PACKAGE}.links.BatchJobLink"],
        "cli": [f"{_PACKAGE}.cli.definition.get_cli_commands"],
        "config": {
            "batchdl": {
                "description": "Settings of airflow-provider-batchdl.",
                "options": {
                    "ui": {
                        "description": 'Whether Airflow\'s UI has the page "Batch jobs", and tasks and triggers '
                        "push the XComs batchdl_job and batchdl_poll for it.",
                        "type": "boolean",
                        "version_added": None,
                        "example": None,
                        "default": "True",
                    }
                },
            }
        },
        "connection-types": [
            *_own_connections(),
            *(_InstalledVendor(name) for name in sorted(vendors.installed())),
        ],
    }


def _own_connections() -> list[dict[str, Any]]:
    """The connection types of the vendors of this package."""
    return [
        _connection(
            "revenuebase",
            "revenuebase.RevenuebaseHook",
            "Revenuebase",
            "API key",
            "https://api.revenuebase.ai",
            {"api_version": _text("API version", "Leave it empty for v2. v1 is retired; only mirrors have it.")},
        ),
        _connection("proofy", "proofy.ProofyHook", "Proofy", "API key", "https://apis.proofy.io/v1"),
        _connection(
            "batchcom",
            "batchcom.BatchComHook",
            "Batch.com",
            "REST API key",
            "https://api.batch.com",
            {
                "project_key": _text(
                    "Project key",
                    "Which of your projects to export from. The Batch.com dashboard shows it beside the REST API key.",
                    secret=True,
                    section="Project (required)",
                ),
                "api_version": _text("API version", "Leave it empty for 2.11, or write another one, like 2.10."),
            },
        ),
        _connection(
            "apartmentiq",
            "apartmentiq.ApartmentIQHook",
            "ApartmentIQ",
            "Client secret: or an access token, where there is no client id",
            "https://data.apartmentiq.io/apartmentiq/api/v1",
            {
                "token_url": _text(
                    "Token URL", "Where access tokens are asked for. Leave it empty unless your Base URL is a proxy."
                )
            },
            login="Client id",
        ),
        _connection(
            "batchapi",
            "batchapi.DeclaredVendorHook",
            "Batch API",
            "Secret: API key, client secret, token or password",
            "the document's",
            {
                "vendor": _text("Vendor", "Name of a vendor that comes with this package, like openai_batch."),
                "vendor_file": _text(
                    "Vendor file",
                    "Instead: path or URL of a vendor's document, like s3://aws_default@bucket/acme.toml.",
                ),
                "vendor_document": _text(
                    "Document", "Instead: the vendor's document itself, TOML or JSON.", lines=True
                ),
            },
            login="Login",
        ),
    ]
