"""The projection of the map: Mercator, between 60 degrees south and 78 degrees north."""

from __future__ import annotations

from math import asinh, degrees, radians, tan
from typing import Final

NORTH: Final = 78.0
SOUTH: Final = -60.0
WIDTH: Final = 3_600
"""Units of the whole map: tenths of a degree of longitude."""


def _stretched(latitude: float) -> float:
    return degrees(asinh(tan(radians(latitude)))) * 10


HEIGHT: Final = round(_stretched(NORTH) - _stretched(SOUTH))


def project(latitude: float, longitude: float) -> tuple[float, float]:
    """Degrees to units of the map, from its north-western corner. Latitudes beyond the map lie on its edge."""
    clipped = min(max(latitude, SOUTH), NORTH)
    return (longitude + 180.0) * 10, _stretched(NORTH) - _stretched(clipped)
