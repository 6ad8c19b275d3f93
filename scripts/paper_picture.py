"""The picture of a certificate on paper in docs/CERTIFICATES.md: a page in each of its languages.

PYTHONPATH=tests python scripts/paper_picture.py docs/certificate.png
"""

from __future__ import annotations

import sys
from pathlib import Path

import pypdfium2
from PIL import Image
from support.life import VIN
from support.papers import FORMS, eventful_life, history_file

from wallet.paper.document import paper_of
from wallet.paper.phrases import Language

PAGES: tuple[tuple[Language, int], ...] = (("en", 0), ("de", 1), ("zh", 2))
SCALE = 1.0
MARGIN = 8


def main(target: Path) -> None:
    life = eventful_life()
    file, root = history_file(life.chain, FORMS)
    url = f"https://node.example/v1/vehicles/{VIN}/certificate"
    pages = [
        pypdfium2.PdfDocument(paper_of(file, root, life.chain.now, language, url))[page].render(scale=SCALE).to_pil()
        for language, page in PAGES
    ]
    width, height = pages[0].size
    picture = Image.new("RGB", (len(pages) * (width + MARGIN) + MARGIN, height + 2 * MARGIN), (200, 205, 210))
    for number, page in enumerate(pages):
        picture.paste(page, (MARGIN + number * (width + MARGIN), MARGIN))
    picture.quantize(128).save(target, optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
