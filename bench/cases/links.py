"""Links that are slow for each connection: parallel ranges against aria2, and speed against number of parts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from bench.contenders import tools
from bench.measure import Case, Contender, Cost
from bench.scene import OURS, Scene
from bench.servers import shaped
from bench.settings import LARGE, MIB, PARTS_FILE, PARTS_MIB, SIZES_MIB, sparse

RATES = (20_000_000, 10_000_000)  # bytes/s a connection; the second where the relay itself is too slow for the first
MOST = 8
DELAYS = {"no delay": 0.0, "40 ms": 0.02}  # seconds one way
_TOLERATED = 0.98
_TRIAL_S = 4


def measured(scene: Scene) -> Iterator[tuple[str, Case]]:
    """For each delay a table against aria2, then one of numbers of parts."""
    rate, trial = _rate(scene)
    for name, delay in DELAYS.items():
        link = Shaped(scene, rate, delay)
        found = link.python().run().connections  # how many it finds by itself; not measured otherwise
        contenders = {OURS: link.python(), f"aria2c -x{MOST}": link.aria2(MOST)}
        if found != MOST:
            contenders[f"aria2c -x{found}"] = link.aria2(found)
        case, result = scene.in_turn(f"link, {name}", contenders)
        note = f"{result.note}, {MIB} MiB, {rate / 1e6:.0f} MB/s a connection"
        best = f"{MOST} connections at their caps need {(MIB << 20) / rate / MOST:.2f} s"
        yield case, replace(result, note=f"{note}: {best}. {trial}")
    link = Shaped(scene, rate, DELAYS["40 ms"])
    case, result = scene.in_turn("parts, 40 ms", {
        **{f"ours, {n}": link.python(PARTS_FILE, connections=n) for n in (1, 2, 4, 8)},
        **{f"aria2c, {n}": link.aria2(n, PARTS_FILE) for n in (1, 2, 4, 8)},
        "curl": link.curl(PARTS_FILE),
    }, runs=1)  # fmt: skip
    yield case, replace(result, note=f"{result.note}, {PARTS_MIB} MiB; of ours, the number is the most it may take")


class Shaped:
    """Contenders behind a relay of their own, which also counts for them."""

    def __init__(self, scene: Scene, rate: int, delay: float) -> None:
        self._scene = scene
        self._rate = rate
        self._delay = delay

    def python(self, file: str = LARGE, *, contender: str = "ours", **order: Any) -> Contender:
        """One of `child`'s contenders."""
        return self._behind(lambda base: self._scene.python(contender, base=base, file=file, **order))

    def into_s3(self, **order: Any) -> Contender:
        """This engine into the store; only the source is behind the relay."""
        return self._behind(lambda base: self._scene.into_s3("ours", base=base, **order))

    def aria2(self, connections: int, file: str = LARGE) -> Contender:
        """aria2 by so many connections."""
        scene = self._scene
        return self._behind(
            lambda base: scene.programs(
                tools.aria2(f"{base}/{file}", scene.target, scene.source.certificate, connections)
            )
        )

    def curl(self, file: str) -> Contender:
        """One stream."""
        return self._behind(lambda base: self._scene.programs(tools.curl(f"{base}/{file}", self._scene.target)))

    def _behind(self, made: Callable[[str], Contender]) -> Contender:
        def run() -> Cost:
            with shaped(self._scene.source.http, self._rate, self._delay) as link:
                cost = made(link.url).run()
            return replace(cost, connections=int(link.counted["most"]), wire=link.counted["answered"] / (1 << 20))

        def profile() -> str:
            with shaped(self._scene.source.http, self._rate, self._delay) as link:
                contender = made(link.url)
                return contender.profile() if contender.profile else ""

        return Contender(run, profile)


def _rate(scene: Scene) -> tuple[int, str]:
    """The cap that the relay can hold for eight connections at once, and how that was seen."""
    told, largest = "", SIZES_MIB[-1]
    for rate in RATES:
        size = min(largest << 20, rate * MOST * _TRIAL_S)
        with shaped(scene.source.http, rate, 0.0) as link:
            cost = scene.python("sockets", base=link.url, file=sparse(largest), connections=MOST, bytes=size).run()
        seen = size / cost.wall / rate / MOST
        told = (
            f"{MOST} plain sockets through the relay: {seen * rate * MOST / 1e6:.1f} MB/s, {100 * seen:.1f} % of the "
            f"caps; the relay took {link.counted['cpu'] / cost.process_wall:.2f} cores."
        )
        if seen >= _TOLERATED:
            return rate, told
    return RATES[-1], told
