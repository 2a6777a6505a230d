"""Keys, secrets, tokens and credits of the one account at each vendor, and the Airflow connection to it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_batchdl.emulator.states import BUILT_IN

TOKEN_SECONDS = {"apartmentiq": 7200, "salesforce_bulk_query": 7200}
"""Life of an access token in seconds. ApartmentIQ: vendor's documentation (``expires_in`` 7200). Salesforce: an
inference, as its answer does not say; a session of an org lasts two hours where nobody has set another time."""

STARTING_CREDITS = 1_000_000


@dataclass(frozen=True)
class Credentials:
    """Credentials for an Airflow connection.

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
            "revenuebase": Credentials(f"rb_{self._secret('revenuebase')}"),
            "proofy": Credentials(f"pf_{self._secret('proofy')}"),
            "batchcom": Credentials(
                f"rest_{self._secret('batchcom')}", extra={"project_key": f"project_{self._secret('project')}"}
            ),
            "apartmentiq": Credentials(
                f"aiq_secret_{self._secret('secret')}", login=f"aiq_client_{self._secret('client')[:12]}"
            ),
            "openai_batch": Credentials(f"sk-proj-{self._secret('openai')}"),
            "salesforce_bulk_query": Credentials(
                (self._secret("salesforce") + self._secret("consumer")).upper(),
                login=f"3MVG9{self._secret('consumer key')}",
            ),
            "shopify_bulk": Credentials(f"shpat_{self._secret('shopify')}"),
            "neverbounce": Credentials(f"secret_{self._secret('neverbounce')}"),
        }
        self.credits = dict.fromkeys(("revenuebase", "proofy", "neverbounce"), STARTING_CREDITS)
        self.quota_exceeded: dict[str, bool] = {}
        self.access_token = f"aiq_pasted_{self._secret('pasted')}"
        self._tokens: dict[tuple[str, str], float] = {("apartmentiq", self.access_token): float("inf")}

    def _secret(self, purpose: str) -> str:
        return hashlib.sha256(f"{self._seed}:{purpose}".encode()).hexdigest()[:32]

    def rotate(self, vendor: str) -> str:
        """Replace a vendor's key at once and return the new one."""
        self._serial += 1
        old = self.credentials[vendor]
        key = f"rb_{self._secret(f'{vendor}:{self._serial}')}"
        self.credentials[vendor] = Credentials(key, old.login, old.extra)
        return key

    def issue_token(self, vendor: str, now: float) -> str:
        """Return a new access token, which lives from Unix time ``now`` as long as the vendor's tokens do."""
        self._serial += 1
        secret = self._secret(f"token:{self._serial}")
        token = f"aiq_{secret}" if vendor == "apartmentiq" else f"00D{secret[:15]}!AR8AQ{secret}"
        self._tokens[vendor, token] = now + TOKEN_SECONDS[vendor]
        return token

    def knows_token(self, vendor: str, token: str, now: float) -> bool:
        """Tell whether a bearer token is valid at Unix time ``now``."""
        return self._tokens.get((vendor, token), 0.0) > now

    def expire_tokens(self, *, pasted: bool = False) -> None:
        """Make every issued token invalid, and on request the pasted one too."""
        pasted_one = ("apartmentiq", self.access_token)
        self._tokens = {} if pasted else {pasted_one: self._tokens.get(pasted_one, 0.0)}


BASE_PATHS = {
    "revenuebase": "/revenuebase",
    "proofy": "/proofy/v1",
    "batchcom": "/batchcom",
    "apartmentiq": "/apartmentiq/api/v1",
    "openai_batch": "/openai_batch",
    "salesforce_bulk_query": "/salesforce_bulk_query/my-domain",
    "shopify_bulk": "/shopify_bulk",
    "neverbounce": "/neverbounce",
}
"""Where each vendor's API lives under the emulator's origin."""


def airflow_connection(vendor: str, url: str, account: Credentials, poll_interval: float | None) -> dict[str, Any]:
    """Return a connection's fields, with the extra as an object.

    Args:
        vendor: vendor name; one of the catalogue is reached by the connection type ``batchapi``.
        url: the API's base URL.
        account: credentials.
        poll_interval: seconds between polls of a job; ``None`` is the vendor's own.
    """
    built_in = vendor in BUILT_IN
    extra = {**account.extra, **({"poll_interval": poll_interval} if poll_interval else {})}
    return {
        "conn_type": vendor if built_in else "batchapi",
        "host": url,
        "login": account.login,
        "password": account.password,
        "port": 0,  # or the Test button of Airflow 3.3 fails: https://github.com/apache/airflow/issues/73298
        "extra": extra if built_in else {**extra, "vendor": vendor},
    }
