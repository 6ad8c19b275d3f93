"""What the modules of a release need of it, a JSON file for each language: the trust root, and texts.

The texts are those that pages, papers and guards have. `badge` is for `<bmw-verify>`, `verifier` for `<bmw-check>`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from node.rules.texts.form import Text, Texts
from node.rules.texts.tables import TEXTS
from wallet.paper.kinds import EXISTENCE, KINDS, ORDER_STATES, VERDICTS
from wallet.paper.phrases import PHRASES
from web.words import CATALOGUE, TAGS, Tag

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


def module_files(root: Mapping[str, Any]) -> dict[str, bytes]:
    """The files by their paths below `/static/<release>/`. `root`: the checkpoint document of the trust root."""
    badge = _own("badge")
    refusals = {key.removeprefix(_REFUSAL): badge.pop(key) for key in list(badge) if key.startswith(_REFUSAL)}
    phrases = {f"fact_{code.replace(' ', '_')}": PHRASES[code] for code in OF_PAPER}
    codes = {table: TEXTS[table] for table in TABLES}
    codes |= {"existence": EXISTENCE, "kinds": KINDS, "order_states": ORDER_STATES, "verdicts": VERDICTS}
    codes["refusals"] = refusals
    verifier = _own("verifier") | phrases | {"unsupported": badge["unsupported"]}
    files = {}
    for tag in TAGS:
        files[f"texts/badge.{tag}.json"] = _file(tag, root, badge, {"refusals": refusals})
        files[f"texts/verifier.{tag}.json"] = _file(tag, root, verifier, codes)
    return files


def _own(name: str) -> dict[str, Text]:
    """The texts of a catalogue's file."""
    return {key.removeprefix(f"{name}."): text for key, text in CATALOGUE.items() if key.startswith(f"{name}.")}


def _file(tag: Tag, root: Mapping[str, Any], texts: Texts, codes: Mapping[str, Texts]) -> bytes:
    def said(found: Texts) -> dict[str, str]:
        return {code: text[TAGS.index(tag)] for code, text in sorted(found.items())}

    document = {"root": root, "texts": said(texts), "codes": {table: said(found) for table, found in codes.items()}}
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
