"""How soon a reader with a slow telephone sees a page: Chromium with an empty cache, at a quarter of its speed, at the
end of the line that Lighthouse calls slow 4G (`benchmarks.far_line`)."""

from __future__ import annotations

import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any, Final
from urllib.parse import urlsplit

from playwright.sync_api import Browser
from support.browsing import browsing, looking, serving_pages
from support.life import VIN
from support.lying import lying, today
from support.market import genesis_file, market_chain, market_node, put_on_sale
from support.processes import wait_for

from benchmarks.far_line import far_line
from benchmarks.measure import Measure

CARS: Final = 60
SLOWER: Final = 4
PAINT_MS, SHIFT, LONG_MS, REQUESTS = 1_200, 0.02, 200, 8
BADGE_MS: Final = 3_000
OBSERVED: Final = """
window.seen = {paint: 0, shift: 0, long: 0};
const see = (type, then) =>
  new PerformanceObserver((list) => list.getEntries().forEach(then)).observe({type, buffered: true});
see("paint", (entry) => { if (entry.name === "first-contentful-paint") window.seen.paint = entry.startTime; });
see("layout-shift", (entry) => { window.seen.shift += entry.value; });
see("longtask", (entry) => { window.seen.long = Math.max(window.seen.long, entry.duration); });
"""


def _visit(browser: Browser, base: str, path: str) -> dict[str, Any]:
    """One first visit: what was painted, what moved, the longest task, what was fetched, when the badge was done."""
    with looking(browser, base, 390) as window:
        window.context.unroute_all()
        window.context.add_init_script(OBSERVED)
        page, found = window.page, {"requests": 0, "bytes": 0}
        session = window.context.new_cdp_session(page)
        session.on("Network.requestWillBeSent", lambda _: found.update(requests=found["requests"] + 1))
        session.on("Network.loadingFinished",
                   lambda told: found.update(bytes=found["bytes"] + int(told["encodedDataLength"])))  # fmt: skip
        session.send("Network.enable")
        session.send("Emulation.setCPUThrottlingRate", {"rate": SLOWER})
        began = time.perf_counter()
        page.goto(base + path, wait_until="load")
        if page.locator("bmw-verify").count():
            page.locator("bmw-verify[data-state=done]").wait_for()
            found["badge_ms"] = round(1_000 * (time.perf_counter() - began))
        page.wait_for_load_state("networkidle")
        return found | page.evaluate("window.seen")


def _measures(browser: Browser, base: str, path: str, times: int) -> Iterator[Measure]:
    with far_line(urlsplit(base).port or 0) as port:
        runs = [_visit(browser, f"http://localhost:{port}", path) for _ in range(times)]
    worst = {name: max(run[name] for run in runs) for name in ("shift", "requests", "bytes")}
    paint, longest = (median(run[name] for run in runs) for name in ("paint", "long"))
    yield Measure(f"first contentful paint of {path}", paint, PAINT_MS, paint, 1, "ms", True, {"bytes": worst["bytes"]})
    yield Measure(f"layout shift of {path}", worst["shift"], SHIFT, worst["shift"], 1, "", True)
    yield Measure(f"longest task of {path}", longest, LONG_MS, longest, 1, "ms", True)
    yield Measure(f"requests of a first visit of {path}", worst["requests"], REQUESTS, worst["requests"], 1, "", True)
    if badges := [run["badge_ms"] for run in runs if "badge_ms" in run]:
        yield Measure(f"badge of {path}", median(badges), BADGE_MS, median(badges), 1, "ms", True)


def paint(times: int) -> list[Measure]:
    """First visits of each page that people come to: the median of the times, the worst of everything else."""
    found: list[Measure] = []
    with tempfile.TemporaryDirectory() as name, browsing() as browser:
        home, market, life = Path(name), market_chain(), today(on_sale=True)
        put_on_sale(market, range(CARS))
        with (
            market_node(market) as node,
            serving_pages(home / "market", genesis_file(market, home), [node.url]) as served,
        ):
            wait_for(lambda: f"{CARS} cars" in _read(served.url + "/en/cars"), what="the cars in the showroom")
            for path in ("/en/cars", "/de/explorer", "/zh/service", "/en/verify"):
                found += _measures(browser, served.url, path, times)
        with (
            lying(life.chain) as node,
            serving_pages(home / "car", genesis_file(life.chain, home), [node.url], tier="open") as served,
        ):
            for path in (f"/en/car/{VIN}", "/en/board"):
                found += _measures(browser, served.url, path, times)
    return found


def _read(url: str) -> str:
    with urllib.request.urlopen(url) as answer:
        return str(answer.read().decode())
