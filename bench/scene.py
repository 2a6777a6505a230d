"""The addresses and folders of one benchmark run, and how contenders are made from them."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench import measure, servers
from bench.ballast import Ballast
from bench.contenders import tools
from bench.measure import Case, Contender
from bench.settings import LARGE, ROOT, RUNS

OURS = "ours"


@dataclass
class Scene:
    """What all cases share. ``data`` is the folder that nginx serves.

    ``profilers`` are kept by case and contender for the lines that will turn out not to be reached.
    """

    source: servers.Source
    store: servers.Store
    data: Path
    target: Path
    ballast: Ballast
    profilers: dict[tuple[str, str], Callable[[], str]] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        """For all contenders: no proxy, the benchmark's certificate trusted, nothing asked of a cloud."""
        kept = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
        certificate = str(self.source.certificate)
        trusting = ("SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "AWS_CA_BUNDLE")
        return {
            **kept,
            **dict.fromkeys(trusting, certificate),
            "PYTHONPATH": str(ROOT),
            "AIRFLOW_HOME": str(self.target.parent / "airflow"),
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def base(self, *, tls: bool) -> str:
        """The source's address."""
        return self.source.https if tls else self.source.http

    def python(self, contender: str, *, tls: bool = False, **order: Any) -> Contender:
        """One of `child`'s contenders; by default it takes the large file to the target and does not hash."""
        told = {
            "contender": contender,
            "base": self.base(tls=tls),
            "certificate": str(self.source.certificate) if tls else None,
            "file": LARGE,
            "target": str(self.target),
            "sha256": False,
            **order,
        }
        return measure.python(told, self.environment)

    def into_s3(self, contender: str, *, tls: bool = False, **order: Any) -> Contender:
        """The same, into the store."""
        store = self.store.https if tls else self.store.http
        return self.python(contender, tls=tls, s3=store, **{"target": "bench/object", **order})

    def curl(self, *, tls: bool = False, file: str = LARGE, sha256: bool = False) -> Contender:
        """curl to the target, then openssl over it, if asked to."""
        commands = [tools.curl(f"{self.base(tls=tls)}/{file}", self.target)]
        commands += [tools.openssl_sha256(self.target)] if sha256 else []
        return self.programs(*commands)

    def programs(self, *commands: list[str]) -> Contender:
        """Programs, one after another."""
        return measure.programs(*commands, environment=self.environment)

    def in_turn(
        self,
        case: str,
        contenders: Mapping[str, Contender],
        *,
        runs: int = RUNS,
        prepare: Callable[[], None] | None = None,
    ) -> tuple[str, Case]:
        """Measure a case; before each run ``prepare`` (by default, the target is removed)."""
        for name, each in contenders.items():
            if each.profile and name.startswith(OURS):
                self.profilers[case, name] = each.profile
        return case, measure.in_turn(case, contenders, prepare or self.cleared, self.ballast, runs)

    def cleared(self) -> None:
        """Remove the target."""
        self.target.unlink(missing_ok=True)
