"""A StatsD server that keeps what comes. It speaks the protocol with InfluxDB's tags, as Airflow can be told to.

No maintained one is to be had for Python, and the daemons add up what a test wants to see one by one. The protocol is
https://github.com/statsd/statsd/blob/master/docs/metric_types.md, the tags' form that of
https://docs.influxdata.com/telegraf/v1/input-plugins/statsd/ (``name,tag=value:1|c``).
"""

from __future__ import annotations

import re
import socketserver
from dataclasses import dataclass

_LINE = re.compile(
    r"(?P<name>[A-Za-z0-9_.-]+)"
    r"(?P<tags>(?:,[^\s,=:|]+=[^\s,=:|]+)*)"
    r":(?P<value>-?[0-9]+(?:\.[0-9]+)?)"
    r"\|(?P<kind>c|ms|g)"
    r"(?:\|@(?P<rate>0?\.[0-9]+|1))?"
)


@dataclass(frozen=True)
class Metric:
    """One value.

    Attributes:
        name: with the prefix that Airflow puts before it.
        tags: by name.
        value: a counter's increment, a timer's milliseconds, a gauge's level.
        kind: ``c``, ``ms`` or ``g``.
        port: where it was sent from, which tells the process.
    """

    name: str
    tags: dict[str, str]
    value: float
    kind: str
    port: int


class StatsdServer(socketserver.UDPServer):
    """Listens on loopback while it is a context manager's.

    One thread takes what comes, so that it stays in order.

    Attributes:
        datagrams: all that came, each with the port that it came from.
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.datagrams: list[tuple[bytes, int]] = []

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.server_address[1])

    def metrics(self, prefix: str) -> list[Metric]:
        """The values whose names begin so, in the order in which they came.

        Raises:
            ValueError: one of them is none that a StatsD server would understand.
        """
        return [
            _parsed(line, port)
            for datagram, port in self.datagrams
            for line in datagram.decode("ascii").splitlines()
            if line.startswith(prefix)
        ]


class _Handler(socketserver.DatagramRequestHandler):
    def handle(self) -> None:
        assert isinstance(self.server, StatsdServer)
        self.server.datagrams.append((self.packet, self.client_address[1]))


def _parsed(line: str, port: int) -> Metric:
    match = _LINE.fullmatch(line)
    if match is None:
        raise ValueError(f"not StatsD's protocol: {line!r}")
    tags = dict(tag.split("=") for tag in match["tags"].split(",")[1:])
    return Metric(match["name"], tags, float(match["value"]), match["kind"], port)
