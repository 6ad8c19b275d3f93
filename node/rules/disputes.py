"""Disputes about records: who may open one, why, and how it ends. Our decision."""

from typing import Final

DISPUTE_STANDINGS: Final[dict[str, int]] = {"holder": 8, "buyer": 2, "seller": 2, "maker": 1, "bank": 1}
"""Standing -> disputes of it that can be open on one car: none can fill another's places."""
DISPUTE_GROUNDS: Final = (
    "not_this_vehicle", "not_done", "wrong_reading", "wrong_damage", "wrong_date", "duplicate", "false_identity",
    "warranty_rejected", "flag_unfounded",
)  # fmt: skip
DISPUTE_ANSWERS: Final = ("stands", "withdraws", "evidence")
"""What the author of a disputed record answers. `evidence`: it stands, and documents are named."""
DISPUTE_OUTCOMES: Final = ("stands", "amended", "annulled", "undecided")
"""What the arbiters decide. `undecided`: too few votes, or no majority; the record stands."""
DISPUTE_REASONS: Final = (
    "proven", "not_proven", "admitted", "mistake", "wrong_vehicle", "falsified", "contradicted", "not_competent",
)  # fmt: skip
"""Why an arbiter votes as it does."""
