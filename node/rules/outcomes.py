"""Outcome codes: what the rules derived from a transaction, kept in the vehicle record that it appended."""

from typing import Final, get_args

from node.rules.damage import SEVERITIES
from node.rules.odometer import Verdict

_VERDICTS: Final[dict[str, str]] = {
    "LOGICAL": "the vehicle's readings agree with each other",
    "CONTESTED": "readings contradict each other, and one mistake would explain it",
    "ILLOGICAL": "readings contradict each other, and no single mistake explains it",
    "NO_VERDICT": "the vehicle's readings tell too little for a verdict",
}
assert set(_VERDICTS) == set(get_args(Verdict)), "every verdict has a text"
SELF_REPORTED: Final = "self_reported"

OUTCOMES: Final[dict[str, str]] = {
    **{f"severity:{name}": f"the damage was computed to be {name.replace('_', ' ')}" for name in SEVERITIES},
    **{f"verdict:{name}": f"odometer after this record: {text}" for name, text in _VERDICTS.items()},
    SELF_REPORTED: "the author reported damage to its own car and has no accreditation for such reports",
}
"""Every outcome code and its meaning. A record has none, one or several of them."""
