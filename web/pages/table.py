"""The table of pages. Routes, and the tests that look at every page, follow from it."""

from __future__ import annotations

from typing import Final

from web.asking import Page
from web.pages import blocks, members, service, transactions

PAGES: Final[tuple[Page, ...]] = (
    *blocks.PAGES,
    *transactions.PAGES,
    *members.PAGES,
    *service.PAGES,
)
