"""QR codes on a page, as vectors."""

from __future__ import annotations

from typing import Final

import segno
from segno.encoder import DataOverflowError

from wallet.paper.page import INK, Page

QUIET_MODULES: Final = 4
"""Light modules around a code, which ISO/IEC 18004 asks for."""


def draw_code(page: Page, text: str, x: float, y: float, size: float) -> None:
    """The code of a text, with its margin in a square of `size` mm. A quarter of it may be unreadable (level M) where
    that many modules fit in a code, else 7 % (level L)."""
    try:
        code = segno.make_qr(text, error="m", boost_error=False)
    except DataOverflowError:
        code = segno.make_qr(text, error="l", boost_error=False)
    module = size / (len(code.matrix) + 2 * QUIET_MODULES)
    with page.new_path() as path:
        path.style.fill_color = "#000000"
        path.style.stroke_color = None
        for row, modules in enumerate(code.matrix, QUIET_MODULES):
            for start, length in _runs(bytes(modules)):
                left = x + (start + QUIET_MODULES) * module
                path.rectangle(left, y + row * module, length * module, module)
    page.set_text_color(*INK)


def _runs(modules: bytes) -> list[tuple[int, int]]:
    """(start, length) of each run of dark modules."""
    found, at = list[tuple[int, int]](), 0
    for part in modules.split(b"\x00"):
        if part:
            found.append((at, len(part)))
        at += len(part) + 1
    return found
