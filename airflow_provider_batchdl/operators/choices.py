"""What a task may be told to do where a person would otherwise have to decide."""

from __future__ import annotations

from typing import Literal, TypeAlias, cast

OnUncertainSubmit: TypeAlias = Literal["fail", "resubmit"]
OnChangedInput: TypeAlias = Literal["fail", "resubmit"]


def checked(choice: str) -> OnUncertainSubmit:
    """An operator's ``on_uncertain_submit``.

    Raises:
        ValueError: there is no such choice.
    """
    return cast("OnUncertainSubmit", _one_of_two("on_uncertain_submit", choice))


def parse_on_changed_input(choice: str) -> OnChangedInput:
    """An operator's ``on_changed_input``.

    Raises:
        ValueError: there is no such choice.
    """
    return cast("OnChangedInput", _one_of_two("on_changed_input", choice))


def _one_of_two(name: str, choice: str) -> str:
    if choice not in ("fail", "resubmit"):
        raise ValueError(f'{name} is "fail" or "resubmit", not {choice!r}.')
    return choice
