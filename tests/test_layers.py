"""Arrows only point down: who may import whom, read from the source."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = "airflow_provider_batchdl"
ROOT = Path(__file__).parents[1] / PACKAGE
# "" is the package itself, for its version.
VOCABULARY = {"", "frames", "storable", "redaction", "jobs", "exceptions", "waiting", "observers"}

# Each layer with what it may import of this package; itself always.
LAYERS = {
    "storable": set[str](),
    "escapes": set[str](),
    "secret_places": set[str](),
    "redaction": {"storable", "escapes", "secret_places"},
    "frames": set[str](),
    "jobs": {"storable"},
    "observers": set[str](),
    "exceptions": {"redaction", "storable"},
    "waiting": {"exceptions", "redaction"},
    "vendors": VOCABULARY,
    "client": VOCABULARY | {"vendors"},
    "transfer": VOCABULARY | {"vendors", "client"},
    "emulator": set[str](),
    "metrics": {"jobs", "observers"},
    "tracing": {"redaction", "storable", "jobs"},
    "sections": {"redaction"},
    "hooks": VOCABULARY | {"vendors", "client", "transfer", "metrics", "tracing", "sections"},
}
UPPER = {"operators", "sensors", "triggers", "hooks", "links", "lineage", "deferral", "failures", "provider_info"}
# The hooks' layer, what it counts and those above it are Airflow's; the rest must work without it.
WITHOUT_AIRFLOW = sorted(set(LAYERS) - {"hooks", "metrics"})


def layer_of(path: Path) -> str:
    first = path.relative_to(ROOT).parts[0]
    return "" if first == "__init__.py" else first.removesuffix(".py")


def imports(path: Path) -> Iterator[tuple[str, int]]:
    """Every absolute module name imported anywhere in a file, in functions and under TYPE_CHECKING too."""
    for node in ast.walk(ast.parse(path.read_text(), str(path))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative imports hide the layer"
            yield node.module or "", node.lineno
            yield from ((f"{node.module}.{alias.name}", node.lineno) for alias in node.names)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.startswith(f"{PACKAGE}."):
            yield node.value.partition(":")[0], node.lineno  # import_module("…")


SOURCES = [path for path in sorted(ROOT.rglob("*.py")) if layer_of(path) in LAYERS]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_arrows_point_down(path: Path) -> None:
    layer = layer_of(path)
    allowed = LAYERS[layer] | {layer}
    modules = {found.removesuffix(".py") for found in (p.name for p in ROOT.iterdir())}
    wrong = []
    for name, line in imports(path):
        top, _, rest = name.partition(".")
        target = rest.partition(".")[0]
        if top == PACKAGE and (target in modules or target in UPPER) and target not in allowed:
            wrong.append(f"line {line}: {layer} imports {name}")
        if top == "airflow" and layer in WITHOUT_AIRFLOW:
            wrong.append(f"line {line}: {layer} imports {name}")
    assert not wrong


def test_the_walk_sees_something() -> None:
    seen = {layer_of(path) for path in SOURCES}
    assert seen == set(LAYERS)
    names = {name for path in SOURCES for name, _ in imports(path)}
    assert {"httpx", "airflow.sdk", f"{PACKAGE}.vendors.base"} <= names


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
        "import airflow_provider_batchdl.client, airflow_provider_batchdl.transfer.landing\n"
        "import airflow_provider_batchdl.waiting\n"
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
