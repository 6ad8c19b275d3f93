"""The table of pages. Routes, and the tests that look at every page, follow from it."""

from __future__ import annotations

from typing import Final

from web.asking import Page
from web.pages import cars, explorer

PAGES: Final[tuple[Page, ...]] = (*cars.PAGES, *explorer.PAGES)
