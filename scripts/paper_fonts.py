"""The fonts of certificates on paper: subsets of Noto Sans SC with just the characters that a certificate can have.

    python scripts/paper_fonts.py --check             # whether the committed subsets have every character
    python scripts/paper_fonts.py REGULAR SEMIBOLD    # makes them anew of the two whole fonts (TrueType)

The whole fonts are those of Google Fonts, such as the npm package @expo-google-fonts/noto-sans-sc 0.4.3 has them.
"""

from __future__ import annotations

import string
import sys
from pathlib import Path

from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTFont

from node.ledger import kinds
from node.ledger.kinds import fields_of
from node.rules.texts.tables import TEXTS
from node.txtypes.registry import TYPES
from wallet.paper.kinds import BECAME, EXISTENCE, KINDS, ORDER_STATES, VERDICTS
from wallet.paper.page import FONTS
from wallet.paper.phrases import PHRASES
from wallet.paper.records import COUNTRY_TABLES, OUTCOMES

SUMMARY_TABLES = ("alerts", "brand_states", "brands", "cancel_reasons", "import_grades", "recall_classes", "stop_flags",
                  "vehicle_origins")  # fmt: skip


def characters(style: str) -> set[str]:
    """What is written in a style: the semi-bold one has no texts of tables of the ruleset but those of the summary."""
    headlines = {
        item.table
        for kind in TYPES.values()
        for field in fields_of(kind)
        for item in [field.kind.item if isinstance(field.kind, kinds.ListOf) else field.kind]
        if field.json_name in kind.headline and isinstance(item, kinds.CodeOf) and item.table not in COUNTRY_TABLES
    }
    tables = set(SUMMARY_TABLES) | (headlines if style == "" else set())
    texts = [KINDS, VERDICTS, EXISTENCE, ORDER_STATES, BECAME, PHRASES, *(TEXTS[table] for table in tables)]
    texts += [outcomes for outcomes, _ in OUTCOMES.values()]
    written = "".join(text for table in texts for each in table.values() for text in each)
    return set(written + string.ascii_letters + string.digits + string.punctuation + " 公里英里，：；–")


def main(arguments: list[str]) -> int:
    for number, (style, path) in enumerate(FONTS.items()):
        wanted = {ord(letter) for letter in characters(style)}
        if arguments != ["--check"]:
            _subset(Path(arguments[number]), wanted, path)
        lacking = wanted - set(TTFont(path).getBestCmap())
        print(f"{path.name}: {len(wanted)} characters, {path.stat().st_size} bytes")
        if lacking:
            print(f"it lacks {''.join(map(chr, sorted(lacking)))}: make it anew", file=sys.stderr)
            return 1
    return 0


def _subset(source: Path, wanted: set[int], target: Path) -> None:
    options = Options(layout_features=[], hinting=False, notdef_outline=True, name_IDs=[0, 1, 2, 4, 6, 13, 14])
    options.drop_tables += ["GPOS", "GSUB", "GDEF", "BASE", "STAT", "vhea", "vmtx", "meta", "gasp"]
    font = TTFont(source, recalcTimestamp=False)
    subsetter = Subsetter(options)
    subsetter.populate(unicodes=wanted)
    subsetter.subset(font)
    font.save(target)


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1:]))
