"""Outcome codes: what the rules derived from a transaction, stored in the vehicle record that it appended."""

from typing import Final, get_args

from node.rules.alerts import ALERTS
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
CLAIM_OPENED: Final = "claim_opened"
CLAIM_TAKES_EFFECT: Final = "claim_takes_effect"
CLAIM_OBJECTED: Final = "claim_objected"
RECALL_BEFORE_ACCEPT: Final = "recall_before_accept"
INCIDENT_JOINED: Final = "incident_joined"
STRUCTURAL: Final = "structural"
PARTS_UNPROVEN: Final = "parts_unproven"
PROVISIONAL: Final = "provisional"
BEFORE_IMPORT: Final = "before_import"

UNPROVEN: Final = "unproven"
NOT_BOUND: Final = "not_bound"
IMPLAUSIBLE: Final = "implausible"
GAP: Final = "gap"
ROLLED_BACK: Final = "rolled_back"


def alert_outcome(code: str) -> str:
    """The outcome code of a record that reports the alert."""
    return f"alert:{code}"


FINDINGS_DIFFER: Final = "findings_differ"
NOT_CLEARED: Final = "not_cleared"
UNPRESENTED: Final = "unpresented"
_INSPECTED: Final = {
    "pass": "passed", "minor": "passed with minor defects", "major": "failed", "dangerous": "failed, dangerous",
}  # fmt: skip

OUTCOMES: Final[dict[str, str]] = {
    **{f"severity:{name}": f"the damage was computed to be {name.replace('_', ' ')}" for name in SEVERITIES},
    **{f"verdict:{name}": f"odometer after this record: {text}" for name, text in _VERDICTS.items()},
    CLAIM_OPENED: "the car is registered in another country, which has 30 days to object",
    CLAIM_TAKES_EFFECT: "the country that has the car confirms its export to the country that claims it",
    CLAIM_OBJECTED: "the country that has the car objects to another's claim",
    RECALL_BEFORE_ACCEPT: "a recall of class compliance is open: the other country registers the car once it is done",
    INCIDENT_JOINED: "the report belongs to an accident that was reported before, and does not count again",
    STRUCTURAL: "the repair concerned load-bearing parts: the car needs an inspection and a release",
    PARTS_UNPROVEN: "an airbag or a load-bearing part was replaced, and the record names no part",
    PROVISIONAL: "one writer says so, without the holder's signature: it counts when nobody disputes it in 30 days",
    BEFORE_IMPORT: "the event was before the car came onto this chain",
    **{f"inspection:{result}": f"the car was inspected: {text}" for result, text in _INSPECTED.items()},
    FINDINGS_DIFFER: "the car passed, and the danger that another inspector found stays: neither a repair of it is "
    "named nor has a second inspector signed",
    NOT_CLEARED: "the car passed, and what is open stays so: a flag, a duty or an earlier fail. What was wrong was not "
    "looked at, in time and by such a list, or the inspector is not independent",
    UNPRESENTED: "nobody has presented the car: a fail is provisional, a pass clears nothing",
    "decided:stands": "the arbiters decided that the disputed record stands",
    "decided:amended": "the arbiters decided that the author is to amend the disputed record",
    "decided:annulled": "the arbiters annulled the disputed record",
    "decided:undecided": "too few arbiters agreed: the disputed record stands, and was not confirmed",
    SELF_REPORTED: "the author reported damage to its own car and has no accreditation for such reports",
    **{alert_outcome(code): f"the record reports the alert {code.replace('_', ' ')}" for code in ALERTS},
    UNPROVEN: "a used part without a donor on this chain",
    NOT_BOUND: "the part or battery was not known to be in this car",
    IMPLAUSIBLE: "the battery's state of health has risen by more than it can without a recalibration",
    GAP: "the software before the update was another than this chain knew",
    ROLLED_BACK: "the software is older than it was",
}
"""Every outcome code and its meaning. A record has none, one or several of them."""


def inspection_outcome(result: str) -> str:
    """The result of an inspection as an outcome code of a record."""
    return f"inspection:{result}"
