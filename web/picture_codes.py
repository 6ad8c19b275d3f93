"""`POST /decode`: the texts of the codes in a picture, for browsers that cannot read codes themselves.

A picture is decoded in a process of its own, which ends after a time; nothing of it is kept. What the codes of a
certificate hold is public.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import warnings
from typing import Final

import msgspec
from aiohttp import web

from node.worker_pool import WorkerLost, WorkerPool
from web import headers
from web.passing import problem

PICTURE_BYTES_MAX: Final = 4 * 1024 * 1024
PIXELS_MAX: Final = 25_000_000
"""A picture of a telephone's camera has 12 to 24 million."""
DECODE_S: Final = 2.0
"""After this the process is killed; on a slow machine 25 million pixels take about a quarter of it."""
PICTURES_WAITING_MAX: Final = 4
CODES_MAX: Final = 16
FORMATS: Final = ("PNG", "JPEG", "WEBP")


def codes_in(picture: bytes) -> bytes:
    """The texts of the QR codes in a PNG, JPEG or WebP, as a JSON list. None are found in what is no such picture, or
    has more than `PIXELS_MAX` pixels. Runs in the worker process."""
    import zxingcpp
    from PIL import Image

    with contextlib.suppress(OSError, ValueError, SyntaxError, Image.DecompressionBombError), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        opened = Image.open(io.BytesIO(picture), formats=FORMATS)
        if opened.width * opened.height <= PIXELS_MAX:
            found = zxingcpp.read_barcodes(
                opened.convert("L"), formats=zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.QRCode)
            )
            return msgspec.json.encode([each.text for each in found[:CODES_MAX] if each.valid])
    return b"[]"


class Pictures:
    """The route, and the process behind it."""

    def __init__(self) -> None:
        self._pool = WorkerPool(1, codes_in, silence_s=DECODE_S, attempts=1)
        self._waiting = 0

    def close(self) -> None:
        self._pool.close()

    def add_to(self, app: web.Application) -> None:
        app.router.add_post("/decode", self._decode)

    async def _decode(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
            return problem(403, "other_origin", "pictures are decoded for pages of this origin")
        if self._waiting >= PICTURES_WAITING_MAX:
            return problem(503, "overloaded", "too many pictures wait", **{"Retry-After": "2"})
        self._waiting += 1
        try:
            picture = await _limited(request)
            if picture is None:
                return problem(413, "too_large", f"a picture has at most {PICTURE_BYTES_MAX} bytes")
            found: bytes = await asyncio.wrap_future(self._pool.submit(picture))
            texts = msgspec.json.decode(found, type=list[str])
        except WorkerLost:
            texts = []
        finally:
            self._waiting -= 1
        if not texts:
            return problem(422, "no_code_found", "no code was found in the picture")
        return web.json_response({"texts": texts}, headers={"Cache-Control": headers.NOT_KEPT})


async def _limited(request: web.Request) -> bytes | None:
    """The body; None above `PICTURE_BYTES_MAX`."""
    body = bytearray()
    async for chunk in request.content.iter_chunked(65_536):
        body += chunk
        if len(body) > PICTURE_BYTES_MAX:
            return None
    return bytes(body)
