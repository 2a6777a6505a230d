"""Tests of another module, to be run with what is registered here."""

from __future__ import annotations

from importlib import import_module
from typing import Any


def adopted(module: str) -> dict[str, Any]:
    """The tests and fixtures of a module, by name."""
    members = vars(import_module(module)).items()
    return {
        name: value
        for name, value in members
        if name.startswith("test_") or type(value).__name__ == "FixtureFunctionDefinition"
    }
