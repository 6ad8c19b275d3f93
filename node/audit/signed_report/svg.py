"""Plots as inline SVG: no script, no style of their own, colours by class, every label escaped.

Each is drawn twice, for a wide and for a narrow page, so that its text has the same size on both; the style sheet shows
one of the two. Coordinates are rounded, so the bytes depend on the values alone.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from html import escape
from typing import Final, NamedTuple

WIDE, NARROW = 820, 340
FONT: Final = 12
LABEL: Final = 13
"""Pixels of ticks and values, and of the labels of bars, at both widths."""
LABELS_WIDTH_MAX: Final = 340
"""Pixels: where a label is longer, all stand above their bars, as on a narrow page."""
COLUMN_MAX: Final = 56
TICKS_APART: Final = 15
"""Least distance of two ticks on an axis, in pixels. A tick that is closer to the one before is left out."""
Format = Callable[[float], str]
Place = Callable[[float], float]
"""From a value to a coordinate."""


class Series(NamedTuple):
    """One line, or one layer of columns; None where there is no value. `style`: its class, `c1` to `c8`, or a name."""

    label: str
    style: str
    values: Sequence[float | None]


class Part(NamedTuple):
    """One part of a bar."""

    style: str
    value: int
    label: str


class Bar(NamedTuple):
    """A labelled bar of parts; `text`: what stands behind it."""

    label: str
    parts: Sequence[Part]
    text: str


def both(draw: Callable[[int], str]) -> str:
    """The plot at both widths."""
    return f'<div class="wide">{draw(WIDE)}</div><div class="narrow">{draw(NARROW)}</div>'


def text_width(text: str, size: int = FONT) -> float:
    """At most, in pixels, in the usual fonts: wide characters, such as Chinese ones, take a whole em."""
    return sum(size if c in "mwMW…" or unicodedata.east_asian_width(c) in "WF" else 0.61 * size for c in text)


def _before(labels: Iterable[str], width: int) -> float:
    """Width of the column of labels before bars; 0 where they stand above."""
    needed = max(text_width(label, LABEL) for label in labels) + 12
    return 0.0 if width <= NARROW or needed > LABELS_WIDTH_MAX else needed


def _svg(width: float, height: float, title: str, content: Sequence[str]) -> str:
    size = f'viewBox="0 0 {_n(width)} {_n(height)}" width="{_n(width)}" height="{_n(height)}"'
    return f'<svg {size} role="img" aria-label="{escape(title)}">{"".join(content)}</svg>'


def _n(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def _text(x: float, y: float, text: str, style: str = "", anchor: str = "start") -> str:
    place = "" if anchor == "start" else f' text-anchor="{anchor}"'
    name = f' class="{style}"' if style else ""
    return f'<text x="{_n(x)}" y="{_n(y)}"{place}{name}>{escape(text)}</text>'


def _rect(x: float, y: float, width: float, height: float, style: str, title: str = "", radius: float = 0) -> str:
    tip = f"<title>{escape(title)}</title>" if title else ""
    corner = f' rx="{_n(radius)}"' if radius else ""
    place = f'x="{_n(x)}" y="{_n(y)}" width="{_n(max(width, 0.5))}" height="{_n(height)}"'
    return f'<rect {place}{corner} class="{style}">{tip}</rect>' if tip else f'<rect {place}{corner} class="{style}"/>'


def _line(x1: float, y1: float, x2: float, y2: float, style: str) -> str:
    return f'<line x1="{_n(x1)}" y1="{_n(y1)}" x2="{_n(x2)}" y2="{_n(y2)}" class="{style}"/>'


# --- scales ---------------------------------------------------------------------------------------------------
def ticks(top: float, count: int = 4) -> list[float]:
    """0 and round numbers up to the first at or above `top`, whole ones where `top` is small."""
    if top <= 0:
        return [0, 1]
    raw = top / count
    step = 10 ** math.floor(math.log10(raw))
    step *= next(m for m in (1, 2, 5, 10) if m * step >= raw)
    step = max(step, 1) if top >= 1 else step
    return [step * i for i in range(math.ceil(top / step) + 1)]


_ROUND_MS: Final = (
    1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 30_000, 60_000, 300_000, 1_800_000, 3_600_000,
    21_600_000, 86_400_000, 864_000_000, 8_640_000_000, 86_400_000_000,
)  # fmt: skip
"""Round durations, up to 1,000 days."""


def duration_ticks(lowest: float, highest: float) -> list[float]:
    """Round durations in ms around the values, for a logarithmic scale."""
    low = next((i for i, value in reversed(list(enumerate(_ROUND_MS))) if value < lowest), 0)
    high = next((i for i, value in enumerate(_ROUND_MS) if value > highest), len(_ROUND_MS) - 1)
    return list(_ROUND_MS[low : high + 1])


# --- plots ----------------------------------------------------------------------------------------------------
def over_time(
    title: str, series: Sequence[Series], labels: Sequence[str], scale: Sequence[float], show: Format, width: int,
    *, is_log: bool = False, is_stacked: bool = False, height: int = 200,
) -> str:  # fmt: skip
    """Lines, or stacked columns, over equal steps. `labels`: of each step; as many are shown as there is room for.
    `scale`: the ticks of the value axis, ascending."""
    left = max(text_width(show(tick)) for tick in scale) + 10
    top, bottom, right = 8.0, height - 22.0, width - 8.0
    low, high = scale[0], scale[-1]

    def y(value: float) -> float:
        if is_log:
            value = min(max(value, low), high)
            share = (math.log10(value) - math.log10(low)) / (math.log10(high) - math.log10(low))
        else:
            share = (value - low) / (high - low)
        return bottom - share * (bottom - top)

    count = len(labels)
    step = (right - left) / count
    content = []
    last = math.inf
    for tick in scale:
        if last - y(tick) < TICKS_APART:
            continue
        last = y(tick)
        content.append(_line(left, y(tick), right, y(tick), "grid"))
        content.append(_text(left - 6, y(tick) + 4, show(tick), "tick", "end"))
    if is_stacked:
        content += _columns(series, labels, y, left, step, show)
    else:
        content += [_path(entry, y, left, step, show, labels) for entry in series]
    content += _steps(labels, left, step, bottom, width)
    return _svg(width, height, title, content)


def _columns(
    series: Sequence[Series], labels: Sequence[str], y: Place, left: float, step: float, show: Format
) -> list[str]:
    content = []
    for index, label in enumerate(labels):
        total = 0.0
        for entry in series:
            value = entry.values[index] or 0
            if value:
                top, base = y(total + value), y(total)
                tip = f"{label}: {entry.label} {show(value)}"
                breadth = min(step - min(2.0, step / 5), COLUMN_MAX)
                x = left + (index + 0.5) * step - breadth / 2
                content.append(_rect(x, top, breadth, base - top, entry.style, tip))
            total += value
    return content


def _path(
    series: Series, y: Place, left: float, step: float, show: Format, labels: Sequence[str]
) -> str:  # fmt: skip
    """A line, broken where values are missing; a value between two missing ones is a dot."""
    runs: list[list[tuple[float, float]]] = [[]]
    for index, value in enumerate(series.values):
        if value is None:
            runs.append([])
        else:
            runs[-1].append((left + (index + 0.5) * step, y(value)))
    parts = []
    for run in filter(None, runs):
        if len(run) == 1:
            parts.append(f'<circle cx="{_n(run[0][0])}" cy="{_n(run[0][1])}" r="2.5" class="{series.style}"/>')
        else:
            points = " ".join(f"{_n(x)},{_n(at)}" for x, at in run)
            parts.append(f'<polyline points="{points}" class="line {series.style}"/>')
    return "".join(parts)


def _steps(labels: Sequence[str], left: float, step: float, bottom: float, width: int) -> list[str]:
    """As many labels below the axis as fit, the first and the last among them where there is room."""
    room = max(text_width(label) for label in labels) + 14
    fit = max(1, int(len(labels) * step / room))
    every = max(1, math.ceil(len(labels) / fit))
    content = []
    for index in range(0, len(labels), every):
        label, x = labels[index], left + (index + 0.5) * step
        half = text_width(label) / 2
        x = min(max(x, left + half), width - half)
        content.append(_text(x, bottom + 17, label, "tick", "middle"))
    return content


def bars(title: str, entries: Sequence[Bar], width: int, *, top: int = 0) -> str:
    """Horizontal bars, the longest as long as there is room. `top`: the value of a full bar, 0 for the largest."""
    left = _before((bar.label for bar in entries), width)
    most = top or max((sum(part.value for part in bar.parts) for bar in entries), default=1) or 1
    behind = max(text_width(bar.text) for bar in entries) + 10
    row = 24.0 if left else 38.0
    room = width - left - behind
    content: list[str] = []
    for index, bar in enumerate(entries):
        y = index * row
        y += _label(content, bar.label, left, y)
        x = left
        content.append(_rect(left, y, room, 14, "track", radius=2))
        for part in bar.parts:
            length = part.value * room / most
            if part.value:
                content.append(_rect(x, y, length, 14, part.style, f"{bar.label}: {part.label}", 2))
            x += length
        content.append(_text(width, y + 11.5, bar.text, "value", "end"))
    return _svg(width, len(entries) * row + 2, title, content)


def _label(content: list[str], label: str, left: float, y: float) -> float:
    """Draw it before or above its bar; returns how far below `y` the bar begins."""
    place = _text(left - 12, y + 15, label, "label", "end") if left else _text(0, y + 12, label, "label")
    content.append(place)
    return 4 if left else 18


def strips(title: str, rows: Sequence[tuple[str, Sequence[int | None], str]], tips: Sequence[str], width: int) -> str:
    """A row of cells for each (label, per mille of each step, text behind): the darker, the less was missed."""
    left = _before((label for label, _, _ in rows), width)
    behind = max(text_width(text) for _, _, text in rows) + 10
    height = 24.0 if left else 38.0
    step = (width - left - behind) / max(len(tips), 1)
    content: list[str] = []
    for index, (label, shares, text) in enumerate(rows):
        y = index * height
        y += _label(content, label, left, y)
        for place, share in enumerate(shares):
            style = "track" if share is None else uptime_style(share)
            x = left + place * step
            content.append(_rect(x, y, step - min(1.0, step / 5), 14, style, f"{label}, {tips[place]}"))
        content.append(_text(width, y + 11.5, text, "value", "end"))
    return _svg(width, len(rows) * height + 2, title, content)


def uptime_style(per_mille: int) -> str:
    """The class of a cell."""
    return "up" if per_mille == 1_000 else "u3" if per_mille >= 900 else "u2" if per_mille >= 667 else "u1"


def curve(
    title: str, sums: Sequence[tuple[str, str, Sequence[int]]], thirds: tuple[str, str], width: int, axis: str,
    show: Format,
) -> str:  # fmt: skip
    """Cumulative shares, per mille, of (label, style, sums from the largest on), with lines at one and two thirds."""
    height, left, bottom, top = 220, 44.0, 188.0, 8.0
    right = width - 8.0
    most = max(len(values) for _, _, values in sums)

    def x(rank: int) -> float:
        return left + rank * (right - left) / max(most, 1)

    def y(share: float) -> float:
        return bottom - share * (bottom - top) / 1_000

    content = []
    for share in (0.0, 250.0, 500.0, 750.0, 1_000.0):
        content.append(_line(left, y(share), right, y(share), "grid"))
        content.append(_text(left - 6, y(share) + 4, show(share), "tick", "end"))
    for share, label in ((1_000 / 3, thirds[0]), (2_000 / 3, thirds[1])):
        content.append(_line(left, y(share), right, y(share), "mark"))
        content.append(_text(right - 4, y(share) - 4, label, "tick", "end"))
    for _, style, values in sums:
        points = [(x(rank), y(share)) for rank, share in enumerate((0, *values))]
        content.append(f'<polyline points="{" ".join(f"{_n(a)},{_n(b)}" for a, b in points)}" class="line {style}"/>')
        if most <= 30:
            content += [f'<circle cx="{_n(a)}" cy="{_n(b)}" r="3" class="{style}"/>' for a, b in points[1:]]
    every = max(1, math.ceil(most / 10))
    content += [_text(x(rank), bottom + 16, str(rank), "tick", "middle") for rank in range(0, most + 1, every)]
    content.append(_text((left + right) / 2, bottom + 30, axis, "tick", "middle"))
    return _svg(width, height, title, content)
