"""An odometer reading as a person types it: 12000km, 7500mi:visual, 12000km,body_computer=11990,tampered."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from node.errors import Malformed
from node.rules.odometer import SOURCES

_ODOMETER = re.compile(rf"([0-9]{{1,7}}) ?(km|mi)(?::({'|'.join(SOURCES)}))?")
_OTHER = re.compile(rf"({'|'.join(SOURCES)})=([0-9]{{1,7}})")
TAMPERED: Final = "tampered"
"""The word for signs of tampering."""


def is_reading(text: str) -> bool:
    """Whether a text is a reading in its friendly form, or means to be one: not JSON, nor `value=12000,unit=km`."""
    return re.match("[0-9]", text) is not None or not re.search("[={]", text)


def parse_odometer(text: str) -> dict[str, Any]:
    """`12000km`, `12000km:visual`, `12000km,body_computer=11990,tampered`. Raises `Malformed`."""
    first, *further = (part.strip() for part in text.split(","))
    parts, others = _ODOMETER.fullmatch(first), [_OTHER.fullmatch(part) for part in further if part != TAMPERED]
    if parts is None or None in others:
        raise Malformed(
            f"{text!r} is not an odometer reading: write 12000km or 7500mi, "
            "and :visual, :telematics or :body_computer if it was not read from the cluster; "
            "further sources follow as 12000km,body_computer=11990, and tampered if it looks so"
        )
    told = [{"source": other[1], "value": int(other[2])} for other in others if other is not None]
    reading = {"value": int(parts[1]), "unit": parts[2], "source": parts[3] or "cluster"}
    signs = {"tamper_sign": True} if TAMPERED in further else {}
    return reading | ({"others": told} if told else {}) | signs


def show_odometer(reading: Mapping[str, Any]) -> str:
    """The strict JSON of a reading in its friendly form."""
    source = "" if reading["source"] == "cluster" else f":{reading['source']}"
    others = (f",{other['source']}={other['value']}" for other in reading.get("others", ()))
    signs = f",{TAMPERED}" if reading.get("tamper_sign") else ""
    return f"{reading['value']}{reading['unit']}{source}{''.join(others)}{signs}"
