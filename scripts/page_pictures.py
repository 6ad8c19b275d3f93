"""The pictures of pages in README.md and docs/PAGES.md: pages of real processes in a real Chromium.

PYTHONPATH=tests:. python scripts/page_pictures.py docs
"""

from __future__ import annotations

import io
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import NamedTuple

from PIL import Image
from playwright.sync_api import Browser
from support.browsing import Looking, Scheme, Width, browsing, looking, serving_pages
from support.chain import Chain
from support.life import VIN
from support.lying import lying
from support.market import genesis_file, market_chain, market_node, put_on_sale
from support.processes import running_network, wait_for, wait_height
from support.shown_cars import CLEAN, shown_today

from node.certificates.roots import checkpoint_json
from node.certificates.verifier import Root
from node.codec import encode

CARS = 60
BOARD_HEIGHT = 90
HEIGHT = 1_000
"""Pixels of a page that are shown."""
MARGIN = 16
BACKGROUND = (203, 207, 213)
COLOURS = 192


class View(NamedTuple):
    """A page as it is shown: its path, at a width, in a scheme."""

    path: str
    width: Width
    scheme: Scheme


def pictured(browser: Browser, base: str, view: View) -> Image.Image:
    """The upper part of a page, once nothing of it is under way any more."""
    with looking(browser, base, view.width, view.scheme, device_scale_factor=1.5) as window:
        page = window.at(view.path)
        page.set_viewport_size({"width": view.width, "height": HEIGHT})
        wait_for_modules(window)
        return Image.open(io.BytesIO(page.screenshot()))


def wait_for_modules(window: Looking) -> None:
    """Until the badge has checked, or the board is told what is new."""
    for element, ready in (("bmw-verify", ":not([data-state=idle]):not([data-state=working])"),
                           ("bmw-live", "[data-state=live]")):  # fmt: skip
        if window.page.locator(element).count():
            window.page.locator(element + ready).first.wait_for()


def wait_for_rows(base: str) -> None:
    def has_all() -> bool:
        with urllib.request.urlopen(base + "/en/cars") as answer:
            return f"{CARS} cars" in answer.read().decode()

    wait_for(has_all, what="the cars in the showroom")


def side_by_side(pictures: list[Image.Image]) -> Image.Image:
    width = sum(picture.width for picture in pictures) + (len(pictures) + 1) * MARGIN
    whole = Image.new("RGB", (width, max(picture.height for picture in pictures) + 2 * MARGIN), BACKGROUND)
    left = MARGIN
    for picture in pictures:
        whole.paste(picture, (left, MARGIN))
        left += picture.width + MARGIN
    return whole


def keep(target: Path, pictures: list[Image.Image]) -> None:
    side_by_side(pictures).quantize(COLOURS).save(target, optimize=True)
    print(f"{target}: {target.stat().st_size:,} bytes")


def checkpoint_file(chain: Chain, folder: Path) -> Path:
    """The root that an operator of an old chain names: that of its head."""
    head = chain.store.head()
    root = Root(chain.genesis_hash, chain.genesis.tree_depth, head.height, head.block_id, head.time_ms,
                encode(head.validators.entries))  # fmt: skip
    path = folder / "checkpoint.json"
    path.write_text(checkpoint_json(root, []))
    return path


def main(folder: Path) -> None:
    def views(url: str, *wanted: View) -> list[Image.Image]:
        return [pictured(browser, url, view) for view in wanted]

    with tempfile.TemporaryDirectory() as name, browsing() as browser:
        home = Path(name)
        market = market_chain()
        put_on_sale(market, range(CARS))
        market.now = time.time_ns() // 1_000_000
        market.produce()
        with (
            market_node(market) as node,
            serving_pages(home / "market", genesis_file(market, home), [node.url]) as served,
        ):
            wait_for_rows(served.url)
            keep(folder / "showroom.png", views(served.url, View("/en/cars", 1280, "light"),
                                                View("/de/cars", 390, "dark")))  # fmt: skip
        cars = shown_today().chain
        options = ["--tier", "open", "--checkpoint", str(checkpoint_file(cars, home))]
        with (
            lying(cars) as lie,
            serving_pages(home / "cars", genesis_file(cars, home), [lie.url], *options) as served,
        ):
            keep(folder / "car.png", views(served.url, View(f"/en/car/{CLEAN}", 1280, "light"),
                                           View(f"/zh/car/{VIN}", 390, "dark")))  # fmt: skip
        with running_network(home / "net") as network:
            genesis, urls = network.nodes[0].home.path / "genesis.json", [node.url for node in network.nodes]
            wait_height(network.nodes, BOARD_HEIGHT, 300)
            network.nodes[3].kill()
            with serving_pages(home / "board", genesis, urls, "--tier", "open") as served:
                wait_height(network.nodes[:3], BOARD_HEIGHT + 30, 300)
                keep(folder / "board.png", views(served.url, View("/en/board", 1280, "light"),
                                                 View("/de/board", 390, "dark")))  # fmt: skip


if __name__ == "__main__":
    main(Path(sys.argv[1]))
