"""The running state of an object as small JSON and back, field by field, each one checked on its way back.

What comes back was kept elsewhere meanwhile: it may be damaged, another version's, or not ours at all.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

LARGEST_COUNT = 2**63 - 1


@dataclass(frozen=True)
class Field:
    """How one attribute is kept.

    Args:
        save: the attribute's value as JSON; free text and bytes in ASCII, which every store keeps as it is.
        load: the value again; raises ValueError for anything that `save` would not have returned.
    """

    save: Callable[[Any], object]
    load: Callable[[object], Any]


class Resumable(Protocol):
    """Something whose state can be kept and taken up again."""

    def snapshot(self) -> dict[str, object] | None:
        """The state as JSON; None where it cannot be kept."""

    def restore(self, state: object) -> None:
        """Take up a state. Raises ValueError, and changes nothing, where it is not one that `snapshot` returned."""


class Stateful:
    """A `Resumable` by its list of fields."""

    FIELDS: ClassVar[Mapping[str, Field]] = {}
    """How each attribute that changes is kept; in the JSON its name has no underscore in front."""

    def snapshot(self) -> dict[str, object] | None:
        """The state as JSON."""
        return {name.lstrip("_"): field.save(getattr(self, name)) for name, field in self.FIELDS.items()}

    def restore(self, state: object) -> None:
        """Take up a state; see `Resumable.restore`."""
        members = exactly(state, {name.lstrip("_") for name in self.FIELDS})
        values = {name: field.load(members[name.lstrip("_")]) for name, field in self.FIELDS.items()}
        for name, value in values.items():
            setattr(self, name, value)


def exactly(state: object, names: set[str]) -> dict[str, Any]:
    """`state`, which is an object of exactly these members. Raises ValueError where it is not."""
    if not isinstance(state, dict) or set(state) != names:
        raise ValueError(f"not an object of {sorted(names)}")
    return state


def _demand(sound: bool, what: str) -> None:
    if not sound:
        raise ValueError(f"not {what}")


def whole(lowest: int = 0) -> Field:
    """A whole number."""

    def load(value: object) -> object:
        # `type`, since True is an int too.
        _demand(type(value) is int and lowest <= value <= LARGEST_COUNT, "a number in its range")
        return value

    return Field(int, load)


def choice(*values: object) -> Field:
    """One of a few values."""

    def load(value: object) -> object:
        _demand(any(each == value and type(each) is type(value) for each in values), "one of the known values")
        return value

    return Field(lambda value: value, load)


def raw(most: int, *, least: int = 0, only: bytes | None = None) -> Field:
    """From `least` to `most` bytes, in hex; `only` names those that may occur."""

    def load(value: object) -> bytes:
        data = bytes.fromhex(value) if isinstance(value, str) else None
        sound = data is not None and least <= len(data) <= most and not (only and data.strip(only))
        _demand(sound, "the bytes that can be here")
        return data or b""

    return Field(lambda value: bytes(value).hex(), load)


def buffer(most: int, *, only: bytes | None = None) -> Field:
    """The same for a bytearray."""
    plain = raw(most, only=only)
    return Field(plain.save, lambda value: bytearray(plain.load(value)))


def json_text(sound: Callable[[Any], bool]) -> Field:
    """Any JSON value, as a text of its own: some stores refuse NaN, NUL characters or lone surrogates elsewhere."""

    def load(value: object) -> object:
        try:
            found = json.loads(str(value))
        except RecursionError:
            raise ValueError("nested too deeply") from None
        _demand(isinstance(value, str) and sound(found), "a value that can be here")
        return found

    return Field(json.dumps, load)


def optional(field: Field) -> Field:
    """The same, or None."""
    return Field(
        lambda value: None if value is None else field.save(value),
        lambda value: None if value is None else field.load(value),
    )


def part(make: Callable[[], Resumable]) -> Field:
    """Another `Resumable`, made anew by `make`."""

    def load(value: object) -> Resumable:
        made = make()
        made.restore(value)
        return made

    return Field(lambda value: value.snapshot(), load)


COUNT = whole()
FLAG = choice(True, False)
