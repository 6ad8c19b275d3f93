"""The page that Prometheus reads, read strictly."""

from __future__ import annotations

import re

SAMPLE = re.compile(r"(?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(?P<labels>.*)\})? (?P<value>\S+)")
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)')


def prometheus(text: str) -> dict[tuple[str, str], float]:
    """The text format 0.0.4: help text and type come before the samples, no series comes twice."""
    assert text.endswith("\n")
    kinds: dict[str, str] = {}
    helped = ""
    found: dict[tuple[str, str], float] = {}
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name not in kinds, f"{name} is typed twice"
            assert kind in ("counter", "gauge")
            assert name == helped, f"{name}: no help text before its type"
            kinds[name] = kind
        elif line.startswith("# HELP "):
            _, _, helped, help_text = line.split(" ", 3)
            assert help_text
        else:
            match = SAMPLE.fullmatch(line)
            assert match is not None, line
            labels = match["labels"] or ""
            assert "" == LABEL.sub("", labels), line
            assert match["name"] in kinds, f"{line}: no type before it"
            assert (kinds[match["name"]] == "counter") == match["name"].endswith("_total"), line
            assert (match["name"], labels) not in found, line
            found[match["name"], labels] = float(match["value"])
    return found
