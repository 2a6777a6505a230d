"""Documented rules of a vendor's submit, as data, and the one checker of a request against them.

What the vendor's own documents say is refused before it is sent where it does not hold: it would be refused by the
vendor, or paid for without a result. Reports of others cause a warning only. An unknown member passes with a
warning, so that a new feature of the vendor's needs no new version of this package, unless it looks like a slip of the
pen: then the member that is meant is missing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from msgspec import Struct

from airflow_provider_batchdl._redaction.redactor import excerpt, get_logger
from airflow_provider_batchdl.exceptions import InvalidRequestError
from airflow_provider_batchdl.vendors.dates import written
from airflow_provider_batchdl.vendors.extras import new_members
from airflow_provider_batchdl.vendors.files import check_presence
from airflow_provider_batchdl.vendors.words import nearest

if TYPE_CHECKING:
    from airflow_provider_batchdl.vendors.base import Submission, Vendor

log = get_logger(__name__)

# How alike two names are, 0 to 1, of which one is a slip of the pen for the other.
ALIKE = 0.72
SHOWN = 60
MOST_PROBLEMS = 5
_DAY = re.compile(r"\d{4}-\d\d-\d\d")


class Kind(NamedTuple):
    """A kind of value: what it is called, and whether a value is of it."""

    words: str
    holds: Callable[[Any], bool]


def _is_day(value: Any) -> bool:
    """True for a date, or what can be written as one."""
    if not isinstance(value, str):
        return isinstance(value, date)
    try:
        return bool(_DAY.fullmatch(value)) and bool(date.fromisoformat(value))
    except ValueError:
        return False


KINDS: Mapping[str, Kind] = {
    "any": Kind("anything", lambda value: True),
    "text": Kind("a text", lambda value: isinstance(value, str)),
    "whole": Kind("a whole number", lambda value: isinstance(value, int) and not isinstance(value, bool)),
    "flag": Kind("true or false", lambda value: str(value).strip().lower() in ("true", "false")),
    "object": Kind("a dict", lambda value: isinstance(value, Mapping)),
    "moment": Kind("a time", lambda value: isinstance(value, str | date)),
    "day": Kind("a date like 2026-10-31", _is_day),
}


class Member(Struct, forbid_unknown_fields=True, frozen=True, omit_defaults=True):
    """A member of a request that a task may make, checked before anything is sent.

    Args:
        kind: its kind, or that of the items if it is a list; ``any`` for one of several.
        many: true for a list.
        required: true if no request is without it.
        least: least items of the list.
        most: most items of the list.
        values: the only ones, by the vendor's own documents.
        reported: further values, reported by others.
        documented: false if the vendor's own documents lack it: then it is never refused.
    """

    kind: Literal["any", "text", "whole", "flag", "object", "moment", "day"] = "text"
    many: bool = False
    required: bool = False
    least: int = 0
    most: int | None = None
    values: tuple[str, ...] = ()
    reported: tuple[str, ...] = ()
    documented: bool = True


@dataclass(frozen=True)
class RequestRules:
    """Rules of a vendor's request: its members, and what yields further problems of one."""

    members: Mapping[str, Member] = field(default_factory=dict)
    also: Callable[[Mapping[str, Any]], Iterable[str]] = lambda request: ()


def prepare_submission(vendor: Vendor, submission: Submission) -> Submission:
    """``submission`` as it may be sent, its dates and times as the vendor takes them."""
    check_presence(vendor, submission.file)
    request = written(vendor, submission.request)
    if submission.file is None or request:
        check_request(vendor, request)
    return replace(submission, request=request)


def check_request(vendor: Vendor, request: Mapping[str, Any]) -> None:
    """Refuse a request that the vendor's documents rule out, and warn of what they do not know.

    The extra ``new_members`` of the vendor's connection names what it has learnt since:
    ``{"new_members": {"a_new_member": [], "report_type": ["a_new_value"]}}``.
    """
    if vendor.request_rules is None:
        return
    rules, more = vendor.request_rules, new_members(vendor.account)
    problems: list[str] = []
    doubts: list[str] = []
    meant: set[str | None] = set()
    for name, value in request.items():
        if name in rules.members:
            for sure, words in _of_member(name, value, rules.members[name], more.get(name, ())):
                (problems if sure else doubts).append(words)
        elif name not in more:
            other, words = _unknown(name, request, rules)
            sure = other is not None and rules.members[other].documented
            extra = json.dumps({"new_members": {excerpt(name, SHOWN): []}})
            (problems if sure else doubts).append(
                words if sure else f"{words}. Name it in the connection's extra if it is right: {extra}"
            )
            meant.add(other)
    for words in doubts:
        log.warning("The request to %s is sent as it is, although %s.", vendor.label, words)
    required = [name for name, member in rules.members.items() if member.required and name not in meant]
    missing = [name for name in required if request.get(name) is None]
    if missing:
        problems.append(f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing")
    problems += [] if problems else rules.also(request)
    if problems:
        told = "; ".join(problems[:MOST_PROBLEMS])
        raise InvalidRequestError(
            f"{vendor.label} would not take this request: {told}.",
            vendor=vendor.name,
            remedy=(
                "Correct the task's request. If the vendor takes it by now, say so in the connection's extra: "
                '{"new_members": {"a_member": ["a value"]}}.'
            ),
        )


def _unknown(name: str, request: Mapping[str, Any], rules: RequestRules) -> tuple[str | None, str]:
    """The member that is meant by an unknown one, None where it may be a new one; and the words about it."""
    meant = nearest(name, [each for each in rules.members if request.get(each) is None], ALIKE)
    words = f"{excerpt(repr(name), SHOWN)} is none of the members known, {', '.join(rules.members)}"
    return meant, f"{words} (did you mean {meant!r}?)" if meant else words


def _of_member(name: str, value: Any, member: Member, more: Sequence[str]) -> Iterator[tuple[bool, str]]:
    """Problems of a member, in words, each with whether that is sure."""
    if value is None:
        return
    kind = KINDS[member.kind]
    if member.many:
        for words in _of_list(name, value, member):
            yield member.documented, words
    elif not kind.holds(value):
        shown = excerpt(repr(value), SHOWN)
        words = f"{name} must be {kind.words}, and is {_kind(value)}, {shown}{_hint(value, member)}"
        yield member.documented, words
    elif member.values and value not in (*member.values, *member.reported, *more):
        meant = nearest(value, member.values, ALIKE)
        known = ", ".join(map(repr, (*member.values, *member.reported)))
        words = f"{name} is {excerpt(repr(value), SHOWN)}, and may be {known}"
        yield meant is not None or not member.reported, f"{words} (did you mean {meant!r}?)" if meant else words


def _of_list(name: str, value: Any, member: Member) -> Iterator[str]:
    """Problems of a list, as of a member; its items are not shown, since they may be people's addresses."""
    kind = KINDS[member.kind]
    if not isinstance(value, list | tuple):
        yield f"{name} must be a list, each item {kind.words}, and is {_kind(value)}{_hint(value, member)}"
        return
    if len(value) < member.least:
        yield f"{name} is an empty list"
    if member.most is not None and len(value) > member.most:
        yield f"{name} has {len(value):,} items, and may have {member.most:,}; split them, for instance with .expand()"
    taken = (kind.holds(item) and not (member.kind == "text" and _is_blank(item)) for item in value)
    odd = next((place for place, is_taken in enumerate(taken) if not is_taken), None)
    if odd is not None:
        is_what = "empty" if _is_blank(value[odd]) else _kind(value[odd])
        yield f"item {odd + 1:,} of {name} must be {kind.words}, and is {is_what}"


def _is_blank(value: Any) -> bool:
    return isinstance(value, str) and not value.strip()


def _kind(value: Any) -> str:
    return "a text" if isinstance(value, str) else f"of type {type(value).__name__}"


def _hint(value: Any, member: Member) -> str:
    if isinstance(value, str) and (member.many or member.kind not in ("text", "day", "flag")):
        return " (a template renders to text: give the other task's .output, or set render_template_as_native_obj)"
    return ""
