"""The documents that come with the package: what each is, and that its facts have their sources."""

from __future__ import annotations

from importlib import resources

import pytest

from airflow_provider_batchdl.emulator.states import DECLARED
from airflow_provider_batchdl.vendors.declared import Declared, catalogue
from airflow_provider_batchdl.vendors.declared.loading import bundled, bundled_names

LONGEST = 65


def lines_of(name: str) -> list[str]:
    return (resources.files(catalogue) / f"{name}.toml").read_text().splitlines()


def test_each_has_a_stand_in() -> None:
    assert sorted(DECLARED) == bundled_names()


@pytest.mark.parametrize("name", DECLARED)
def test_a_document_is_short_untried_and_has_sources(name: str) -> None:
    lines = lines_of(name)
    code = [line for line in lines if line.strip() and not line.lstrip().startswith("#")]
    assert len(code) <= LONGEST
    assert (bundled(name).name, bundled(name).tried) == (name, False)
    assert "Never tried against the service itself." in "".join(lines[:2])
    assert any("https://" in line for line in lines if line.startswith("# ["))


@pytest.mark.parametrize("name", ["openai_batch", "salesforce_bulk_query", "shopify_bulk"])
def test_three_take_at_most_sixty_lines(name: str) -> None:
    code = [line for line in lines_of(name) if line.strip() and not line.lstrip().startswith("#")]
    assert len(code) <= 60


@pytest.mark.parametrize("name", DECLARED)
def test_a_document_makes_a_class(name: str) -> None:
    vendor = Declared.load(name)
    assert (vendor.name, vendor.poll_interval >= 30, vendor.docs_url.startswith("https://")) == (name, True, True)
    assert vendor.listing is not None
    # A job that is submitted twice is paid twice here, and nobody documents that the list has every job.
    assert vendor.listing.complete == (name not in ("openai_batch", "neverbounce"))
