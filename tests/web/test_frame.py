"""The frame of every page: languages, widths, light and dark, headers, error pages, limits."""

from __future__ import annotations

import urllib.request
from urllib.error import HTTPError

import pytest
from playwright.sync_api import Browser
from support.browsing import SCHEMES, WIDTHS, Scheme, Served, Width, looking

pytestmark = pytest.mark.network


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_frame_in_every_language(browser: Browser, pages: Served, width: Width, scheme: Scheme) -> None:
    with looking(browser, pages.url, width, scheme) as window:
        window.look_in_every_language({"/nothing": 404})


def test_every_answer_has_the_headers(pages: Served) -> None:
    for path in ("/en/explorer", "/en/nothing", "/v1/status", "/health/live", "/manifest.json", "/static/0/none.css"):
        try:
            with urllib.request.urlopen(pages.url + path) as answer:
                headers = answer.headers
        except HTTPError as error:
            headers = error.headers
            error.close()
        assert "default-src 'none'" in headers["Content-Security-Policy"], path
        assert ("nosniff", "no-referrer") == (headers["X-Content-Type-Options"], headers["Referrer-Policy"]), path
