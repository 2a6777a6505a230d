"""Tests of another module, to be run with what is registered here."""

from __future__ import annotations

from importlib import import_module
from typing import Any


def adopted(module: str, *, without: tuple[str, ...] = ()) -> dict[str, Any]:
    """The tests and fixtures of a module, by name.

    Args:
        module: its name.
        without: tests that ask no vendor's class, so that a document changes nothing for them.
    """
    members = vars(import_module(module)).items()
    return {
        name: value
        for name, value in members
        if (name.startswith("test_") and name not in without) or type(value).__name__ == "FixtureFunctionDefinition"
    }
