"""The emulator as a Python object."""

from __future__ import annotations

from types import TracebackType
from typing import Any

from starlette.types import Receive, Scope, Send

from airflow_provider_batchdl.emulator.accounts import BASE_PATHS, Credentials, airflow_connection
from airflow_provider_batchdl.emulator.apis import all_apis
from airflow_provider_batchdl.emulator.clock import Clock, SystemClock
from airflow_provider_batchdl.emulator.control import Control
from airflow_provider_batchdl.emulator.dispatch import Dispatcher
from airflow_provider_batchdl.emulator.faults import Fault
from airflow_provider_batchdl.emulator.jobs import EmulatedJob
from airflow_provider_batchdl.emulator.records import RequestRecord
from airflow_provider_batchdl.emulator.server import ServerThread, bind
from airflow_provider_batchdl.emulator.states import VENDORS, Phase, phase_named
from airflow_provider_batchdl.emulator.store import Store
from airflow_provider_batchdl.emulator.synthetic import ResultSpec
from airflow_provider_batchdl.emulator.world import ErrorShape, World


class Emulator:
    """The vendors and their object store on loopback. A context manager.

    Args:
        port: TCP port of the APIs; 0 is any free one. The store always takes a free one, or ``store_port``.
        host: address to listen on.
        seed: decides keys, ids and results; the same seed gives the same bytes.
        clock: what time it is; ``None`` is the system's clock.
        queue_seconds: how long a job waits before it runs.
        run_seconds: how long a job runs.
        rate_limits: enforce the vendors' request limits.
        link_seconds: life of a store link in seconds; ``None`` is the vendor's own.
        revenuebase_v1: serve Revenuebase's retired v1 (for mirrors of it); else its paths answer 410 (an inference).
        revenuebase_errors: shape of Revenuebase's 400 bodies, which are documented nowhere: ``detail`` is
            ``{"detail": code}``, ``dict`` is ``{"detail": {"code", "message"}}``, ``message`` is ``{"message": code}``
            as the official SDK's own tests have it, ``sentence`` is ``{"detail": its sentence}``, ``problem``
            is RFC 9457's ``{"type", "title", "status", "detail"}``, as one newer endpoint is reported to answer.
        store_port: TCP port of the store; 0 is any free one.
        bytes_per_second: the most that one connection brings of a result, as from a store that caps each; ``None`` is
            no limit.

    Raises:
        OSError: on entry, where a port is taken.
    """

    def __init__(
        self,
        port: int = 0,
        *,
        host: str = "127.0.0.1",
        seed: int = 0,
        clock: Clock | None = None,
        queue_seconds: float = 0.3,
        run_seconds: float = 0.7,
        rate_limits: bool = True,
        link_seconds: float | None = None,
        revenuebase_v1: bool = True,
        revenuebase_errors: ErrorShape = "detail",
        store_port: int = 0,
        bytes_per_second: int | None = None,
    ) -> None:
        self.host = host
        self.port = port
        self.store_port = store_port
        self.world = World(
            clock=clock or SystemClock(),
            seed=seed,
            queue_seconds=queue_seconds,
            run_seconds=run_seconds,
            rate_limits=rate_limits,
            link_seconds=link_seconds,
            bytes_per_second=bytes_per_second,
            revenuebase_v1=revenuebase_v1,
            revenuebase_errors=revenuebase_errors,
        )
        apis = all_apis(self.world)
        self._api = Dispatcher(self.world, [*apis, Control(self.world, self, apis)])
        self._store = Dispatcher(self.world, [Store(self.world)])
        self._thread: ServerThread | None = None

    # --- life

    def start(self) -> None:
        """Listen on both sockets and return once they accept.

        Raises:
            OSError: where a port is taken.
        """
        api = bind(self.host, self.port)
        try:
            store = bind(self.host, self.store_port)
        except OSError:
            api.close()
            raise
        self.port, self.store_port = api.getsockname()[1], store.getsockname()[1]
        self.world.origin, self.world.store_url = self.origin, self.store_url
        self._thread = ServerThread(self._serve, [api, store])
        self._thread.start()

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI app: the APIs, and the object store for requests that arrive on the store's socket."""
        app = self._store if scope["server"][1] == self.store_port else self._api
        await app(scope, receive, send)

    def stop(self) -> None:
        """Stop listening, drop every connection and remove temporary files."""
        if self._thread:
            self._thread.stop()
            self._thread = None
        self.world.close()

    def __enter__(self) -> Emulator:
        """Start."""
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        self.stop()

    # --- where and how to connect

    def _url(self, port: int) -> str:
        return f"http://[{self.host}]:{port}" if ":" in self.host else f"http://{self.host}:{port}"

    @property
    def origin(self) -> str:
        """Origin of the APIs, and of the token endpoints: ``/oauth/token``, ``/services/oauth2/token``."""
        return self._url(self.port)

    @property
    def store_url(self) -> str:
        """Origin of the object store."""
        return self._url(self.store_port)

    @property
    def urls(self) -> dict[str, str]:
        """Base URL of each vendor's API, as a connection's host takes it."""
        return {vendor: self.origin + path for vendor, path in BASE_PATHS.items()}

    @property
    def credentials(self) -> dict[str, Credentials]:
        """Credentials of each vendor's account; Revenuebase's change when its key is rotated."""
        return dict(self.world.accounts.credentials)

    @property
    def access_token(self) -> str:
        """An ApartmentIQ access token as pasted from the account's settings."""
        return self.world.accounts.access_token

    def connections(self, *, poll_interval: float | None = 1.0) -> dict[str, dict[str, Any]]:
        """Return Airflow connections by id, each ready for ``json.dumps`` into ``AIRFLOW_CONN_<ID>``.

        Args:
            poll_interval: seconds between polls of a job, for the extra; ``None`` is the vendor's own, up to 75 s.
        """
        return {
            f"{vendor}_default": airflow_connection(vendor, self.urls[vendor], account, poll_interval)
            for vendor, account in self.credentials.items()
        }

    # --- jobs

    def add_job(
        self,
        vendor: str,
        result: ResultSpec | None = None,
        state: str = "succeeded",
        filename: str | None = None,
    ) -> EmulatedJob:
        """Put a job there that nobody submitted.

        Args:
            vendor: vendor name.
            result: what its files are like; 100 kB in the vendor's usual format by default.
            state: ``queued`` (changes by the clock), ``running``, ``succeeded``, ``failed``, ``cancelled``,
                ``expired``, or any vendor literal; one that is not known is held.
            filename: name of the uploaded file (Revenuebase, Proofy's file API).

        Raises:
            ValueError: for an unknown vendor, or a size too small for the format.
        """
        if vendor not in VENDORS:
            raise ValueError(f"unknown vendor {vendor!r}; known: {', '.join(VENDORS)}")
        spec = result or ResultSpec()
        job = self.world.add_job(vendor, result=spec, filename=filename)
        phase = phase_named(vendor, state)
        if phase is Phase.SUCCEEDED:
            job.finish()
        elif phase is Phase.FAILED:
            job.fail("Injected failure")
        elif phase is Phase.CANCELLED:
            job.cancel()
        elif phase is Phase.EXPIRED:
            job.expire()
        elif phase is not Phase.QUEUED:
            job.hold(state if phase is None else job.literal(phase))
        for part in range(1, job.parts + 1):
            job.content(part)  # a size that the format cannot have is the test's mistake: say so here
        return job

    def jobs(self, vendor: str) -> list[EmulatedJob]:
        """Return a vendor's jobs, oldest first."""
        return self.world.jobs(vendor)

    def set_result(self, vendor: str, result: ResultSpec | None) -> None:
        """Give every later submitted job of a vendor this result; ``None`` derives results from inputs again."""
        if result is None:
            self.world.results.pop(vendor, None)
        else:
            self.world.results[vendor] = result

    # --- trouble

    def add_fault(self, fault: Fault) -> None:
        """Order a fault."""
        self.world.faults.add(fault)

    def clear_faults(self) -> None:
        """Take back every fault that has not struck yet."""
        self.world.faults.clear()

    @property
    def unused_faults(self) -> list[Fault]:
        """The faults on order that have not harmed any request yet."""
        return self.world.faults.unused()

    def set_speed(self, bytes_per_second: int | None) -> None:
        """Let every later answer bring its result at most this fast; ``None`` takes the limit away."""
        self.world.bytes_per_second = bytes_per_second

    def expire_tokens(self, *, pasted: bool = False) -> None:
        """Make every issued token invalid, on request ApartmentIQ's pasted one too."""
        self.world.accounts.expire_tokens(pasted=pasted)

    def expire_links(self) -> None:
        """Make every link to the store issued so far stale."""
        self.world.links.expire_all()

    def set_credits(self, vendor: str, credits: int) -> None:
        """Set the credits left at Revenuebase, Proofy or NeverBounce."""
        self.world.settle(vendor)
        self.world.accounts.credits[vendor] = credits

    def set_quota_exceeded(self, vendor: str, exceeded: bool) -> None:
        """Make ApartmentIQ, OpenAI, Salesforce or Shopify answer submissions with a quota error, or stop that."""
        self.world.accounts.quota_exceeded[vendor] = exceeded

    # --- what happened

    @property
    def requests(self) -> list[RequestRecord]:
        """Every request so far in the order of arrival, without those to the control surface."""
        return self.world.log.snapshot()

    @property
    def clock(self) -> Clock:
        """The clock that states, limits, tokens and links follow."""
        return self.world.clock

    def reset(self) -> None:
        """Go back to the seed state."""
        self.world.reset()
