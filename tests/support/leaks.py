"""Fails every test whose logs, output or captured exceptions show a credential of the emulator's or the test store's.

Recognised by their form, so that no test has to say which secrets it used: keys and tokens of the emulator, the
secret of the S3 server, signatures of pre-signed links, Bearer and Basic headers.
"""

from __future__ import annotations

import re
from collections.abc import Generator

import pytest

_HEX = r"[0-9a-f]{12,}"
SECRETS = re.compile(
    rf"\b(?:rb|pf|rest|project|aiq(?:_[a-z]+)?|shpat|secret)_{_HEX}"
    rf"|\bsk-proj-{_HEX}|\b00D[0-9a-f]{{15}}!\w{{12,}}|\b[0-9A-F]{{64}}\b"
    rf"|X-Amz-Signature=[0-9a-fA-F]{{8,}}|X-Amz-Credential=\w{{4,}}"
    rf"|\bBearer [\w\-.~+/]{{12,}}|\bBasic [\w+/]{{12,}}={{0,2}}"
    rf"|\bsig=[\w%+/]{{20,}}"
    rf"|teststoresecret"
)


def find_secrets(text: str) -> list[str]:
    """The secrets that stand in ``text``, shortened."""
    return sorted({match[0][:24] + "…" for match in SECRETS.finditer(text)})


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "shows_credentials: prints the emulator's credentials, which is its purpose")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.passed and item.get_closest_marker("shows_credentials") is None:
        # Sections hold what was logged and printed in all phases so far.
        for name, content in report.sections:
            if found := find_secrets(content):
                report.outcome = "failed"
                report.longrepr = f"leak: {name} shows {', '.join(found)}"
    return report
