"""Verdicts on e-mail addresses: a function of the address and the seed only."""

from __future__ import annotations

import hashlib
from typing import Any

STATUSES = ("Valid", "Invalid", "Unknown")
"""Revenuebase's verdicts (vendor's OpenAPI)."""

_PROVIDERS = ("Google", "Microsoft", "Yahoo", "Zoho")
_TIMESTAMP = "2026-01-01T00:00:00Z"


def _number(address: str, seed: int) -> int:
    return int.from_bytes(hashlib.sha256(f"{seed}:{address.lower()}".encode(errors="replace")).digest()[:4], "big")


def looks_like_address(address: str) -> bool:
    """Tell whether a text has one ``@`` with something before it and a dotted domain after it."""
    name, at, domain = address.strip().partition("@")
    return bool(name and at and "." in domain and not domain.startswith(".") and not domain.endswith(".")) and (
        not any(character.isspace() or character in '@",;' for character in name + domain)
    )


def revenuebase_status(address: str, seed: int, revision: int = 0) -> str:
    """Return ``Valid``, ``Invalid`` or ``Unknown``.

    Args:
        address: the address.
        seed: the emulator's seed.
        revision: how often the file was replaced; each replacement turns every verdict, so that the bytes differ.
    """
    share = _number(address, seed) % 10
    verdict = 1 if not looks_like_address(address) else 0 if share < 7 else 1 if share < 9 else 2
    return STATUSES[(verdict + revision) % len(STATUSES)]


def revenuebase_metadata(address: str, status: str, seed: int) -> dict[str, Any]:
    """Return the fields that ``metadata=true`` adds (names: vendor's documentation of the single call).

    That a batch result carries the same names as columns is an inference. ``mx_record_checked`` is a boolean here as
    the official SDK types it; the documentation's example shows the text ``"checked"``.
    """
    return {
        "domain": address.strip().rpartition("@")[2],
        "timestamp": _TIMESTAMP,
        "mx_record_present": status != "Invalid",
        "mx_record_checked": True,
        "email_provider": _PROVIDERS[_number(address, seed) % len(_PROVIDERS)],
        "security_gateway": "",
        "reason": {"Valid": "accepted", "Invalid": "mailbox not found", "Unknown": "no answer"}[status],
    }


def proofy_status(address: str, seed: int, revision: int = 0) -> str:
    """Return ``valid``, ``invalid``, ``risky`` or ``unknown`` (vendor's terminology page)."""
    share = _number(address, seed) % 10
    verdict = 1 if not looks_like_address(address) else 0 if share < 6 else 1 if share < 8 else share - 6
    return ("valid", "invalid", "risky", "unknown")[(verdict + revision) % 4]


def proofy_item(username: str, domain: str, status: str) -> dict[str, Any]:
    """Return one result object in the exact shape of Proofy's example, which carries no ``email`` field."""
    good = status == "valid"
    return {
        "status": status,
        "syntax": {"username": username, "domain": domain, "valid": bool(username and domain)},
        "free": False,
        "roleAccount": username in {"admin", "info", "support", "team"},
        "roleNoReply": username in {"no-reply", "noreply"},
        "disposable": False,
        "possibleSpamTrap": False,
        "mx": {"hasRecords": good, "acceptsMail": good},
        "deliverability": {
            "canConnect": good,
            "fullInbox": False,
            "catchAll": status == "risky",
            "deliverable": good,
            "disabled": False,
        },
    }
