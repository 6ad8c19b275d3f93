"""The table of pages. Routes, and the tests that look at every page, follow from it."""

from __future__ import annotations

from typing import Final

from web.asking import Page
from web.pages import blocks, board, car, car_files, cars, listing, members, service, transactions, verify

PAGES: Final[tuple[Page, ...]] = (
    *cars.PAGES,
    *car.PAGES,
    *car_files.PAGES,
    *listing.PAGES,
    *members.PAGES,
    *service.PAGES,
    *blocks.PAGES,
    *board.PAGES,
    *transactions.PAGES,
    *verify.PAGES,
)
