"""Disputes about records: who may open one, why, and its outcomes. Our decision."""

from typing import Final

DISPUTE_STANDINGS: Final[dict[str, int]] = {"holder": 8, "buyer": 2, "seller": 2, "maker": 1, "bank": 1}
"""Number of disputes that can be open on one car, by the standing of their opener. Each standing has its own places, so
no other can fill them."""
DISPUTE_GROUNDS: Final = (
    "not_this_vehicle", "not_done", "wrong_reading", "wrong_damage", "wrong_date", "duplicate", "false_identity",
    "warranty_rejected", "flag_unfounded",
)  # fmt: skip
READING_SPARED: Final = ("wrong_damage", "warranty_rejected", "flag_unfounded")
"""Grounds that say nothing of the record's reading: a decision on one of them lets nobody take it back."""
DISPUTE_ANSWERS: Final = ("stands", "withdraws", "evidence")
"""Answers of the author of a disputed record. `evidence`: the record is right, and documents are named."""
DISPUTE_OUTCOMES: Final = ("stands", "amended", "annulled", "undecided")
"""Outcomes of a dispute. `undecided`: too few arbiters voted, or there was no majority; the record remains valid."""
DISPUTE_REASONS: Final = (
    "proven", "not_proven", "admitted", "mistake", "wrong_vehicle", "falsified", "contradicted", "not_competent",
)  # fmt: skip
"""Reasons of an arbiter's vote."""
