"""What a car's state means for its sale: which condition blocks which step, or has to be disclosed for it."""

from __future__ import annotations

from typing import Final, Literal, get_args

Condition = Literal[
    "odometer_illogical", "odometer_contested", "duty_open", "unroadworthy", "recall_stop_drive", "total_loss",
    "total_loss_provisional", "clearance_void",
]  # fmt: skip
Disclosure = Literal["odometer", "duty", "unroadworthy", "total_loss"]
DISCLOSURES: Final[tuple[str, ...]] = get_args(Disclosure)
"""What a seller can say of a car in a listing or a transfer."""
Consequence = Literal["free", "disclosed", "to_trader", "blocked"]
"""`disclosed`: only if the seller says so and, in an order, the buyer has agreed to it. `to_trader`: only to a dealer,
an insurer or a dismantler."""
TRADERS: Final = ("dealer", "insurer", "dismantler")

DISCLOSED_AS: Final[dict[Condition, Disclosure]] = {
    "odometer_illogical": "odometer", "odometer_contested": "odometer", "duty_open": "duty",
    "unroadworthy": "unroadworthy", "total_loss": "total_loss",
}  # fmt: skip
"""Condition to the disclosure that covers it; one without has none."""


def _row(listing: Consequence, handover: Consequence, transfer: Consequence) -> dict[str, Consequence]:
    """Offer and acceptance follow the listing: its version is what they name."""
    return {"list": listing, "offer": listing, "accept": listing, "handover": handover, "transfer": transfer}


SALE_CONDITIONS: Final[dict[Condition, dict[str, Consequence]]] = {
    "odometer_illogical": _row("disclosed", "disclosed", "disclosed"),
    "odometer_contested": _row("disclosed", "disclosed", "disclosed"),
    # structural repair that nobody has released, or a rebuild that nobody has inspected: traders know what they buy
    "duty_open": _row("disclosed", "blocked", "to_trader"),
    # a buyer drives away after the handover; traders may move the car on a trailer
    "unroadworthy": _row("disclosed", "blocked", "free"),
    "recall_stop_drive": _row("free", "blocked", "free"),
    "total_loss": _row("disclosed", "to_trader", "free"),
    # one insurer says so, and for 30 days nobody hands the car to a buyer who may not know
    "total_loss_provisional": _row("free", "blocked", "free"),
    # the author of an act that cleared the car was revoked for fraud: the act must be done again first
    "clearance_void": _row("blocked", "blocked", "blocked"),
}
"""Condition to the consequence for each step of a sale."""
