"""Interface of every vendor.

An operation is a *flow*: a generator that yields the requests to send and is sent their responses, as in
``httpx.Auth.auth_flow``. It does no input or output itself, so the sync and the async client drive the same code::

    def get_job(self, job_id):
        response = yield ApiRequest("status", "GET", f"/jobs/{job_id}", job_id=job_id)
        return self.read_job(response.json())

The client asks :meth:`Vendor.refusal` about every answer. What it returns (by default, :meth:`Vendor.error` of a
status of 400 or above) is thrown into the flow, which may catch it; other answers reach the flow as values.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Generator, Mapping
from datetime import date
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias, TypeVar

from airflow_provider_batchdl._values import times
from airflow_provider_batchdl.jobs import Job, JobState
from airflow_provider_batchdl.vendors import dates
from airflow_provider_batchdl.vendors.account import TOKEN_BASE_URLS, origin
from airflow_provider_batchdl.vendors.cancelling import Cancels
from airflow_provider_batchdl.vendors.checking import RequestRules
from airflow_provider_batchdl.vendors.extras import check_extra
from airflow_provider_batchdl.vendors.files import FileRules
from airflow_provider_batchdl.vendors.flows import immediate
from airflow_provider_batchdl.vendors.listing import JobPage, ListedJob, Listing, all_jobs
from airflow_provider_batchdl.vendors.requests import ApiRequest, RateLimit, Submission, Upload, path_segment
from airflow_provider_batchdl.vendors.results import Results
from airflow_provider_batchdl.vendors.retry_after import duration
from airflow_provider_batchdl.vendors.states import fold, named_states
from airflow_provider_batchdl.vendors.submitting import Submits

if TYPE_CHECKING:
    import httpx
    from pendulum import DateTime

    from airflow_provider_batchdl.vendors.account import Account

__all__ = [
    "ApiRequest",
    "FileRules",
    "Flow",
    "JobPage",
    "ListedJob",
    "Listing",
    "RateLimit",
    "RequestRules",
    "Submission",
    "Upload",
    "Vendor",
    "duration",
    "immediate",
    "path_segment",
]

T = TypeVar("T")
# A type that exists at run time, too: annotations of a vendor in another package may be evaluated.
Flow: TypeAlias = Generator[ApiRequest, "httpx.Response", T]


class Vendor(Submits, Cancels, Results, ABC):
    """One vendor's API, as seen with one account."""

    name: ClassVar[str]
    """Also the connection type."""
    label: ClassVar[str]
    """The vendor's name in messages and forms."""
    default_host: ClassVar[str]
    docs_url: ClassVar[str]
    states: ClassVar[Mapping[str, JobState]]
    """The vendor's words for a job's state, in any case; the extra ``states`` adds more. Others count as running."""
    poll_interval: ClassVar[float]
    """Default seconds between polls of one job, within the vendor's rate limit."""
    rate_limits: ClassVar[tuple[RateLimit, ...]]
    zone: ClassVar[str] = "UTC"
    """Time zone of the vendor's times that name none, in its answers and in text of a request."""
    request_rules: ClassVar[RequestRules | None] = None
    """Members that a request may have, as far as the vendor documents them; None if unknown."""
    file_rules: ClassVar[FileRules | None] = FileRules()
    """Files that it accepts, by default any; None where it accepts none."""
    listing: ClassVar[Listing | None] = None
    """Properties of :meth:`list_page`; None where one request shows one job only."""
    extra_members: ClassVar[Collection[str] | None] = None
    """The extra's members that only this vendor reads, each one word; None lets all names pass, misspelt ones too.

    A mapping of names to a sentence each describes them in the connection's form.
    """
    key_label: ClassVar[str] = "API key"
    """The password's name in the connection's form, at most 16 letters; text after ``: `` is its placeholder."""
    login_label: ClassVar[str | None] = None
    """The login's name in the form, where the vendor reads ``account.login``; None hides the field."""
    has_plain_secret: ClassVar[bool] = False
    """True if a password that is not one word of visible ASCII is refused."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self.ignored_extra = check_extra(account, self.extra_members, vendor=self.name)
        self._states = {fold(word): state for word, state in self.states.items()} | named_states(account, self.name)

    @classmethod
    def chosen_by(
        cls, extra: Mapping[str, Any], conn_id: str | None, read_file: Callable[[str], bytes] | None = None
    ) -> tuple[type[Vendor], Mapping[str, Any]]:
        """The class that a connection of this type means, and the extra that it reads: by default this one, and all.

        Args:
            extra: the connection's.
            conn_id: its id, for errors.
            read_file: reads the file that the extra names; local paths only if left out.
        """
        return cls, extra

    @property
    def rate_limit_scope(self) -> str:
        """Scope of the vendor's rate limit, without a secret: by default, the credentials."""
        return self.account.fingerprint

    @property
    def base_url(self) -> str:
        """The API's base URL, without a final slash: the account's, or the one that its token names."""
        return TOKEN_BASE_URLS.get(self.account.fingerprint) or self.account.base_url

    def is_home(self, url: str) -> bool:
        """True if ``url`` may get the account's credentials: on the connection's origin, or the token's base URL's."""
        where = origin(url)
        return where == self.account.origin or where == origin(self.base_url)

    @property
    def account_name(self) -> str | None:
        """The account's name at the vendor, the same for all its credentials; None where it has none."""
        return self.account.login

    @abstractmethod
    def auth(self) -> httpx.Auth:
        """The ``httpx.Auth`` that puts the account's credentials on a request."""

    @abstractmethod
    def get_job(self, job_id: str) -> Flow[Job]:
        """Get one job."""

    def list_jobs(self) -> Flow[list[Job]]:
        """All jobs that the vendor lists, every page of them, in its order."""
        if self.listing is None:
            raise self.unsupported("list jobs")
        return all_jobs(self)

    def list_page(self, cursor: str | None = None) -> Flow[JobPage]:
        """One page of the vendor's list, with one request.

        Args:
            cursor: ``JobPage.following`` of the page before; None for the first.
        """
        raise self.unsupported("list jobs")

    def get_balance(self) -> Flow[int | None]:
        """Credits left, or None where the API has no balance."""
        return immediate(None)

    @abstractmethod
    def check(self) -> Flow[str]:
        """The cheapest authenticated request; returns a line for the person who pressed Test."""

    def moment(self, value: object) -> DateTime | None:
        """A time of the vendor's; None where ``value`` is none."""
        return times.moment_of(value, self.zone)

    def write_date(self, value: date) -> str:
        """A date or a time in a request as the vendor takes it; ``ValueError`` where it takes none of the kind."""
        return dates.as_text(value)
