"""The plot of a car's mileage over time, as inline SVG: a line through the readings that count, a cross for others.

Each reading is a link to its record. It is not in the order of the keyboard, since the table below has the same links.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Final, NamedTuple

from node.audit.signed_report.svg import NARROW, Format, text_width

WIDE: Final = 620
HEIGHTS: Final = {NARROW: 180, WIDE: 230}
"""By width: what the column of a wide page and a telephone have room for, so that the text keeps its size."""
TOP, BELOW, RIGHT = 22.0, 24.0, 12.0
RADIUS: Final = 4.5
TOUCHED: Final = 12.0
"""Pixels around a reading that lead to its record."""


class Point(NamedTuple):
    """A reading. `style`: `dot` where the line goes through it, `told` where it was entered long after, or `cross`."""

    at_ms: int
    value: int
    style: str
    href: str
    label: str


class Tick(NamedTuple):
    at_ms: int
    label: str


def draw_mileage(
    title: str, points: Sequence[Point], scale: Sequence[float], show: Format, unit: str, times: Sequence[Tick]
) -> str:
    """The plot at both widths, of which the style sheet shows one. `points` by time, at least two; `scale`: ticks of
    the distance, from 0 up."""
    wide, narrow = (_draw(title, points, scale, show, unit, times, width) for width in (WIDE, NARROW))
    return f'<div class="wide">{wide}</div><div class="narrow">{narrow}</div>'


def _draw(
    title: str, points: Sequence[Point], scale: Sequence[float], show: Format, unit: str, times: Sequence[Tick],
    width: int,
) -> str:  # fmt: skip
    height = HEIGHTS[width]
    left = max(text_width(show(tick)) for tick in scale) + 8
    right, bottom = width - RIGHT, height - BELOW
    first, span = points[0].at_ms, max(points[-1].at_ms - points[0].at_ms, 1)

    def x(at_ms: int) -> float:
        return left + 8 + (at_ms - first) * (right - left - 8) / span

    def y(value: float) -> float:
        return bottom - value * (bottom - TOP) / scale[-1]

    content = [_text(left - 6, 11, unit, "end")]
    for tick in scale:
        content.append(f'<line x1="{left:.1f}" y1="{y(tick):.1f}" x2="{right:.1f}" y2="{y(tick):.1f}" class="grid"/>')
        content.append(_text(left - 6, y(tick) + 4, show(tick), "end"))
    taken = 0.0
    for time in times:
        half = text_width(time.label) / 2
        middle = min(max(x(time.at_ms), left + half), width - half)
        if middle - half >= taken:
            content.append(_text(middle, height - 6, time.label, "middle"))
            taken = middle + half + 10
    line = [(x(point.at_ms), y(point.value)) for point in points if point.style == "dot"]
    if line:
        path = " ".join(f"{a:.1f},{b:.1f}" for a, b in line)
        ends = f"{line[-1][0]:.1f},{bottom:.1f} {line[0][0]:.1f},{bottom:.1f}"
        content.append(f'<polygon points="{path} {ends}" class="area"/><polyline points="{path}" class="line"/>')
    content += [_linked(point, x(point.at_ms), y(point.value)) for point in points]
    frame = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    return f'<svg {frame} role="group" aria-label="{escape(title)}">{"".join(content)}</svg>'


def _linked(point: Point, x: float, y: float) -> str:
    shape = f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{RADIUS}" class="{point.style}"/>'
    if point.style == "cross":
        arm = RADIUS
        ends = f"M{x - arm:.1f} {y - arm:.1f}l{2 * arm} {2 * arm}m0 {-2 * arm}l{-2 * arm} {2 * arm}"
        shape = f'<path d="{ends}" class="cross"/>'
    label = escape(point.label)
    return (
        f'<a href="{escape(point.href)}" tabindex="-1" aria-label="{label}"><title>{label}</title>'
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{TOUCHED}" class="touched"/>{shape}</a>'
    )


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" class="tick">{escape(text)}</text>'
