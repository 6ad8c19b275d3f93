"""The table of pages. Routes, and the tests that look at every page, follow from it."""

from __future__ import annotations

from typing import Final

from web.asking import Page
from web.pages import car, car_files, explorer, listing, verify

PAGES: Final[tuple[Page, ...]] = (
    *car.PAGES, *car_files.PAGES, *listing.PAGES, *explorer.PAGES, *verify.PAGES,
)  # fmt: skip
