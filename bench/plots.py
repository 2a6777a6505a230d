"""Plots as SVG, with nothing but strings."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from html import escape

Point = tuple[float, float]

_COLOURS = ("#18864b", "#3b5bdb", "#c2410c", "#7c3aed", "#0891b2", "#be185d", "#854d0e", "#475569")
_WIDTH, _HEIGHT = 760, 380
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 200, 44, 48


def bars(title: str, groups: Mapping[str, Mapping[str, float]]) -> str:
    """Horizontal bars, in groups, the values beside them; ours in green."""
    top = max((value for group in groups.values() for value in group.values()), default=0) or 1.0
    row, left, wide, at = 19, 200, 470, 40
    drawn = []
    for name, group in groups.items():
        drawn.append(_text(10, at + 15, name, weight="bold"))
        at += row
        for label, value in group.items():
            width = max(1.0, wide * value / top)
            colour = _COLOURS[0] if label.startswith("ours") else "#99a"
            drawn += [
                _text(left - 8, at + 14, label, anchor="end"),
                f'<rect x="{left}" y="{at + 3}" width="{width:.1f}" height="{row - 6}" fill="{colour}"/>',
                _text(left + width + 6, at + 14, f"{value:.2f}"),
            ]
            at += row
        at += 8
    return _svg(title, at + 10, drawn)


def chart(title: str, series: Mapping[str, Sequence[Point]], *, x: str, y: str, log_y: bool = False) -> str:
    """Lines over a logarithmic x axis whose ticks are the points' own; ``x`` and ``y`` say what they are."""
    points = [point for line in series.values() for point in line]
    ticks = sorted({point[0] for point in points})
    levels = _levels([point[1] for point in points], log=log_y)
    low, high = (math.log10(levels[0]), math.log10(levels[-1])) if log_y else (levels[0], levels[-1])
    wide, tall = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM
    span = math.log2(ticks[-1] / ticks[0]) or 1.0

    def across(value: float) -> float:
        return _LEFT + wide * math.log2(value / ticks[0]) / span

    def up(value: float) -> float:
        place = math.log10(max(value, levels[0])) if log_y else value
        return _TOP + tall * (1 - (place - low) / (high - low))

    drawn = [_text(_LEFT + wide / 2, _HEIGHT - 10, x, anchor="middle"), _text(10, _TOP - 8, y)]
    for level in levels:
        drawn.append(f'<path d="M{_LEFT} {up(level):.1f}h{wide}" stroke="#ddd"/>')
        drawn.append(_text(_LEFT - 8, up(level) + 4, f"{level:.3g}", anchor="end"))
    drawn += [_text(across(tick), _HEIGHT - _BOTTOM + 18, f"{tick:g}", anchor="middle") for tick in ticks]
    drawn += _drawn_lines(series, across, up)
    return _svg(title, _HEIGHT, drawn)


def _levels(values: Sequence[float], *, log: bool) -> list[float]:
    """Round values for the y axis, at least two, that span all: powers of ten, or four to ten equal steps from 0."""
    most = max(*values, 0.01)
    if log:
        low = math.floor(math.log10(max(0.01, min(values))))
        return [10.0**n for n in range(low, max(math.ceil(math.log10(most)), low + 1) + 1)]
    power = 10.0 ** math.floor(math.log10(most / 4))
    step = power * max(factor for factor in (1, 2, 2.5, 5) if power * factor <= most / 4)
    return [step * n for n in range(math.ceil(most / step) + 1)]


def _drawn_lines(
    series: Mapping[str, Sequence[Point]], across: Callable[[float], float], up: Callable[[float], float]
) -> list[str]:
    drawn = []
    for number, (name, line) in enumerate(series.items()):
        colour, height = _COLOURS[number % len(_COLOURS)], _TOP + 16 + 20 * number
        places = [f"{across(at):.1f},{up(value):.1f}" for at, value in line]
        drawn.append(f'<polyline points="{" ".join(places)}" fill="none" stroke="{colour}" stroke-width="2"/>')
        for place in places:
            middle = place.split(",")
            drawn.append(f'<circle cx="{middle[0]}" cy="{middle[1]}" r="3" fill="{colour}"/>')
        drawn.append(f'<path d="M{_WIDTH - _RIGHT + 16} {height - 4}h18" stroke="{colour}" stroke-width="2"/>')
        drawn.append(_text(_WIDTH - _RIGHT + 40, height, name))
    return drawn


def _text(x: float, y: float, text: str, *, anchor: str = "start", weight: str = "normal") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-weight="{weight}">{escape(text)}</text>'


def _svg(title: str, height: int, drawn: Sequence[str]) -> str:
    head = f'<text x="10" y="24" font-size="15">{escape(title)}</text>'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" font-family="sans-serif" '
        f'font-size="12"><rect width="{_WIDTH}" height="{height}" fill="white"/>{head}\n'
        + "\n".join(drawn)
        + "</svg>\n"
    )
