"""What a reader can take away of a car: its certificate as a paper, as a file and as codes, and the proof of absence.

The node makes them; the process draws them. They are kept by VIN and height, so that many readers cost one drawing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, NamedTuple

import segno
from aiohttp import web
from segno.encoder import DataOverflowError

from node.certificates.canonical import InvalidCertificateFile
from node.rpc.limiter import is_loopback, party_of
from wallet.paper.document import paper_of
from wallet.paper.phrases import Language
from web import headers
from web.asking import Ask, Drawn, Page, PageProblem
from web.nodes import NodeRefusal
from web.pages.car import Absent, NoQuery, NotForStrangers, car_for, vin_of
from web.share import Overloaded

KEPT_S: Final = 600.0
DRAWN_MAX: Final = 16
"""Papers that wait to be drawn, one after the other. More are answered 503."""
CERTIFICATE: Final = "application/octet-stream"
MODULE: Final = 4
"""Pixels of a module of a code."""
MARGIN: Final = 4
"""Light modules around a code, which ISO/IEC 18004 asks for."""


class Taken(NamedTuple):
    """A file for a reader."""

    body: bytes
    media: str
    name: str = ""
    """That the browser saves it under; empty: it is shown."""


async def paper(ask: Ask) -> Drawn | web.StreamResponse:
    """The certificate as a PDF, with the file attached."""
    ask.query(NoQuery)

    async def draw(vin: str) -> Taken:
        file, site, language = await _file(ask, vin), ask.site, ask.words.tag
        return Taken(await _drawn(ask, file, language), "application/pdf", f"{vin}-{site.chain_id}-{language}.pdf")

    return await _taken(ask, f"pdf-{ask.words.tag}", draw)


async def file(ask: Ask) -> Drawn | web.StreamResponse:
    """The certificate as a file, which proves itself."""
    ask.query(NoQuery)

    async def fetch(vin: str) -> Taken:
        return Taken(await _file(ask, vin), CERTIFICATE, f"{vin}.bmwc")

    return await _taken(ask, "bmwc", fetch)


async def code(ask: Ask) -> Drawn | web.StreamResponse:
    """The state of the car as a code for a camera; as several, one below the other, where one is too small."""
    ask.query(NoQuery)

    async def draw(vin: str) -> Taken:
        return Taken(codes_svg(await _codes(ask, vin)), "image/svg+xml")

    return await _taken(ask, "code", draw)


async def absence(ask: Ask) -> Drawn | web.StreamResponse:
    """The proof that no car with this VIN was born on the chain."""
    ask.query(NoQuery)
    vin = vin_of(ask)

    async def fetch() -> Taken:
        try:
            return Taken(
                await ask.site.nodes.bytes(f"/v1/absence/{vin}", accept=CERTIFICATE), CERTIFICATE, f"{vin}-absent.bmwc"
            )
        except NodeRefusal as refusal:
            if refusal.code == "vehicle_exists":
                raise PageProblem(404, "not_absent", vin=vin) from None
            raise

    _limit(ask)
    return _answer(await ask.site.files.get(("absence", vin, ask.site.nodes.height), fetch, KEPT_S))


def codes_svg(texts: Sequence[str]) -> bytes:
    """Codes as a picture, black on white, each with the margin that readers need."""
    content, top, width = "", 0, 0
    for text in texts:
        try:
            found = segno.make_qr(text, error="m", boost_error=False)
        except DataOverflowError:
            found = segno.make_qr(text, error="l", boost_error=False)
        top += MARGIN
        for y, row in enumerate(found.matrix, top):
            content += "".join(f"M{MARGIN + x} {y}h1v1h-1z" for x, is_dark in enumerate(row) if is_dark)
        top, width = top + len(found.matrix) + MARGIN, max(width, len(found.matrix) + 2 * MARGIN)
    size = f'viewBox="0 0 {width} {top}" width="{width * MODULE}" height="{top * MODULE}"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} shape-rendering="crispEdges">'
        f'<path fill="#fff" d="M0 0h{width}v{top}h-{width}z"/><path d="{content}"/></svg>'
    ).encode()


# --- how they are made and given -----------------------------------------------------------------------------------
async def _file(ask: Ask, vin: str) -> bytes:
    return await ask.site.nodes.bytes(f"/v1/vehicles/{vin}/certificate", {"form": "full"}, CERTIFICATE)


async def _codes(ask: Ask, vin: str) -> list[str]:
    """The texts of the codes. Raises `PageProblem` where the certificate has no compact form."""
    try:
        raw = await ask.site.nodes.bytes(f"/v1/vehicles/{vin}/certificate", {"form": "compact"}, "text/plain")
    except NodeRefusal as refusal:
        if refusal.code == "certificate_unavailable":
            raise PageProblem(404, "no_code") from None
        raise
    return raw.decode("ascii").removesuffix("\n").split("\n")


async def _drawn(ask: Ask, file: bytes, language: Language) -> bytes:
    """The paper, in a thread: it takes about a second."""
    site = ask.site
    if site.drawing.waiting >= DRAWN_MAX:
        raise Overloaded
    async with site.drawing:
        now_ms = max(time.time_ns() // 1_000_000, site.nodes.head_time_ms)  # the chain may be ahead of this clock
        try:
            return await asyncio.to_thread(paper_of, file, site.root, now_ms, language)
        except InvalidCertificateFile as error:
            raise PageProblem(502, "untrue", code=error.code) from None


async def _taken(ask: Ask, kind: str, make: Callable[[str], Awaitable[Taken]]) -> Drawn | web.StreamResponse:
    vin = vin_of(ask)
    _limit(ask)
    try:
        await car_for(ask, vin)
    except Absent:
        return Drawn("car_absent.html", {"vin": vin}, 404)
    except NotForStrangers:
        return Drawn("car_withheld.html", {"vin": vin}, 403)
    key = (kind, vin, ask.site.nodes.height)
    return _answer(await ask.site.files.get(key, lambda: make(vin), KEPT_S))


def _limit(ask: Ask) -> None:
    if is_loopback(ask.client) and not ask.site.settings.limit_loopback:
        return
    if wait := ask.site.file_buckets.take(party_of(ask.client), time.monotonic()):
        raise PageProblem(429, "too_many", seconds=max(1, round(wait)))


def _answer(taken: Taken) -> web.Response:
    told = {"Cache-Control": headers.KEPT}
    if taken.name:
        shown = "inline" if taken.media == "application/pdf" else "attachment"
        told["Content-Disposition"] = f'{shown}; filename="{taken.name}"'
    return web.Response(body=taken.body, content_type=taken.media, headers=told)


PAGES: Final = (
    Page("/car/{vin}/certificate.pdf", paper),
    Page("/car/{vin}/certificate.bmwc", file),
    Page("/car/{vin}/code.svg", code),
    Page("/car/{vin}/absence.bmwc", absence),
)
