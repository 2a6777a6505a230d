"""Whether an account works and what is left on it, through both clients, against the emulator."""

from __future__ import annotations

import pytest

from airflow_provider_batchdl.emulator import Emulator
from airflow_provider_batchdl.exceptions import AuthenticationError, InvalidRequestError, UnexpectedResponseError
from tests.client.helpers import VENDORS, Face, vendor_of


@pytest.mark.parametrize(
    ("name", "extra"), [("revenuebase", {}), ("revenuebase", {"api_version": "v1"}), ("proofy", {})]
)
def test_balance(emulator: Emulator, face: Face, name: str, extra: dict[str, str]) -> None:
    emulator.set_credits(name, 4711)
    vendor = vendor_of(emulator, name, extra=extra)
    assert face.run(vendor, lambda each: each.get_balance()) == 4711
    assert "4711" in face.run(vendor, lambda each: each.check())


@pytest.mark.parametrize("name", ["batchcom", "apartmentiq"])
def test_no_balance(emulator: Emulator, face: Face, name: str) -> None:
    assert face.run(vendor_of(emulator, name), lambda each: each.get_balance()) is None
    assert emulator.requests == []


@pytest.mark.parametrize("name", VENDORS)
def test_check(emulator: Emulator, face: Face, name: str) -> None:
    assert "accepts" in face.run(vendor_of(emulator, name), lambda each: each.check())


@pytest.mark.parametrize("name", VENDORS)
def test_check_with_a_wrong_secret(emulator: Emulator, face: Face, name: str) -> None:
    with pytest.raises(AuthenticationError) as caught:
        face.run(vendor_of(emulator, name, secret="wrong_secret_0001"), lambda each: each.check())
    assert caught.value.vendor_message
    assert caught.value.retryable is False


@pytest.mark.parametrize("name", VENDORS)
def test_a_login_page_is_not_taken_for_success(emulator: Emulator, face: Face, name: str) -> None:
    """A captive portal answers 200 to everything: the Test button must not be green."""
    from airflow_provider_batchdl.emulator import Fault

    emulator.add_fault(
        Fault("html", operation="list" if name == "batchcom" else "check" if name == "apartmentiq" else "balance")
    )
    with pytest.raises(UnexpectedResponseError):
        face.run(vendor_of(emulator, name), lambda each: each.check())


def test_batchcom_without_a_project_key(emulator: Emulator, face: Face) -> None:
    with pytest.raises(InvalidRequestError, match='extra "project_key"'):
        face.run(vendor_of(emulator, "batchcom", extra={"project_key": ""}), lambda each: each.check())
