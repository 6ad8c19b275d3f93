"""Make the outline of the world that `web/drawing/map.py` draws places on.

    python scripts/map_outline.py [--check]

Takes `countries-110m.json` (Natural Earth, public domain) from the npm package `world-atlas`, which npm fetches in the
version pinned here, and writes `web/pictures/world.svg`. `--check` only compares.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from web.drawing.projection import HEIGHT, WIDTH, project

ROOT: Final = Path(__file__).resolve().parent.parent
PACKAGE: Final = "world-atlas@2.0.2"
MEMBER: Final = "package/countries-110m.json"
SHA256: Final = "2516c915867c7baf18ddec727aec46c315541a07cfb3d79a6559b05d5e94eee8"
OUTPUT: Final = ROOT / "web" / "pictures" / "world.svg"
LEFT_OUT: Final = ("Antarctica",)
"""Nobody services a car there, and the projection has no room for it."""
Point = tuple[int, int]


def main() -> int:
    drawn = svg(topology())
    if "--check" in sys.argv[1:]:
        return int(OUTPUT.read_text("ascii") != drawn)
    OUTPUT.write_text(drawn, "ascii")
    print(f"{OUTPUT.relative_to(ROOT)}: {len(drawn)} bytes")
    return 0


def topology() -> Any:
    """The TopoJSON of the pinned package. Raises `SystemExit` if its hash is another one."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["npm", "pack", PACKAGE, "--silent"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        (archive,) = Path(folder).glob("*.tgz")
        with tarfile.open(archive) as package:
            entry = package.extractfile(MEMBER)
            assert entry is not None, f"{MEMBER} is a file"
            raw = entry.read()
    if sha256(raw).hexdigest() != SHA256:
        raise SystemExit(f"{MEMBER} of {PACKAGE} has the SHA-256 {sha256(raw).hexdigest()}, not {SHA256}")
    return json.loads(raw)


def svg(topology: Any) -> str:
    """One path with the rings of all countries. `HEIGHT` and `WIDTH` in tenths of a degree of longitude."""
    arcs = [_points(arc, topology["transform"]) for arc in topology["arcs"]]
    rings = [
        _ring(ring, arcs)
        for country in topology["objects"]["countries"]["geometries"]
        if country["properties"]["name"] not in LEFT_OUT
        for polygon in ([country["arcs"]] if country["type"] == "Polygon" else country["arcs"])
        for ring in polygon
    ]
    path = "".join(_commands(ring) for ring in rings if len(ring) > 2)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}">'
        f'<path id="land" vector-effect="non-scaling-stroke" d="{path}"/></svg>\n'
    )


def _points(arc: Sequence[Sequence[int]], transform: Any) -> list[Point]:
    """An arc, whose points are differences of quantized degrees."""
    (kx, ky), (dx, dy) = transform["scale"], transform["translate"]
    x = y = 0
    found = []
    for step_x, step_y in arc:
        x, y = x + step_x, y + step_y
        at_x, at_y = project(y * ky + dy, x * kx + dx)
        found.append((round(at_x), round(at_y)))
    return found


def _ring(indices: Sequence[int], arcs: Sequence[list[Point]]) -> list[Point]:
    """A closed ring of arcs; a negative index is the arc `~index` backwards."""
    points: list[Point] = []
    for index in indices:
        arc = arcs[index] if index >= 0 else arcs[~index][::-1]
        points += [point for place, point in enumerate(arc) if place or not points]
    return [point for point, before in zip(points, [None, *points], strict=False) if point != before]


def _commands(ring: Sequence[Point]) -> str:
    return "".join(_steps(ring)) + "z"


def _steps(ring: Sequence[Point]) -> Iterator[str]:
    yield f"M{ring[0][0]} {ring[0][1]}l"
    apart = ""
    for (x, y), (next_x, next_y) in zip(ring, ring[1:-1], strict=False):
        dx, dy = next_x - x, next_y - y
        yield f"{apart if dx >= 0 else ''}{dx}{' ' if dy >= 0 else ''}{dy}"
        apart = " "


if __name__ == "__main__":
    raise SystemExit(main())
