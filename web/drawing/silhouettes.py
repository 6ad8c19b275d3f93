"""Silhouettes of cars: five drawings of our own, seen from the left, coloured by classes of the style sheet."""

from __future__ import annotations

from functools import cache
from typing import Final

WIDTH: Final = 240
HEIGHT: Final = 96


def _car(body: str, glass: str, wheels: tuple[int, int], radius: int = 15) -> str:
    """The outline, the windows, and two wheels that stand on y = 87."""
    y = 87 - radius
    rims = "".join(
        f'<circle class="tyre" cx="{x}" cy="{y}" r="{radius}"/><circle class="rim" cx="{x}" cy="{y}" r="{radius - 6}"/>'
        for x in wheels
    )
    return f'<path class="paint" d="{body}"/><path class="glass" d="{glass}"/>{rims}'


SHAPES: Final = {
    "saloon": _car(
        "M10,66 C9,56 14,50 28,48 L66,43 C80,31 94,25 116,25 L134,25 C152,26 164,32 180,43 L210,47 "
        "C224,49 231,55 231,64 L230,74 L10,74 Z",
        "M79,43 C89,35 99,31 114,31 L115,43 Z M121,31 L134,31 C147,32 156,36 167,43 L121,43 Z", (54, 186)),
    "estate": _car(
        "M10,66 C9,56 14,50 28,48 L66,43 C80,31 94,25 116,25 L188,26 C205,27 216,37 223,48 C229,51 231,57 231,64 "
        "L230,74 L10,74 Z",
        "M79,43 C89,35 99,31 114,31 L115,43 Z M121,31 L162,31 L166,43 L121,43 Z M169,31 L186,32 C196,33 203,38 207,43 "
        "L172,43 Z", (54, 186)),
    "suv": _car(
        "M10,62 C9,50 13,42 26,40 L62,36 C76,21 88,15 110,15 L190,16 C206,17 215,27 221,40 C229,43 231,50 231,58 "
        "L230,74 L10,74 Z",
        "M75,36 C85,26 95,21 109,21 L110,36 Z M116,21 L160,21 L164,36 L116,36 Z M167,21 L188,22 C198,23 204,30 207,36 "
        "L170,36 Z", (54, 186), 18),
    "hatch": _car(
        "M24,66 C23,55 28,48 42,46 L72,41 C85,27 98,20 120,20 L166,21 C188,23 204,34 210,48 C215,52 216,58 216,64 "
        "L215,74 L24,74 Z",
        "M85,41 C95,31 104,26 118,26 L119,41 Z M125,26 L164,27 C179,29 190,34 196,41 L125,41 Z", (66, 174)),
    "coupe": _car(
        "M8,66 C7,58 14,53 30,51 L84,46 C98,35 114,30 134,30 C158,30 178,38 196,49 C216,50 231,56 232,64 "
        "L231,74 L8,74 Z",
        "M98,46 C108,39 119,36 133,36 C150,36 164,40 178,48 L98,47 Z", (54, 188)),
}  # fmt: skip


@cache
def sprites() -> str:
    """The silhouettes as symbols, once for a page."""
    symbols = "".join(
        f'<symbol id="car-{name}" viewBox="0 0 {WIDTH} {HEIGHT}">{shape}</symbol>' for name, shape in SHAPES.items()
    )
    return f'<svg class="sprites" aria-hidden="true">{symbols}</svg>'


@cache
def silhouette(body: str) -> str:
    """A picture beside the name of a car, so it says nothing to who does not see it."""
    assert body in SHAPES, body
    return (f'<svg class="silhouette" viewBox="0 0 {WIDTH} {HEIGHT}" aria-hidden="true" focusable="false">'
            f'<use href="#car-{body}"/></svg>')  # fmt: skip


COVERAGE_PARTS: Final = 5


def coverage(share: float) -> str:
    """A bar of five parts: how much of a car's life is on the chain. Its words stand beside it."""
    return _bar(max(1, round(share * COVERAGE_PARTS)) if share > 0 else 0)


@cache
def _bar(full: int) -> str:
    parts = "".join(
        f'<rect class="{"full" if place < full else "bare"}" x="{place * 13}" y="1" width="11" height="6" rx="2"/>'
        for place in range(COVERAGE_PARTS)
    )
    size = 'viewBox="0 0 63 8" width="63" height="8"'
    return f'<svg class="coverage" {size} aria-hidden="true" focusable="false">{parts}</svg>'
