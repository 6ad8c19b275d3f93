"""Pages of a certificate: fonts, colours, lines of text, tables. A4, in millimetres."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Final
from xml.sax.saxutils import escape

from fpdf import FPDF
from fpdf.enums import DocumentCompliance

from wallet.paper.phrases import Language, say
from wallet.paper.records import Tone

FONTS: Final = {
    "": Path(__file__).parent / "fonts" / "NotoSansSC-Regular.ttf",
    "B": Path(__file__).parent / "fonts" / "NotoSansSC-SemiBold.ttf",
}
"""Style -> its subset, made by `scripts/paper_fonts.py`."""
LEFT: Final = 20.0
RIGHT: Final = 190.0
TOP: Final = 26.0
BOTTOM: Final = 274.0
WIDTH: Final = RIGHT - LEFT
POINT_MM: Final = 0.352778
LEADING: Final = 1.42
INK: Final = (22, 32, 43)
QUIET: Final = (94, 106, 116)
LINE: Final = (213, 218, 222)
TINT: Final = (241, 245, 249)
ACCENT: Final = (18, 58, 107)
COLOURS: Final[dict[Tone, tuple[int, int, int]]] = {
    "plain": INK, "quiet": QUIET, "good": (24, 110, 68), "warn": (154, 88, 0), "bad": (170, 30, 24),
}  # fmt: skip
_NOT_FIRST: Final = "，。：；、）》！？%,.:;)"
"""What does not begin a line."""
_XMP: Final = """<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:xmp="http://ns.adobe.com/xap/1.0/"
 xmlns:pdfaid="http://www.aiim.org/pdfa/ns/id/" xmp:CreateDate="{time}" xmp:ModifyDate="{time}">
<pdfaid:part>3</pdfaid:part><pdfaid:conformance>B</pdfaid:conformance>
<dc:title><rdf:Alt><rdf:li xml:lang="x-default">{title}</rdf:li></rdf:Alt></dc:title>
</rdf:Description></rdf:RDF></x:xmpmeta>"""


class Page(FPDF):
    """A document of PDF/A-3, level B, whose bytes follow from what is drawn: its time is `time_ms`."""

    def __init__(self, language: Language, title: str, subject: str, time_ms: int) -> None:
        super().__init__(enforce_compliance=DocumentCompliance.PDFA_3B)
        self.language, self.running, self.subject_line = language, title, subject
        self.time = datetime.fromtimestamp(time_ms // 1000, UTC)
        self.set_auto_page_break(False)
        self.set_margin(0)
        for style, path in FONTS.items():
            self.add_font("paper", style, path)
        self.set_creation_date(self.time)
        self.set_title(f"{title} {subject}")
        self.set_lang({"zh": "zh-CN"}.get(language, language))
        self.set_xmp_metadata(_XMP.format(time=self.time.isoformat(), title=escape(f"{title} {subject}")))

    # --- text -------------------------------------------------------------------------------------------------
    def use(self, size: float, colour: tuple[int, int, int] = INK, *, is_bold: bool = False) -> float:
        """Write in this size from now on. The result is the height of a line."""
        self.set_font("paper", "B" if is_bold else "", size)
        self.set_text_color(*colour)
        return size * POINT_MM * LEADING

    def lines(self, text: str, width: float) -> list[str]:
        """The text in lines that are not wider: broken at line feeds, at spaces, between Chinese characters, and
        anywhere in what is too long for a line."""
        found = list[str]()
        for paragraph in text.split("\n"):
            line = ""
            for part in _unbroken(paragraph):
                fits = self.get_string_width(part.rstrip()) <= width
                for piece in [part] if fits else part:
                    if line and self.get_string_width((line + piece).rstrip()) > width:
                        found.append(line.rstrip())
                        line = ""
                    line += piece
            found.append(line.rstrip())
        return found

    def put(self, x: float, y: float, text: str, *, width: float = 0, align: str = "L") -> None:
        """One line, whose top is at `y`, in the current font; with `align` R its end is at `x + width`, with C its
        middle in that of the width."""
        free = width - self.get_string_width(text)
        x += {"L": 0, "C": free / 2, "R": free}[align]
        self.text(x, y + self.font_size * 1.06, text)

    def block(self, x: float, y: float, text: str, width: float, size: float, colour: tuple[int, int, int] = INK, *,
              is_bold: bool = False) -> float:  # fmt: skip
        """A paragraph. The result is its bottom."""
        height = self.use(size, colour, is_bold=is_bold)
        for line in self.lines(text, width):
            self.put(x, y, line)
            y += height
        return y

    def height(self, text: str, width: float, size: float, *, is_bold: bool = False) -> float:
        """The height of a paragraph."""
        return self.use(size, is_bold=is_bold) * len(self.lines(text, width))

    # --- shapes -------------------------------------------------------------------------------------------------
    def rule(self, y: float, colour: tuple[int, int, int] = LINE, width: float = 0.2) -> None:
        self.set_draw_color(*colour)
        self.set_line_width(width)
        self.line(LEFT, y, RIGHT, y)

    def box(self, x: float, y: float, width: float, height: float, colour: tuple[int, int, int] = TINT) -> None:
        self.set_fill_color(*colour)
        self.rect(x, y, width, height, style="F", round_corners=True, corner_radius=1.6)

    def heading(self, y: float, text: str, x: float = LEFT) -> float:
        return self.block(x, y, text, WIDTH, 11, ACCENT, is_bold=True) + 1.2

    def bullets(self, x: float, y: float, texts: Sequence[str], width: float, size: float = 8.6) -> float:
        for text in texts:
            height = self.use(size)
            self.set_fill_color(*ACCENT)
            self.ellipse(x + 0.2, y + height / 2 - 0.55, 1.1, 1.1, style="F")
            y = self.block(x + 3.6, y, text, width - 3.6, size) + 1.1
        return y

    def facts(self, y: float, rows: Sequence[tuple[str, str, Tone]], label_width: float = 46,
              size: float = 9) -> float:  # fmt: skip
        """Names and values, a hairline below each. The result is the bottom."""
        width = WIDTH - label_width
        for name, value, tone in rows:
            is_bold = tone in ("warn", "bad")
            y = self.room(y, self.height(value, width, size, is_bold=is_bold) + 1.8)
            below = self.block(LEFT, y + 0.9, name, label_width - 3, size, QUIET)
            value_below = self.block(LEFT + label_width, y + 0.9, value, width, size, COLOURS[tone], is_bold=is_bold)
            y = max(below, value_below) + 0.9
            self.rule(y)
        return y

    # --- every page -----------------------------------------------------------------------------------------------
    def next_page(self) -> float:
        """Begin a page. The result is where its contents begin."""
        self.add_page()
        if self.page_no() > 1:
            self.use(8, QUIET)
            self.put(LEFT, 14, self.running)
            self.use(8, INK, is_bold=True)
            self.put(LEFT, 14, self.subject_line, width=WIDTH, align="R")
            self.rule(19.5)
        return TOP

    def room(self, y: float, height: float) -> float:
        """`y`, or where the contents of a new page begin if there is less room than `height` below it."""
        return y if y + height <= BOTTOM else self.next_page()

    def number_pages(self, left: str) -> None:
        """Write the foot of every page, once all are drawn."""
        for page in range(1, self.pages_count + 1):
            self.page = page
            self.set_font("paper", "B", 1)  # a font that is in force already is not written again, on another page too
            self.rule(281)
            self.use(7.5, QUIET)
            self.put(LEFT, 283, left)
            text = say(self.language, "page", page=page, pages=self.pages_count)
            self.put(LEFT, 283, text, width=WIDTH, align="R")


def _unbroken(text: str) -> Iterator[str]:
    """The parts of a text between which a line may end."""
    part = ""
    for letter, following in pairwise(f"{text} "):
        part += letter
        is_end = letter == " " or _is_chinese(letter) or _is_chinese(following)
        if is_end and following not in _NOT_FIRST and following != " " and letter not in "（《":
            yield part
            part = ""
    yield part


def _is_chinese(letter: str) -> bool:
    return "\u3000" <= letter <= "\u9fff" or "\uff00" <= letter <= "\uffef"
