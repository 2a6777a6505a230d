"""Arrows only point down: who may import whom, read from the source."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

PACKAGE = "airflow_provider_batchdl"
ROOT = Path(__file__).parents[1] / PACKAGE

SAFE_TEXT = ("_values.storable", "_redaction.redactor")
ERRORS = (*SAFE_TEXT, "_redaction.tracebacks", "exceptions")
VALUES = ("_values.storable", "_values.times", "_values.arguments", "_values.inputs")
BELOW_AIRFLOW = (*ERRORS, *VALUES, "jobs", "options", "vendors", "client", "polling", "transfer")
SINK = ("transfer.sinks.base", "transfer.sinks.buffered", "transfer.sinks.errors", "transfer.sinks.fsspec_loop")
STORES = tuple(f"transfer.sinks.{store}" for store in ("local", "s3", "gcs", "azure", "staged"))
RESULT = (
    "transfer.destination", "transfer.manifest", "transfer.probe", "transfer.replacing", "transfer.numbering",
    "transfer.publishing", "transfer.result", "transfer.parse", "transfer.engine",
)  # fmt: skip
DOWNLOAD = (
    *ERRORS, *SINK, *STORES, *RESULT, "jobs", "options", "client", "transfer.source", "transfer.parallel",
    "transfer.progress", "transfer.state", "transfer.sinks.factory", "transfer.sinks.spool", "transfer.pages",
    "vendors",
)  # fmt: skip

# What each part may import of this package, itself always: the plan of docs/architecture.md, from the bottom up. A part
# is the longest name here that a module's begins with.
PLAN: dict[str, tuple[str, ...]] = {
    "__init__": (),
    "emulator": (),
    "_values.storable": (),
    "_values.times": (),
    "_redaction.escapes": (),
    "_redaction.spellings": ("_redaction.escapes",),
    "_redaction.secret_places": ("_redaction.spellings",),
    "_redaction.redactor": (
        "_values.storable", "_redaction.escapes", "_redaction.secret_places", "_redaction.spellings",
    ),
    "_base_error": SAFE_TEXT,
    "exceptions": ("_base_error",),
    "_redaction.tracebacks": (*SAFE_TEXT, "exceptions"),
    "jobs": ("_values.storable",),
    "_values.arguments": ERRORS,
    "_values.inputs": ERRORS,
    "options": ("_values.arguments",),
    "vendors": (*ERRORS, "_values.inputs", "_values.times", "jobs"),
    "testing": (*ERRORS, "jobs", "vendors"),
    "client": (*ERRORS, "vendors", "__init__"),
    "polling": (*ERRORS, "_values.times", "jobs", "vendors"),
    "transfer.state": (),
    "transfer.reorder_buffer": (),
    "transfer.progress": ("_redaction.redactor", "jobs"),
    "transfer.content": ("exceptions", "client"),
    "transfer.source": (*ERRORS, "_values.times", "jobs", "vendors", "client", "transfer.content"),
    "transfer.verify": (*ERRORS, "transfer.source", "transfer.content"),
    "transfer.sinks.base": ("transfer.state",),
    "transfer.sinks.errors": ERRORS,
    "transfer.sinks.buffered": (*ERRORS, "transfer.sinks.base", "transfer.sinks.errors"),
    "transfer.sinks.fsspec_loop": ("transfer.sinks.buffered",),
    "transfer.sinks.spool": ("transfer.sinks.errors",),
    "transfer.sinks.local": (*ERRORS, *SINK, "transfer.state", "transfer.reorder_buffer"),
    "transfer.sinks.stores": ("transfer.sinks.local",),
    "transfer.sinks.staged": (*ERRORS, *SINK, "transfer.sinks.local", "transfer.sinks.stores"),
    "transfer.sinks.gcs": (*ERRORS, *SINK),
    "transfer.sinks.azure": (*ERRORS, *SINK),
    "transfer.sinks.s3": (
        *ERRORS, *SINK, "vendors", "client", "transfer.state", "transfer.source", "transfer.sinks.local",
    ),
    "transfer.sinks.factory": (*SINK, *STORES, "transfer.sinks.stores", "transfer.state"),
    "transfer.parallel": (
        *ERRORS, *SINK, "client", "transfer.source", "transfer.progress", "transfer.reorder_buffer",
        "transfer.sinks.local",
    ),
    "transfer.result": ("jobs", "transfer.source", "transfer.parallel", "transfer.sinks.base"),
    "transfer.pages": (*ERRORS, "jobs", "vendors", "transfer.source"),
    "transfer.engine": (
        *ERRORS, *SINK, "jobs", "options", "transfer.result", "transfer.pages", "transfer.source", "transfer.verify",
        "transfer.parallel", "transfer.progress", "transfer.state", "transfer.sinks.local",
    ),
    "transfer.parse": ("exceptions", "client", "transfer.content"),
    "transfer.numbering": (*ERRORS, "jobs", "options", "vendors"),
    "transfer.destination": ("jobs", "transfer.source", "transfer.state", "transfer.sinks.stores"),
    "transfer.destination_text": (
        "exceptions", "_values.inputs", "transfer.destination", "transfer.state", "transfer.sinks.errors", *STORES,
    ),
    "transfer.manifest": (
        *ERRORS, "_values.times", "jobs", "transfer.destination", "transfer.source",
        "transfer.sinks.errors", "transfer.sinks.factory", "transfer.sinks.stores",
    ),
    "transfer.publishing": (
        *ERRORS, "jobs", "transfer.destination", "transfer.manifest", "transfer.sinks.errors",
        "transfer.sinks.stores",
    ),
    "transfer.replacing": (
        *ERRORS, "_values.times", "jobs", "options", "transfer.destination", "transfer.manifest",
        "transfer.source", "transfer.sinks.errors", "transfer.sinks.factory", "transfer.sinks.stores",
    ),
    "transfer.probe": (
        *ERRORS, "jobs", "options", "transfer.destination", "transfer.manifest",
        "transfer.sinks.errors", "transfer.sinks.stores", *STORES,
    ),
    "transfer.cleanup": (
        *ERRORS, "_values.times", "transfer.state", "transfer.sinks.errors", "transfer.sinks.stores", *STORES,
    ),
    "transfer.joining": (*DOWNLOAD, "transfer.content"),
    "transfer.receiving": (*DOWNLOAD, "transfer.joining"),
    "transfer.job_download": (*DOWNLOAD, "transfer.receiving", "transfer.joining"),
    "transfer": ("transfer.destination", "transfer.job_download", "transfer.cleanup", "transfer.parallel"),
    "_airflow": (*ERRORS, "_values.times", "jobs", "client"),
    "hooks": (*BELOW_AIRFLOW, "_airflow"),
    "triggers": (*BELOW_AIRFLOW, "_airflow", "hooks"),
    "_tasks": (*BELOW_AIRFLOW, "_redaction.secret_places", "_airflow", "hooks", "triggers"),
    "links": (*SAFE_TEXT, "_redaction.secret_places", "_values.inputs", "jobs", "_airflow", "hooks"),
    "retries": ("exceptions", "vendors", "client", "_airflow"),
    "operators": (*BELOW_AIRFLOW, "_airflow", "hooks", "triggers", "_tasks", "links", "retries"),
    "sensors": (*BELOW_AIRFLOW, "_airflow", "hooks", "triggers", "_tasks", "links"),
    "decorators": ("_redaction.redactor", "_values.inputs", "exceptions", "_airflow", "_tasks", "operators"),
    "task_groups": (*BELOW_AIRFLOW, "_airflow", "_tasks", "operators", "sensors", "retries"),
    "windows": ("exceptions", "_values.times", "_values.arguments", "_airflow"),
    "ui": (*BELOW_AIRFLOW, "__init__", "_airflow", "hooks", "triggers", "_tasks"),
    "plugin": ("_airflow", "windows", "ui"),
    "provider_info": ("__init__", "vendors"),
    "cli": (*BELOW_AIRFLOW, "__init__", "_airflow", "hooks", "triggers", "_tasks"),
}  # fmt: skip
# These know Airflow; all others work without it.
KNOWS_AIRFLOW = {
    "_airflow", "hooks", "triggers", "_tasks", "links", "retries", "operators", "decorators", "sensors",
    "task_groups", "windows", "plugin", "cli", "ui",
}  # fmt: skip
# Packages whose names alone, without what is in them, may be imported: they load nothing.
EMPTY = {"_values", "_redaction", "transfer.sinks"}


def module_of(path: Path) -> str:
    return path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".").removesuffix(".__init__")


def part_of(module: str) -> str:
    """The part of the plan that a module belongs to; empty where the plan does not have it."""
    while module and module not in PLAN:
        module = module.rpartition(".")[0]
    return module


SOURCES = {module_of(path): path for path in sorted(ROOT.rglob("*.py"))}


@cache
def imports(path: Path) -> list[tuple[str, int]]:
    """Every module or name imported anywhere in a file, in functions and under TYPE_CHECKING too, with its line."""
    return list(_imports(path))


def _imports(path: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse(path.read_text(), str(path))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative imports hide the layer"
            yield from ((f"{node.module}.{alias.name}", node.lineno) for alias in node.names)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.startswith(f"{PACKAGE}."):
            yield node.value.partition(":")[0], node.lineno  # import_module("…")


def imported(path: Path) -> Iterator[tuple[str, int]]:
    """The modules of this package among them."""
    for name, line in imports(path):
        top, _, rest = name.partition(".")
        if top == PACKAGE and rest:
            module = rest
            while module and module not in SOURCES:
                module = module.rpartition(".")[0]
            yield module or "__init__", line


def test_the_plan_has_every_import() -> None:
    assert [module for module in SOURCES if module not in EMPTY and not part_of(module)] == []
    wrong = []
    for module, path in SOURCES.items():
        part = part_of(module)
        allowed = set() if module in EMPTY else {module, part, *PLAN[part]}
        if part != "provider_info":  # that names what Airflow loads, and imports nothing
            wrong += [
                f"{module}:{line} imports {found}"
                for found, line in imported(path)
                if not any(found == each or found.startswith(f"{each}.") for each in allowed)
            ]
        if part not in KNOWS_AIRFLOW:
            airflows = [line for name, line in imports(path) if name.partition(".")[0] == "airflow"]
            wrong += [f"{module}:{line} imports airflow" for line in airflows]
    assert wrong == []


def test_the_plan_goes_down_only() -> None:
    """A part may import only what stands above it in the table."""
    order = list(PLAN)
    for part, allowed in PLAN.items():
        for each in allowed:
            inside = [order.index(name) for name in order if name == each or name.startswith(f"{each}.")]
            assert max(inside) < order.index(part) or part.startswith(each), f"{part} imports {each}"


def test_the_plan_has_nothing_that_is_gone() -> None:
    parts = {part_of(module) for module in SOURCES if module not in EMPTY}
    assert parts == set(PLAN)
    names = {name for path in SOURCES.values() for name, _ in imports(path)}
    assert {"httpx", "airflow.sdk.BaseOperator", f"{PACKAGE}.vendors.base.Vendor"} <= names


def test_only_compat_asks_for_airflows_version_and_private_parts() -> None:
    private = (
        "airflow.sdk._",
        "airflow.sdk.execution_time",
        "airflow._",
        "airflow.__version__",
        "airflow.sdk.io.store",
    )
    for module, path in SOURCES.items():
        if module.startswith(("_airflow.compat", "emulator")):
            continue
        assert not [name for name, _ in imports(path) if name.startswith(private)], module
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Try):
                inside = {name for each in node.body for name in _imported_by(each)}
                by_import_error = any("ImportError" in ast.unparse(handler.type or node) for handler in node.handlers)
                optional = ("airflow.providers", "adlfs", "gcsfs", "s3fs")
                wrong = [name for name in inside if name.startswith("airflow.") and not name.startswith(optional)]
                assert not (by_import_error and wrong), f"{module} asks for a version of Airflow: {wrong}"


def _imported_by(node: ast.AST) -> Iterator[str]:
    for each in ast.walk(node):
        if isinstance(each, ast.ImportFrom):
            yield f"{each.module}."


def test_vendors_do_no_input_or_output() -> None:
    """Sans-IO: no socket, no file, no HTTP client, no sleep."""
    forbidden = {"socket", "urllib3", "requests", "urllib.request", "subprocess", "http.client", "tenacity"}
    for path in (ROOT / "vendors").glob("*.py"):
        assert not forbidden & {name for name, _ in imports(path)}, path
        calls = {node.attr for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Attribute)}
        assert not calls & {"sleep", "urlopen", "Client", "AsyncClient"}, path


def test_the_lower_layers_load_where_there_is_no_airflow() -> None:
    code = (
        "import sys\n"
        "class NoAirflow:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.partition('.')[0] == 'airflow': raise ImportError(name)\n"
        "sys.meta_path.insert(0, NoAirflow())\n"
        "import airflow_provider_batchdl.client, airflow_provider_batchdl.transfer.job_download\n"
        "import airflow_provider_batchdl.polling.backoff\n"
        "from airflow_provider_batchdl import vendors\n"
        "[vendors.vendor_class(name) for name in vendors.names()]\n"
        "from airflow_provider_batchdl.emulator import Emulator\n"
        "assert not [name for name in sys.modules if name.partition('.')[0] == 'airflow']\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_the_emulator_shares_no_code_with_what_it_tests() -> None:
    code = (
        "import sys\n"
        "from airflow_provider_batchdl.emulator import Emulator, Fault, ResultSpec\n"
        "ours = [name for name in sys.modules if name.startswith('airflow_provider_batchdl.')]\n"
        "assert all(name.startswith('airflow_provider_batchdl.emulator') for name in ours), ours\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
