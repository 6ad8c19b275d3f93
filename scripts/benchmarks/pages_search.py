"""Search of a large market with its page, in time of the processor, and the memory of the process that serves it."""

from __future__ import annotations

import asyncio
import hashlib
import multiprocessing
import random
import re
import tempfile
import time
import urllib.request
from pathlib import Path

from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from support.browsing import serving_pages
from support.chain import Chain
from support.market import genesis_file, market_chain
from support.rendering import a_site

from benchmarks.measure import Measure
from node.collector import settle_collector
from web.asking import Ask, Site
from web.nodes import Nodes
from web.pages.cars import cars
from web.read_model.model import NAME, ReadModel
from web.read_model.row import Price, Row
from web.read_model.store import Store
from web.rendering import page_html
from web.settings import WebSettings
from web.share import Share
from web.words import words_of

P50_MS, P99_MS, MEMORY_MIB = 5.0, 30.0, 250.0
COUNTRIES = ("DE", "FR", "CN", "US", "GB", "IT", "ES", "NL", "PL", "AT")
POWERTRAINS = ("petrol", "diesel", "hev", "phev", "bev")
NOW_MS = 1_800_000_000_000
NO_NODE = "http://127.0.0.1:9"
"""Nothing listens there."""


def synthetic(first: int, count: int, seed: int) -> list[Row]:
    """Rows of 120 models, ten countries, three currencies, five powertrains."""
    draw = random.Random(seed + first)
    models = [f"{series}{size}I" for series in range(1, 9) for size in range(16, 31)]

    def one(number: int) -> Row:
        ident = hashlib.sha256(number.to_bytes(8, "big")).digest()
        listed, year = NOW_MS - draw.randrange(30 * 86_400_000), draw.randrange(2008, 2027)
        return Row(
            ident, 1, f"WBA8E9G5{number:09d}", draw.choice(models), b"s" * 20,
            draw.choice(("EUR", "EUR", "CNY", "USD")), (Price(draw.randrange(3_000, 90_000) * 100, listed),),
            draw.choice(COUNTRIES), 0, NOW_MS + 86_400_000_000,
            powertrain=draw.choice(POWERTRAINS), produced_on=f"{year}-03-01", metres=draw.randrange(250_000_000),
            verdict="LOGICAL", accidents=int(draw.random() < 0.2), brands=("taxi",) if draw.random() < 0.07 else (),
            born_ms=listed - 10**11, covered_since_ms=listed - 10**11,
            warranty_until_ms=NOW_MS + 10**10 if draw.random() < 0.3 else 0,
        )  # fmt: skip

    return [one(number) for number in range(first, first + count)]


def queries(seed: int) -> list[str]:
    """What people look for: mostly a model or a country and a price, now and then everything."""
    draw = random.Random(seed)
    found = []
    for _ in range(400):
        parts = []
        if draw.random() < 0.5:
            parts.append(f"model={draw.randrange(1, 9)}{draw.randrange(16, 31)}I")
        if draw.random() < 0.6:
            parts.append(f"country={draw.choice(COUNTRIES)}")
        if draw.random() < 0.4:
            parts.append(f"price_max={draw.randrange(10, 80) * 1000}&currency=EUR")
        for name, values in (
            ("powertrain", POWERTRAINS),
            ("year_min", (2015, 2018, 2021)),
            ("km_max", (50_000, 100_000)),
        ):
            if draw.random() < 0.3:
                parts.append(f"{name}={draw.choice(values)}")
        for name in ("no_accident", "no_brand", "warranty"):
            if draw.random() < 0.2:
                parts.append(f"{name}=1")
        if draw.random() < 0.05:
            parts = [f"q=WBA8E9G5{draw.randrange(10**5):05d}"]
        parts.append(f"sort={draw.choice(('newest', 'cheapest', 'mileage', 'youngest'))}")
        found.append("/en/cars?" + "&".join(parts))
    return found


def _fill(folder: Path, genesis_hash: bytes, count: int, seed: int) -> None:
    store = Store(folder / NAME, genesis_hash)
    for first in range(0, count, 20_000):
        rows = synthetic(first, min(count - first, 20_000), seed)
        store.write(store.meta._replace(cursor=None), dict(enumerate(rows, first)))
    store.close()


def search(count: int, seed: int) -> list[Measure]:
    """Each query once, none kept from before, with rows read from SQLite and the HTML of the page, in milliseconds of
    the processor, which on a machine with nothing else to do are those of the clock; then the memory that serving the
    same takes."""
    with tempfile.TemporaryDirectory() as folder:
        home, chain = Path(folder) / "home", market_chain()
        home.mkdir()
        # in a process of its own, which leaves no memory behind
        filling = multiprocessing.get_context("spawn").Process(
            target=_fill, args=(home, chain.genesis_hash, count, seed)
        )
        filling.start()
        filling.join()
        assert filling.exitcode == 0
        return [*_timed(home, chain, count, seed), _peak_memory(home, chain, count, seed)]


def _timed(home: Path, chain: Chain, count: int, seed: int) -> list[Measure]:
    settings, nodes = WebSettings(page_size=24), Nodes((NO_NODE,), chain.genesis_hash, Share(1, 1))
    nodes.watched[0].time_ms = NOW_MS
    began = time.perf_counter()
    model = ReadModel(chain.genesis, home, nodes, settings)
    load_s = time.perf_counter() - began
    site = a_site(settings, chain.genesis, nodes, model)
    requests = [make_mocked_request("GET", url) for url in queries(seed)]

    settle_collector()  # as `serve` does

    async def measured() -> list[tuple[float, float, int]]:
        drawn = [await _drawn(site, request) for request in requests]
        await model.stop()
        return drawn

    drawn = asyncio.run(measured())
    times, clock = sorted(ms for ms, _, _ in drawn), sorted(ms for _, ms, _ in drawn)
    told = {
        "listings": count,
        "queries": len(times),
        "html_bytes_max": max(size for *_, size in drawn),
        "clock_ms": [round(clock[len(clock) * percent // 100], 1) for percent in (50, 99)],
        "slowest_ms": round(times[-1], 1),
        "load_s": round(load_s, 1),
    }
    found = []
    for percent, bar in ((50, P50_MS), (99, P99_MS)):
        value = times[len(times) * percent // 100]
        name = f"search and page of {count:,} listings, p{percent}"
        found.append(Measure(name, value, bar, value, 1, "ms", True, told))
    return found


def _peak_memory(home: Path, chain: Chain, count: int, seed: int) -> Measure:
    """The highest memory of a process of `bmw-node serve` that begins with all rows and is asked every query."""
    with serving_pages(home, genesis_file(chain, home), [NO_NODE]) as served:
        for query in queries(seed):
            _got(served.url + query)
        told = _got(served.url + "/metrics")
    memory = re.findall(r'^bmw_web_memory_bytes\{kind="(\w+)"\} (\S+)$', told, re.MULTILINE)
    mib = {kind: float(size) / 2**20 for kind, size in memory}
    name, details = f"serve of {count:,} listings, peak memory", {"resident_mib": round(mib["resident"])}
    return Measure(name, mib["peak"], MEMORY_MIB, mib["peak"], 1, "MiB", True, details)


def _got(url: str) -> str:
    with urllib.request.urlopen(url) as answer:
        return answer.read().decode()


async def _drawn(site: Site, request: web.Request) -> tuple[float, float, int]:
    """Milliseconds of the processor and of the clock that a page takes, and its bytes."""
    began, began_clock = time.thread_time(), time.perf_counter()
    ask = Ask(request, site, words_of("en"), "/cars")
    html = page_html(ask, await cars(ask), "cars")
    return (time.thread_time() - began) * 1_000, (time.perf_counter() - began_clock) * 1_000, len(html)
