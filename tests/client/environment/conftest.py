"""An environment that names no proxy and no CA bundle."""

from __future__ import annotations

import os

import pytest

from tests.client.helpers import both_faces  # noqa: F401 the fixture

VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUEST_METHOD")


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.lower().endswith("_proxy") or name in VARIABLES]:
        monkeypatch.delenv(name)
