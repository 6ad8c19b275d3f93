"""A reader of the pages: a real Chromium over a real `bmw-node serve` over a real network.

Every page that it looks at is held to the same: nothing on the console, nothing that the policy reports, no request to
another origin, and no finding of axe.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, Route, sync_playwright

from support.javascript.asking import chromium
from support.processes import started, wait_for

Width = Literal[390, 1280]
Scheme = Literal["light", "dark"]
WIDTHS: tuple[Width, ...] = (390, 1280)
SCHEMES: tuple[Scheme, ...] = ("light", "dark")
LANGUAGES = ("en", "de", "zh")
SHOTS = os.environ.get("PAGES_SHOTS", "")
"""A folder in which every page that is looked at leaves a picture."""
MISSING = "Chromium is not installed: apt install chromium"
AXE = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    "resultTypes": ["violations"],
}


class Served:
    """A process of `bmw-node serve`. `settings`: of `[web]`, by name."""

    def __init__(
        self, home: Path, genesis: Path, nodes: Sequence[str], *options: str, port: int = 0, **settings: object
    ) -> None:
        command: list[str | Path] = [sys.executable, "-m", "node.cli.node", "serve", "--home", home]
        command += ["--genesis", genesis, "--port", str(port)]
        environment = os.environ | {f"BMW_WEB_{name.upper()}": str(value) for name, value in settings.items()}
        command += [part for url in nodes for part in ("--node", url)]
        self.log = home.with_suffix(".log")
        self._from = self.log.stat().st_size if self.log.exists() else 0
        """Where this process begins in the log, which one before it with the same home has written, too."""
        with self.log.open("ab") as log:
            self.process: subprocess.Popen[Any] = started(
                [*command, *options], stdout=log, stderr=log, env=environment
            )  # fmt: skip
        self.url = ""
        wait_for(self._has_url, what="the pages")

    def _has_url(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        said = self.log.read_bytes()[self._from :].decode()
        found = re.findall(r"serving url=http://127\.0\.0\.1:(\d+)", said)
        self.url = f"http://localhost:{found[-1]}" if found else ""
        return bool(self.url)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait(10)


@contextlib.contextmanager
def serving_pages(
    home: Path, genesis: Path, nodes: Sequence[str], *options: str, **settings: object
) -> Iterator[Served]:
    served = Served(home, genesis, nodes, *options, **settings)  # type: ignore[arg-type]
    try:
        yield served
    finally:
        served.kill()


@contextlib.contextmanager
def browsing() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


class Looking:
    """One window. `faults` has everything that a page must not do."""

    def __init__(
        self, browser: Browser, base: str, width: Width = 1280, scheme: Scheme = "light", **options: Any
    ) -> None:
        self.base, self.width, self.scheme = base, width, scheme
        self.faults: list[str] = []
        self._expected = 200
        size = {"width": width, "height": 844 if width == 390 else 900}
        self.context: BrowserContext = browser.new_context(viewport=size, color_scheme=scheme, **options)
        self.context.route("**/*", self._routed)
        self.page: Page = self.context.new_page()
        self.page.on("console", lambda message: self._said(message.text))
        self.page.on("pageerror", lambda error: self.faults.append(f"error: {error}"))

    def _said(self, text: str) -> None:
        """Chromium also says on the console that the page itself was refused."""
        if self._expected < 400 or f"status of {self._expected}" not in text:
            self.faults.append(f"console: {text}")

    def _routed(self, route: Route) -> None:
        url = route.request.url
        if url.startswith(self.base + "/report"):
            self.faults.append(f"policy: {route.request.post_data}")
        if not url.startswith((self.base + "/", "blob:")):
            self.faults.append(f"another origin: {url}")
            route.abort()
        else:
            route.continue_()

    def at(self, path: str, status: int = 200) -> Page:
        """Go there; the page's status has to be this one."""
        self._expected = status
        response = self.page.goto(self.base + path)
        assert response is not None
        assert status == response.status, f"{path}: {response.status}"
        return self.page

    def look(self, path: str, status: int = 200, *, with_axe: bool = True) -> Page:
        """Go there, and hold the page to everything."""
        page = self.at(path, status)
        self.check(path, with_axe=with_axe)
        return page

    def look_in_every_language(self, paths: Mapping[str, int]) -> None:
        """Go to each path, whose status has to be this one, in every language. Axe takes longer than everything else
        and finds the same in all of them, so each page has it in one, in the next window in the next one."""
        turn = WIDTHS.index(self.width) + SCHEMES.index(self.scheme)
        for place, (path, status) in enumerate(paths.items()):
            for number, language in enumerate(LANGUAGES):
                self.look(f"/{language}{path}", status, with_axe=(place + turn + number) % len(LANGUAGES) == 0)

    def check(self, name: str, *, with_axe: bool = True) -> None:
        """Hold the page as it is now to everything."""
        found = []
        if with_axe:
            self.page.evaluate(Axe().axe_script)
            found = self.page.evaluate(f"axe.run({json.dumps(AXE)}).then((results) => results.violations)")
        self.faults += [f"axe: {each['id']} {each['nodes'][0]['html'][:200]} {each['help']}" for each in found]
        wide = self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        if wide > 0:
            self.faults.append(f"{wide} pixels too wide")
        if SHOTS:
            file = re.sub(r"[^a-z0-9]+", "-", f"{name}-{self.width}-{self.scheme}".lower()).strip("-")
            Path(SHOTS).mkdir(parents=True, exist_ok=True)
            self.page.screenshot(path=f"{SHOTS}/{file}.png", full_page=True)
        assert not self.faults, f"{name} at {self.width}, {self.scheme}: {self.faults}"

    def close(self) -> None:
        self.context.close()


@contextlib.contextmanager
def looking(
    browser: Browser, base: str, width: Width = 1280, scheme: Scheme = "light", **options: Any
) -> Iterator[Looking]:
    window = Looking(browser, base, width, scheme, **options)
    try:
        yield window
    finally:
        window.close()
