"""The texts of the modules: for each language one JSON file, made from the texts that pages, papers and guards have."""

from __future__ import annotations

import json
from typing import Final

from node.rules.texts.form import Text
from node.rules.texts.tables import TEXTS
from wallet.paper.kinds import EXISTENCE, KINDS, ORDER_STATES, VERDICTS
from wallet.paper.phrases import PHRASES
from web.words import CATALOGUE, TAGS, Tag

FILE: Final = "verifier"
_REFUSAL: Final = "refusal_"
TABLES: Final = (
    "alerts", "brand_states", "brands", "cancel_reasons", "import_grades", "recall_classes", "stop_flags",
    "vehicle_origins",
)  # fmt: skip
"""Tables of codes that a verdict has."""
OF_PAPER: Final = (
    "accidents", "alerts", "block", "brands", "cause", "chain", "column author", "column day", "column record",
    "existence", "flags", "fraud", "fraud none", "fraud some", "marked", "model", "none", "odometer", "order",
    "order state", "origin", "payments", "recalls", "root", "root genesis", "root height", "signed", "signed by",
    "timeline", "transfers",
)  # fmt: skip
"""Phrases of certificates on paper that the verifier's facts have, too."""


def module_files() -> dict[str, bytes]:
    """The files by their paths below `/static/<release>/`."""
    return {f"texts/{FILE}.{tag}.json": _file(tag) for tag in TAGS}


def _file(tag: Tag) -> bytes:
    def said(texts: dict[str, Text]) -> dict[str, str]:
        return {key: text[TAGS.index(tag)] for key, text in sorted(texts.items())}

    own = {key.removeprefix(f"{FILE}."): text for key, text in CATALOGUE.items() if key.startswith(f"{FILE}.")}
    texts = {key: text for key, text in own.items() if not key.startswith(_REFUSAL)}
    texts |= {f"fact_{code.replace(' ', '_')}": PHRASES[code] for code in OF_PAPER}
    codes: dict[str, dict[str, Text]] = {table: dict(TEXTS[table]) for table in TABLES}
    codes |= {"existence": dict(EXISTENCE), "kinds": dict(KINDS), "order_states": dict(ORDER_STATES),
              "verdicts": dict(VERDICTS)}  # fmt: skip
    codes["refusals"] = {key.removeprefix(_REFUSAL): text for key, text in own.items() if key.startswith(_REFUSAL)}
    document = {"texts": said(texts), "codes": {table: said(found) for table, found in codes.items()}}
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
