"""A reader of the verifier: what the badge of a car's page and the page /verify have come to."""

from __future__ import annotations

import json
import urllib.request
from typing import Any, Final

from playwright.sync_api import Page

from node.certificates.build import Certificates, packed
from support.browsing import Looking
from support.life import VIN
from support.lying import LyingNode

CAR: Final = f"/en/verify/{VIN}"
HISTORY: Final = f"/v1/vehicles/{VIN}/history"
CERTIFICATE: Final = f"/v1/vehicles/{VIN}/certificate"
ENDED: Final = ":is([data-state=done],[data-state=refused],[data-state=unreachable])"


def ended(page: Page) -> tuple[str, str, str]:
    """(state, code, sentence) of the badge when it has come to an end."""
    element = page.wait_for_selector(f"bmw-verify{ENDED}")
    assert element is not None
    sentence = (page.text_content("bmw-verify [role=status]") or "").strip()
    return element.get_attribute("data-state") or "", element.get_attribute("data-code") or "", sentence


def badge(window: Looking, path: str = CAR) -> tuple[str, str, str]:
    return ended(window.at(path))


def certificate(node: LyingNode) -> bytes:
    chain = node.honest.chain
    raw = Certificates(chain.genesis, chain.store, chain.store.proof).history(VIN, lambda _: "whole")
    assert raw is not None
    return packed(raw)


def give(page: Page, name: str, *files: bytes, media: str = "application/octet-stream") -> None:
    """Choose files in the verifier."""
    page.wait_for_selector("bmw-check[data-state]")
    page.set_input_files("#file", [{"name": name, "mimeType": media, "buffer": file} for file in files])


def result(page: Page, state: str, code: str = "") -> str:
    """The sentence of the verifier when it has come to this state and code."""
    page.wait_for_selector(f'bmw-check[data-state={state}][data-code="{code}"]')
    return (page.text_content("[data-part=result]") or "").strip()


def history(node: LyingNode) -> list[Any]:
    with urllib.request.urlopen(node.url + HISTORY) as answer:
        found: list[Any] = json.load(answer)["records"]
    return found
