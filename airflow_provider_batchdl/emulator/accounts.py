"""Keys, secrets, tokens and credits of the one account at each vendor."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

TOKEN_SECONDS = 7200
"""Life of an ApartmentIQ access token in seconds (vendor's documentation: ``expires_in`` 7200)."""

PASTED_TOKEN_SECONDS = 30 * 86_400
"""Life of a token pasted from the account settings in seconds (30 days: third party)."""

STARTING_CREDITS = 1_000_000


@dataclass(frozen=True)
class Credentials:
    """What goes into an Airflow connection.

    Attributes:
        password: API key or client secret.
        login: client id, where there is one.
        extra: further fields, as in the connection's extra.
    """

    password: str
    login: str | None = None
    extra: dict[str, Any] = field(default_factory=dict)


class Accounts:
    """The account at each vendor, made from the seed."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._serial = 0
        self.credentials = {
            "revenuebase": Credentials(f"rb_{self._secret('revenuebase')}", extra={"api_version": "v2"}),
            "proofy": Credentials(f"pf_{self._secret('proofy')}"),
            "batchcom": Credentials(
                f"rest_{self._secret('batchcom')}", extra={"project_key": f"project_{self._secret('project')}"}
            ),
            "apartmentiq": Credentials(
                f"aiq_secret_{self._secret('secret')}", login=f"aiq_client_{self._secret('client')[:12]}"
            ),
        }
        self.credits = {"revenuebase": STARTING_CREDITS, "proofy": STARTING_CREDITS}
        self.quota_exceeded: dict[str, bool] = {}
        self.access_token = f"aiq_pasted_{self._secret('pasted')}"
        self._tokens: dict[str, float] = {self.access_token: float("inf")}

    def _secret(self, purpose: str) -> str:
        return hashlib.sha256(f"{self._seed}:{purpose}".encode()).hexdigest()[:32]

    def rotate(self, vendor: str) -> str:
        """Replace a vendor's key at once and return the new one."""
        self._serial += 1
        old = self.credentials[vendor]
        key = f"rb_{self._secret(f'{vendor}:{self._serial}')}"
        self.credentials[vendor] = Credentials(key, old.login, old.extra)
        return key

    def issue_token(self, now: float) -> str:
        """Return a new ApartmentIQ access token that lives for two hours from Unix time ``now``."""
        self._serial += 1
        token = f"aiq_{self._secret(f'token:{self._serial}')}"
        self._tokens[token] = now + TOKEN_SECONDS
        return token

    def knows_token(self, token: str, now: float) -> bool:
        """Tell whether a bearer token is valid at Unix time ``now``."""
        return self._tokens.get(token, 0.0) > now

    def expire_tokens(self, *, pasted: bool = False) -> None:
        """Make every issued token invalid, and on request the pasted one too."""
        self._tokens = {} if pasted else {self.access_token: self._tokens.get(self.access_token, 0.0)}
