"""Outcome codes: what the rules derived from a transaction, kept in the vehicle record that it appended."""

from typing import Final, get_args

from node.rules.damage import SEVERITIES
from node.rules.odometer import Verdict

_VERDICTS: Final[dict[str, str]] = {
    "LOGICAL": "the vehicle's readings agree with each other",
    "CONTESTED": "either one of the vehicle's readings is wrong or the odometer was turned back",
    "ILLOGICAL": "two of the vehicle's readings contradict each other",
    "NO_VERDICT": "the vehicle has too few readings for a verdict",
}
assert set(_VERDICTS) == set(get_args(Verdict)), "every verdict has a text"
SELF_REPORTED: Final = "self_reported"
CLAIM_OPENED: Final = "claim_opened"
CLAIM_TAKES_EFFECT: Final = "claim_takes_effect"
CLAIM_OBJECTED: Final = "claim_objected"

OUTCOMES: Final[dict[str, str]] = {
    **{f"severity:{name}": f"the damage was computed to be {name.replace('_', ' ')}" for name in SEVERITIES},
    **{f"verdict:{name}": f"odometer after this record: {text}" for name, text in _VERDICTS.items()},
    CLAIM_OPENED: "the car is registered in another country, which has 30 days to object",
    CLAIM_TAKES_EFFECT: "the country that has the car confirms its export to the country that claims it",
    CLAIM_OBJECTED: "the country that has the car objects to another's claim",
    SELF_REPORTED: "the author reported damage to its own car and has no accreditation for such reports",
}
"""Every outcome code and its meaning. A record has none, one or several of them."""
