"""The map of places of business: an SVG over the outline of `pictures/world.svg`. Points are links, colours classes.

Pins that would cover each other become one pin with their number. Their size does not depend on the part of the world
that is shown.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from typing import Final, NamedTuple

from web.drawing.projection import HEIGHT as WORLD_HEIGHT
from web.drawing.projection import WIDTH as WORLD_WIDTH
from web.drawing.projection import project

WIDTH: Final = 640
HEIGHT: Final = 300
RADIUS: Final = 11
APART: Final = 46
"""Units between pins: on a phone a unit is 0.56 pixels, and a target has to have 24."""
MARGIN: Final = 60
SPAN_MIN: Final = 160.0
"""Units of the world that the map is wide at least: the outline is too coarse for less than sixteen degrees."""
LETTER: Final = 5.6
"""Width of a letter of a label, about."""


class Pin(NamedTuple):
    """A point. `role`: class and shape; `label`: what is written in it, such as a number; `href`: where it leads."""

    latitude: float
    longitude: float
    name: str
    role: str
    label: str
    href: str


class Window(NamedTuple):
    """The part of the world that is shown: its north-western corner in the world's units, and units of the map for one
    of them."""

    left: float
    top: float
    scale: float

    def place(self, latitude: float, longitude: float) -> tuple[float, float]:
        x, y = project(latitude, longitude)
        return (x - self.left) * self.scale, (y - self.top) * self.scale


class Cluster(NamedTuple):
    """Pins at about one place of the map."""

    x: float
    y: float
    pins: tuple[Pin, ...]


def window_of(points: Sequence[tuple[float, float]], center: tuple[float, float] | None = None) -> Window:
    """The smallest window with all points; with `center`, that one in the middle."""
    placed = [project(*point) for point in points] or [project(20.0, 10.0)]
    xs, ys = [x for x, _ in placed], [y for _, y in placed]
    if center is None:
        x, y = (min(xs) + max(xs)) / 2, (min(ys) + max(ys)) / 2
    else:
        x, y = project(*center)
    half_x, half_y = max(abs(each - x) for each in xs), max(abs(each - y) for each in ys)
    wide = WIDTH / (WIDTH - 2 * MARGIN)
    span = max(2 * half_x * wide, 2 * half_y * HEIGHT / (HEIGHT - 2 * MARGIN) * WIDTH / HEIGHT, SPAN_MIN)
    if not points:
        span = WORLD_WIDTH
    span = min(span, WORLD_WIDTH, WORLD_HEIGHT * WIDTH / HEIGHT)
    tall = span * HEIGHT / WIDTH
    left = min(max(x - span / 2, 0.0), WORLD_WIDTH - span)
    top = min(max(y - tall / 2, 0.0), WORLD_HEIGHT - tall)
    return Window(left, top, WIDTH / span)


def clusters_of(pins: Sequence[Pin], window: Window) -> list[Cluster]:
    """The pins within the window, each with those that are too near to it, in their order."""
    found: list[Cluster] = []
    for pin in pins:
        x, y = window.place(pin.latitude, pin.longitude)
        if not (0 <= x <= WIDTH and 0 <= y <= HEIGHT):
            continue
        for place, near in enumerate(found):
            if (near.x - x) ** 2 + (near.y - y) ** 2 < APART**2:
                found[place] = near._replace(pins=(*near.pins, pin))
                break
        else:
            found.append(Cluster(x, y, (pin,)))
    return found


def svg(
    pins: Sequence[Pin], window: Window, outline: str, name: str, many: Callable[[Cluster], tuple[str, str]],
    center: tuple[float, float] | None = None,
) -> str:  # fmt: skip
    """The map. `outline`: address of `pictures/world.svg`; `many`: name and address of the link of several pins."""
    clusters = clusters_of(pins, window)
    drawn = [
        f'<svg class="map" viewBox="0 0 {WIDTH} {HEIGHT}" role="group" aria-label="{escape(name)}">',
        f'<rect class="sea" width="{WIDTH}" height="{HEIGHT}"/>',
        f'<use class="land" href="{escape(outline)}#land" '
        f'transform="scale({window.scale:.4f}) translate({-window.left:.2f} {-window.top:.2f})"/>',
    ]
    if center is not None:
        x, y = window.place(*center)
        drawn.append(f'<circle class="here" cx="{x:.1f}" cy="{y:.1f}" r="{RADIUS + 5}"/>')
    taken = [(each.x - RADIUS, each.y - RADIUS, each.x + RADIUS, each.y + RADIUS) for each in clusters]
    for cluster in clusters:
        drawn.append(_single(cluster, taken) if len(cluster.pins) == 1 else _several(cluster, many))
    return "".join([*drawn, "</svg>"])


def _single(cluster: Cluster, taken: list[tuple[float, float, float, float]]) -> str:
    (pin,) = cluster.pins
    label = _label(cluster.x, cluster.y, pin.name, taken)
    return (
        f'<a class="pin {escape(pin.role)}" href="{escape(pin.href)}" aria-label="{escape(pin.name)}">'
        f"<title>{escape(pin.name)}</title>{shape(pin.role, cluster.x, cluster.y, RADIUS)}"
        f'<text class="number" x="{cluster.x:.1f}" y="{cluster.y + 4:.1f}">{escape(pin.label)}</text>{label}</a>'
    )


def _several(cluster: Cluster, many: Callable[[Cluster], tuple[str, str]]) -> str:
    name, href = map(escape, many(cluster))
    x, y = cluster.x, cluster.y
    return (
        f'<a class="pin many" href="{href}" aria-label="{name}"><title>{name}</title>'
        f'<circle class="halo" cx="{x:.1f}" cy="{y:.1f}" r="{RADIUS + 5}"/>'
        f'<circle class="mark" cx="{x:.1f}" cy="{y:.1f}" r="{RADIUS + 1}"/>'
        f'<text class="number" x="{x:.1f}" y="{y + 4:.1f}">{len(cluster.pins)}</text></a>'
    )


def _label(x: float, y: float, name: str, taken: list[tuple[float, float, float, float]]) -> str:
    """The name beside a pin, to the right or to the left, where it covers nothing; else nothing."""
    wide = LETTER * len(name)
    off = RADIUS + 8
    for left, anchor, at in ((x + off, "start", x + off), (x - off - wide, "end", x - off)):
        box = (left, y - 7, left + wide, y + 7)
        if 0 <= left and left + wide <= WIDTH and not any(_cover(box, other) for other in taken):
            taken.append(box)
            return f'<text class="name" x="{at:.1f}" y="{y + 4:.1f}" text-anchor="{anchor}">{escape(name)}</text>'
    return ""


def _cover(one: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def shape(role: str, x: float, y: float, r: float) -> str:
    """A circle for workshops, a diamond for inspectors, a square for everybody else."""
    if role == "workshop":
        return f'<circle class="mark" cx="{x:.1f}" cy="{y:.1f}" r="{r}"/>'
    if role == "inspector":
        d = r * 1.25
        return f'<path class="mark" d="M{x:.1f} {y - d:.1f}l{d} {d}l{-d} {d}l{-d} {-d}z"/>'
    return (
        f'<rect class="mark" x="{x - r * 0.9:.1f}" y="{y - r * 0.9:.1f}" width="{r * 1.8}" height="{r * 1.8}" rx="3"/>'
    )


def key(role: str) -> str:
    """The shape alone, for the legend."""
    return (
        f'<svg class="key pin {escape(role)}" viewBox="0 0 24 24" width="20" height="20" aria-hidden="true">'
        f"{shape(role, 12, 12, 8)}</svg>"
    )
