r"""Storable values: what Airflow can encode, send and store in events, XCom, the state stores and asset events.

Valid JSON holds more than that. Half of a surrogate pair (``"\ud83d"``, an emoji that a program cut) cannot be encoded
as UTF-8: Airflow's triggerer dies of it, with every deferred task. PostgreSQL refuses U+0000 in JSON, MessagePack
whole numbers beyond 64 bits, and JSON itself NaN and infinities.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from enum import Enum
from typing import Any

REPLACEMENT = "\ufffd"
# Characters of a message from a vendor, or about one: enough to read, and no more.
LONGEST_MESSAGE = 2_000
# Deeper than any document that is meant to be read, and far from the interpreter's own limit.
DEEPEST = 100
_LARGEST, _SMALLEST = 2**64 - 1, -(2**63)
_UNSTORABLE = re.compile(r"[\x00\ud800-\udfff]")
_HALF = re.compile(r"[\ud800-\udfff]")
# Escapes of terminals, and marks that reorder the text behind them: they act, and are not seen.
_ACTING = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def storable_text(text: str) -> str:
    """``text`` with U+FFFD in the place of each lone surrogate and each U+0000."""
    return _UNSTORABLE.sub(REPLACEMENT, str(text))


def bounded_text(text: str, longest: int = LONGEST_MESSAGE) -> str:
    """``text``, storable and not longer than ``longest`` characters. Redact first: half a secret is not recognised."""
    clean = storable_text(text)
    return clean if len(clean) <= longest else clean[: longest - 1] + "…"


def displayable(value: Any) -> Any:
    """``value`` to show to people: in a text, U+FFFD in the place of each character that acts on a terminal or page."""
    return _ACTING.sub(REPLACEMENT, value) if type(value) is str else value  # not HTML, which is a class of its own


def is_storable_text(text: str) -> bool:
    """True if :func:`storable_text` would leave ``text`` as it is."""
    return _UNSTORABLE.search(text) is None


def half_character_in(value: object) -> str | None:
    """Where a text in ``value`` has half of a surrogate pair, which no UTF-8 can have; None where none has."""
    return place_in(
        value, lambda each: (isinstance(each, str) or hasattr(each, "joinpath")) and bool(_HALF.search(words_of(each)))
    )


def odd_number_in(value: object) -> str | None:
    """Where ``value`` has NaN, an infinity or a whole number beyond 64 bits; None where it has none."""
    return place_in(value, lambda each: isinstance(each, int | float) and storable_number(each) is None)


def place_in(value: object, is_odd: Callable[[Any], bool]) -> str | None:
    """The last steps of the way to what is odd, like ``['emails'][0]``, and nothing for ``value`` itself."""
    pending: list[tuple[object, tuple[str, ...]]] = [(value, ())]
    seen: set[int] = set()
    for each, steps in pending:  # which grows
        if is_odd(each):
            return "".join(steps)
        if isinstance(each, Mapping | list | tuple | set | frozenset):  # Airflow's own sequences fetch their items
            if id(each) in seen:
                continue
            seen.add(id(each))
            if isinstance(each, Mapping):
                pending += [(name, steps) for name in each]
            members: Any = each.items() if isinstance(each, Mapping) else enumerate(each)
            pending += [(member, (*steps[-4:], f"[{step!r}]")) for step, member in members]
    return None


def is_deep(value: object) -> bool:
    """True if there is anything deeper than ``DEEPEST`` levels in parsed JSON."""
    level: list[Any] = [value]
    for _ in range(DEEPEST + 1):
        inner = (each.values() if isinstance(each, dict) else each for each in level if isinstance(each, dict | list))
        level = [member for members in inner for member in members]
        if not level:
            return False
    return True


def storable_number(value: object) -> Any:
    """``value``, or None where it is NaN, infinite, a whole number beyond 64 bits, or no number."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if isinstance(value, int) and _SMALLEST <= value <= _LARGEST else None


def storable(value: Any, depth: int = 0) -> Any:
    """``value`` as plain JSON that every part of Airflow can store. It never raises.

    Texts pass :func:`storable_text`, names of members too; NaN and infinities become None, whole numbers beyond 64 bits
    their digits as text; tuples and sets become lists, an enum its value, and what is none of JSON's kinds its text.
    What lies deeper than ``DEEPEST`` becomes None.
    """
    if isinstance(value, Enum):
        value = value.value
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return storable_text(value)
    if isinstance(value, int):
        return int(value) if _SMALLEST <= value <= _LARGEST else _digits(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if depth >= DEEPEST:
        return None
    if isinstance(value, Mapping):
        return {storable_text(words_of(name)): storable(member, depth + 1) for name, member in value.items()}
    if isinstance(value, Sequence | Set) and not isinstance(value, bytes | bytearray):
        return [storable(item, depth + 1) for item in value]
    return storable_text(words_of(value))


def texts(value: Any) -> Iterator[str]:
    """A text, or the texts of JSON, without the names of members."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping | list | tuple):
        for each in value.values() if isinstance(value, Mapping) else value:
            yield from texts(each)


def _digits(number: int) -> str | None:
    try:
        return str(number)
    except ValueError:  # longer than Python turns into text
        return None


def words_of(value: object) -> str:
    """``value`` as text, even if its own ``str()`` raises: an error about an error must not end in a third one."""
    try:
        return str(value)
    except Exception:  # noqa: BLE001 a foreign class may raise anything
        return f"<{type(value).__name__}>"
