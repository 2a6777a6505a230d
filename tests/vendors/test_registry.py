"""How vendors are found."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_batchdl import vendors
from airflow_provider_batchdl.exceptions import InvalidConnectionError
from airflow_provider_batchdl.jobs import JobState
from airflow_provider_batchdl.vendors.base import Listing, RateLimit, Vendor
from airflow_provider_batchdl.vendors.connections import Fields, vendor_class_of
from airflow_provider_batchdl.vendors.proofy import Proofy
from airflow_provider_batchdl.vendors.registration import problem_of_class
from tests.client.helpers import VENDORS
from tests.support import installed
from tests.support.installed import WHOLE


@pytest.fixture(autouse=True)
def _registry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vendors, "_registered", {})


def test_the_four_are_known() -> None:
    assert set(VENDORS) <= set(vendors.names())
    for name in VENDORS:
        assert vendors.vendor_class(name).name == name


def test_an_unknown_one_lists_the_known() -> None:
    with pytest.raises(LookupError, match=r"'acme'; known: .*batchcom.*proofy"):
        vendors.vendor_class("acme")


def test_a_module_that_is_loaded_once_more_replaces_its_own_class() -> None:
    def load() -> type[Proofy]:
        @vendors.register
        class Acme(Proofy):
            name = "acme"

        return Acme

    first, second = load(), load()
    assert vendors.vendor_class("acme") is second is not first
    assert "acme" in vendors.names()


@pytest.mark.parametrize("taken", ["proofy", "acme"])
def test_another_class_does_not_take_a_name(taken: str) -> None:
    class First(Proofy):
        name = "acme"

    class Other(Proofy):
        name = taken

    vendors.register(First)
    with pytest.raises(
        TypeError, match=rf"Other cannot be a vendor: its name, '{taken}', is that of .*(First|Proofy)\."
    ):
        vendors.register(Other)
    assert vendors.vendor_class(taken) is not Other


class Whole(Proofy):
    name = "acme"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"name": "Acme Corp"}, "name is 'Acme Corp', and must be a connection type"),
        ({"name": "acme-batch"}, "name is 'acme-batch'"),
        ({"name": "acme__batch"}, "name is 'acme__batch'"),
        ({"name": "http"}, "name is 'http', a connection type that is not a vendor's"),
        ({"name": None}, "name is None"),
        ({"label": " "}, "label is ' '"),
        ({"label": "Ac\nme"}, "label is 'Ac"),
        ({"default_host": "api.acme.example"}, "default_host is 'api.acme.example', and must be a URL"),
        ({"docs_url": ""}, "docs_url is ''"),
        ({"states": {}}, "states is {}"),
        (
            {"states": {"done": "succeeded"}},
            "{'done': 'succeeded'}, and must be a mapping of the vendor's words",
        ),
        ({"states": {7: JobState.FAILED}}, "states is {7: <JobState"),
        ({"states": {"-": JobState.FAILED}}, "states has the word '-', which is empty"),
        ({"states": {"In Progress": JobState.RUNNING, "in_progress": JobState.PENDING}}, "in two spellings"),
        ({"poll_interval": 0}, "poll_interval is 0, and must be seconds, more than 0"),
        ({"poll_interval": "30"}, "poll_interval is '30'"),
        ({"poll_interval": True}, "poll_interval is True"),
        ({"rate_limits": []}, "rate_limits is []"),
        ({"default_host": None}, "default_host is None"),
        (
            {"rate_limits": RateLimit(60, 60.0)},
            "rate_limits is RateLimit(requests=60, seconds=60.0), and",
        ),
        ({"rate_limits": (60,)}, "rate_limits is (60,), and must be a tuple like"),
        ({"rate_limits": (RateLimit(0, 60.0),)}, "rate_limits is (RateLimit(requests=0"),
        ({"rate_limits": (RateLimit(60, 0),)}, "rate_limits is (RateLimit(requests=60, seconds=0)"),
        ({"extra_members": "region"}, "extra_members is 'region', and must be a frozenset"),
        ({"extra_members": frozenset({"the region"})}, "extra_members is frozenset({'the region'}), and must be"),
        ({"has_plain_secret": "yes"}, "has_plain_secret is 'yes', and must be True or False"),
        ({"keeps_partial_results": None}, "keeps_partial_results is None, and must be True or False"),
        ({"zone": "Mars/Olympus"}, "zone is 'Mars/Olympus', and must be the name of a time zone"),
        ({"listing": True}, "listing is True, and must be Listing(...) or None"),
        ({"listing": Listing()}, "list_page is not implemented, while listing says that there is a list"),
        ({"request_rules": {}}, "request_rules is {}, and must be RequestRules(...) or None"),
        ({"check": "ok"}, "check is 'ok', and must be a method"),
    ],
)
def test_a_member_of_no_use_is_named_with_its_class(changes: dict[str, Any], says: str) -> None:
    kind = type("Acme", (Whole,), {"__module__": "acme_batch", **changes})
    with pytest.raises(TypeError) as refused:
        vendors.register(kind)
    words = str(refused.value)
    assert words.startswith("acme_batch.Acme cannot be a vendor: ")
    assert says in words
    assert "; " not in words
    assert "acme" not in vendors.names()


def test_what_is_missing_is_named() -> None:
    class Acme(Vendor):
        name = "acme"

        def auth(self) -> Any: ...

    with pytest.raises(TypeError) as refused:
        vendors.register(Acme)
    for missing in ("label", "default_host", "docs_url", "states", "poll_interval", "rate_limits"):
        assert f"{missing} is missing" in str(refused.value)
    for method in ("check", "get_job", "submit"):
        assert f"{method} is not implemented" in str(refused.value)
    assert "result_request" in str(refused.value)


def test_a_flow_that_is_async_is_refused() -> None:
    class Acme(Whole):
        async def get_job(self, job_id: str) -> Any: ...  # type: ignore[override]

    with pytest.raises(TypeError, match="get_job is async, and a vendor does no input or output"):
        vendors.register(Acme)


def test_what_is_no_class_is_refused() -> None:
    for odd in (dict, "acme", None):
        with pytest.raises(TypeError, match="it is no subclass of Vendor"):
            vendors.register(odd)  # type: ignore[type-var]


# --- entry points


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., None]:
    """Install a package of one module, with entry points."""
    monkeypatch.syspath_prepend(tmp_path)

    def install(package: str, code: str, **entries: str) -> None:
        monkeypatch.delitem(sys.modules, package.replace("-", "_"), raising=False)
        installed.install(tmp_path, package, code, **entries)

    return install


def test_a_package_adds_one_by_entry_point(install: Callable[..., None]) -> None:
    install("acme-batch", WHOLE, acme="acme_batch:Acme")
    assert "acme" in vendors.names()
    assert vendors.vendor_class("acme").__module__ == "acme_batch"
    assert vendors.vendor_class("acme") is sys.modules["acme_batch"].Acme


@pytest.mark.parametrize(
    ("code", "target", "says"),
    [
        ("import nowhere_to_be_found", "bad_batch:Bad", "ModuleNotFoundError: No module named 'nowhere_to_be_found'"),
        ("def (", "bad_batch:Bad", "SyntaxError"),
        ("raise SystemExit(1)", "bad_batch:Bad", "SystemExit: 1"),
        ("", "bad_batch:Bad", "AttributeError"),
        ("", "no_such_module:Bad", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("Bad = 5", "bad_batch:Bad", "5 cannot be a vendor: it is no subclass of Vendor"),
        (WHOLE, "bad_batch:Acme", "the name of its class is 'acme'"),
        (f"{WHOLE}    poll_interval = 0\n", "bad_batch:Acme", "bad_batch.Acme cannot be a vendor: poll_interval is 0"),
    ],
)
def test_a_broken_package_is_named_and_takes_down_no_other(
    install: Callable[..., None], code: str, target: str, says: str
) -> None:
    install("bad-batch", code, bad=target)
    install("acme-batch", WHOLE, acme="acme_batch:Acme")
    for _ in range(2):
        with pytest.raises(LookupError) as refused:
            vendors.vendor_class("bad")
        assert "The vendor 'bad' of package bad-batch 1.2 " in str(refused.value)
        assert says in str(refused.value)
    assert {"acme", "bad", *VENDORS} <= set(vendors.names())
    assert vendors.vendor_class("acme").name == "acme"
    assert vendors.vendor_class("proofy") is Proofy
    with pytest.raises(InvalidConnectionError, match=r"is 'bad'.*package bad-batch 1\.2.*uninstall that package"):
        vendor_class_of(Fields("c", "bad"))


def test_a_name_that_two_packages_claim_is_nobodys(install: Callable[..., None]) -> None:
    install("acme-batch", WHOLE, acme="acme_batch:Acme")
    install("acme-other", WHOLE, acme="acme_other:Acme")
    with pytest.raises(LookupError, match=r"acme-(batch|other) 1\.2 .* and package acme-(batch|other) 1\.2"):
        vendors.vendor_class("acme")


def test_no_package_takes_the_name_of_a_built_in_one_or_an_odd_one(install: Callable[..., None]) -> None:
    install("acme-batch", WHOLE, proofy="acme_batch:Acme", http="acme_batch:Acme", **{"Acme Corp": "acme_batch:Acme"})
    assert vendors.vendor_class("proofy") is Proofy
    assert not {"http", "Acme Corp"} & set(vendors.names())


@pytest.mark.parametrize("name", VENDORS)
def test_the_four_would_be_taken(name: str) -> None:
    assert problem_of_class(vendors.vendor_class(name)) is None


@pytest.mark.parametrize("name", VENDORS)
def test_a_vendor_says_what_users_need(name: str) -> None:
    kind = vendors.vendor_class(name)
    assert kind.label
    assert kind.docs_url.startswith("https://")
    assert kind.default_host.startswith("https://")
    assert kind.poll_interval > 0
    # One job polled in the vendor's own rhythm stays within its limits.
    for limit in kind.rate_limits:
        assert limit.seconds / kind.poll_interval <= limit.requests
