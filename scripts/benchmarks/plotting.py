"""A page that shows measures: each against its bar, and the cost of a transaction over the size of the state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, Final

from benchmarks.measure import Measure
from node.audit.signed_report import svg
from node.audit.signed_report.page import POLICY, STYLE
from node.audit.signed_report.svg import Bar, Part, Series

FULL_PERCENT: Final = 200
"""What a full bar stands for: twice as good as its bar asks for, or better."""
GROWTH: Final = "Processor time of a mixed transaction by vehicles, in verifications of libsodium; none are in it."
STEPS: Final = (("decode", "c3"), ("execute", "c1"), ("commit", "c2"), ("background", "c8"))


def reached_percent(found: Measure) -> int:
    """How much of what its bar asks for a measure reaches: 100 at the bar, more where it is better."""
    if found.bar_is_upper:
        return round(100 * found.bar / found.value) if found.value > 0 else FULL_PERCENT
    return round(100 * found.value / found.bar)


def page(measures: Sequence[Measure], head: Mapping[str, object]) -> str:
    """An HTML page without script, and without anything from elsewhere."""
    what = ", ".join(f"{name} {value}" for name, value in head.items())
    sections = [
        _section("Measured against the bars", f"The middle of a row is its bar; {what}.", _against_bars(measures))
    ]
    grown = next((found.details["by_vehicles"] for found in measures if "by_vehicles" in found.details), None)
    if grown is not None:
        sections.append(_section("Growth", GROWTH, _growth(grown)))
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        f"<title>Benchmarks</title><style>{STYLE.read_text('utf-8')}</style></head>"
        f"<body><header><h1>Benchmarks</h1></header><main>{''.join(sections)}</main></body></html>\n"
    )


def _section(title: str, more: str, content: str) -> str:
    return f'<section><h2>{escape(title)}</h2><p class="more">{escape(more)}</p>{content}</section>'


def _against_bars(measures: Sequence[Measure]) -> str:
    entries = []
    for found in measures:
        percent, sign = reached_percent(found), "≤" if found.bar_is_upper else "≥"
        text = f"{found.shown} {sign} {found.bar:g}"
        style = "good" if found.passed else "bad"
        entries.append(Bar(found.name, [Part(style, min(percent, FULL_PERCENT), f"{percent} %")], text))
    return svg.both(lambda width: svg.bars("Measured against the bars", entries, width, top=FULL_PERCENT))


def _growth(by_vehicles: Mapping[Any, Mapping[str, Any]]) -> str:
    sizes = sorted(by_vehicles, key=int)
    costs = [by_vehicles[size] for size in sizes]
    series = [Series(step, style, [one[f"{step}_us"] / one["libsodium_us"] for one in costs]) for step, style in STEPS]
    scale = svg.ticks(max(one["whole"] for one in costs))
    labels = [f"{int(size):,}" for size in sizes]
    legend = "".join(
        f'<li><svg viewBox="0 0 12 12"><rect width="12" height="12" class="{style}"/></svg>{step}</li>'
        for step, style in STEPS
    )
    plot = svg.both(
        lambda width: svg.over_time(
            "Growth", series, labels, scale, lambda value: f"{value:.1f}", width, is_stacked=True
        )
    )
    return f'{plot}<ul class="legend">{legend}</ul>'
