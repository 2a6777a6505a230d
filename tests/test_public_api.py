"""What is public: which modules and names, that each is documented, and that README and docs show no others."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

PACKAGE = "airflow_provider_batchdl"
ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]

# The one list. A name that leaves it, or changes its meaning, is in CHANGELOG.md.
PUBLIC: dict[str, list[str]] = {
    "": ["__version__"],
    "client": ["AsyncBatchClient", "BatchClient"],
    "client.environment": ["CaBundle", "Proxies", "Proxy", "Route", "route_to", "ssl_context"],
    "decorators.batch_job": ["batch_job_task"],
    "emulator": [
        "EmulatedJob", "Emulator", "Fault", "ManualClock", "RequestRecord", "ResultSpec", "ServedFile", "SystemClock",
    ],
    "emulator.pytest_plugin": ["batchdl_emulator"],
    "exceptions": [
        "AuthenticationError", "BatchDlError", "ChecksumMismatchError", "DestinationError", "EmptyResultError",
        "InputChangedError", "InsufficientCreditsError", "InvalidArgumentError", "InvalidConnectionError",
        "InvalidRequestError", "JobCancelledError", "JobFailedError", "JobNotFoundError", "PermissionDeniedError",
        "QuotaExceededError", "RateLimitedError", "ResultExpiredError", "ResultNotReadyError",
        "ResultTooLargeError", "StateStoreError", "SubmitUncertainError", "TransferError", "TruncatedDownloadError",
        "UnexpectedResponseError", "UnsafeRedirectError", "UnstorableResultError", "UnsupportedOperationError",
        "VendorUnavailableError", "WorkerEnvironmentError",
    ],
    "hooks.apartmentiq": ["ApartmentIQHook"],
    "hooks.base": ["BatchApiHook"],
    "hooks.batchcom": ["BatchComHook"],
    "hooks.batchapi": ["DeclaredVendorHook"],
    "hooks.proofy": ["ProofyHook"],
    "hooks.revenuebase": ["RevenuebaseHook"],
    "jobs": ["Job", "JobState", "LandedFile", "Landing", "ResultFile"],
    "links": ["BatchJobLink"],
    "operators.cancel": ["CancelBatchJobOperator"],
    "operators.download": ["MAX_XCOM_BYTES", "DownloadBatchResultsOperator"],
    "operators.run": ["BatchJobOperator"],
    "operators.submit": ["SubmitBatchJobOperator"],
    "options": ["DownloadKeywords", "DownloadOptions", "IfExists", "Keep", "OnEmpty"],
    "retries": ["BatchDlRetryPolicy", "BatchTaskFailedError"],
    "sensors.job": ["BatchJobSensor"],
    "task_groups": ["batch_job"],
    "testing": ["Answer", "assert_vendor", "check_vendor", "drive"],
    "transfer": ["MAX_CONNECTIONS", "Destination", "download", "fetch", "sweep"],
    "triggers.completed": ["CompletedJobsTrigger"],
    "triggers.job": ["BatchJobTrigger"],
    "vendors": ["names", "register", "vendor_class"],
    "vendors.account": ["Account"],
    "vendors.auth": ["BearerAuth", "HeaderKeyAuth", "OAuth2ClientCredentials", "QueryKeyAuth"],
    "vendors.base": [
        "ApiRequest", "FileRules", "Flow", "JobPage", "ListedJob", "Listing", "RateLimit", "RequestRules", "Submission",
        "Upload", "Vendor", "duration", "immediate", "path_segment",
    ],
    "vendors.declared": ["Declared", "Document", "DocumentError"],
    "vendors.reading": ["as_cursor", "as_id", "as_int", "as_list", "as_size", "as_text", "as_token", "as_word"],
    "windows": ["Days", "Period", "inclusive_days", "period"],
}  # fmt: skip


def module(name: str) -> ModuleType:
    return importlib.import_module(f"{PACKAGE}.{name}" if name else PACKAGE)


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_module_has_these_names(name: str) -> None:
    found = module(name)
    assert sorted(found.__all__) == sorted(PUBLIC[name])
    assert [each for each in found.__all__ if not hasattr(found, each)] == []


def test_every_package_says_what_is_public() -> None:
    lacking = []
    for path in sorted((ROOT / PACKAGE).rglob("__init__.py")):
        named = [
            target
            for node in ast.parse(path.read_text()).body
            if isinstance(node, ast.Assign | ast.AnnAssign)
            for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
            if ast.unparse(target) == "__all__"
        ]
        lacking += [] if named else [str(path.relative_to(ROOT))]
    assert lacking == []


def undocumented(name: str) -> Iterator[str]:
    """The public names of a module, and the public attributes of its classes, that have no docstring."""
    found = module(name)
    for each in PUBLIC[name]:
        value = getattr(found, each)
        if not (inspect.isclass(value) or inspect.isroutine(value)):
            continue  # a constant or an alias
        if not (vars(value).get("__doc__") if inspect.isclass(value) else inspect.getdoc(value)):
            yield each
        fields = getattr(value, "__dataclass_fields__", {})  # documented as the class's arguments
        for attribute, member in vars(value).items() if inspect.isclass(value) else ():
            function = getattr(member, "__func__", getattr(member, "fget", getattr(member, "func", member)))
            is_shown = not attribute.startswith("_") and attribute not in fields
            if is_shown and inspect.isfunction(function) and not inspect.getdoc(function):
                yield f"{each}.{attribute}"


@pytest.mark.parametrize("name", PUBLIC)
def test_public_names_are_documented(name: str) -> None:
    assert list(undocumented(name)) == []


def shown_modules() -> Iterator[tuple[str, str]]:
    """Each module that a page imports from, or names with its package, and the page."""
    for page in PAGES:
        text = page.read_text()
        for found in re.finditer(rf"\b{PACKAGE}((?:\.[a-z_]+)*)(?: import ([\w, ]+))?", text):
            for name in (found[2] or "").replace(" ", "").split(",") if found[2] else [""]:
                yield f"{found[1].lstrip('.')}.{name}".strip("."), page.name


def test_the_pages_show_public_names_only() -> None:
    allowed = {f"{part}.{each}".strip(".") for part, names in PUBLIC.items() for each in names} | set(PUBLIC)
    wrong = {f"{page}: {shown}" for shown, page in shown_modules() if shown not in allowed}
    assert wrong == set()


def test_the_architecture_page_has_the_list() -> None:
    section = (ROOT / "docs" / "architecture.md").read_text().partition("## What is public")[2]
    cells = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    shown = [each.removeprefix(PACKAGE).lstrip(".") for cell in cells for each in re.findall(r"`([\w.]+)`", cell)]
    assert sorted(shown) == sorted(filter(None, PUBLIC))


def test_the_reference_has_every_public_module() -> None:
    """But for the errors, which have a page of their own."""
    pages = "".join((ROOT / "docs" / name).read_text() for name in ("api.md", "hooks.md"))
    shown = re.findall(rf"^::: {PACKAGE}\.([\w.]+)$", pages, re.MULTILINE)
    public = [name for name in PUBLIC if name not in ("", "exceptions")]
    assert [name for name in public if not any(f"{each}.".startswith(f"{name}.") for each in shown)] == []
