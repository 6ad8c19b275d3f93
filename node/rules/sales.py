"""Conditions of a car in a sale: whether each leaves an operation free, has to be disclosed or agreed to, or blocks
it."""

from typing import Final, NamedTuple

SALE_OPERATIONS: Final = ("list", "offer_accept", "handover", "transfer")
SALE_EFFECTS: Final = ("free", "disclosed", "acknowledged", "trade_only", "blocked")
"""Effects of a condition on an operation, the mildest first. `free` at `offer_accept`: the disclosure root covers the
condition, and both parties sign the root. `disclosed`: the listing or the transfer must name it. `acknowledged`: the
buyer agrees to it in a transaction of its own, unless it was known at acceptance. `trade_only`: free only for buyers
with a role of `trade`."""
SALE_DISCLOSURES: Final = ("odometer", "unroadworthy", "duty", "total_loss")
"""Disclosures that a listing or a transfer can make."""
DUTIES: Final = ("structural_release", "rebuild", "retest")
"""Acts that must precede a car's handover: an inspection of the structure, one of the rebuilt car, a retest."""


class SaleRule(NamedTuple):
    """The rule of one condition: its effect on each operation of `SALE_OPERATIONS`. `discloses`: the disclosure that
    `disclosed` asks for, or empty. `trade`: roles of the buyer for which `trade_only` is free."""

    effects: tuple[str, str, str, str]
    discloses: str = ""
    trade: tuple[str, ...] = ()


_SHOWN: Final = SaleRule(("free", "free", "free", "free"))
_AGREED: Final = SaleRule(("free", "free", "acknowledged", "free"))
_ODOMETER: Final = SaleRule(("disclosed", "disclosed", "acknowledged", "disclosed"), "odometer")
_DUTY: Final = SaleRule(
    ("disclosed", "free", "blocked", "trade_only"), "duty", ("insurer", "dismantler", "dealer")
)  # fmt: skip
_UNROADWORTHY: Final = SaleRule(("disclosed", "free", "blocked", "free"), "unroadworthy")
_BUYERS_OF_WRECKS: Final = ("dealer", "insurer", "dismantler")

SALE_RULES: Final[dict[str, SaleRule]] = {
    "verdict_illogical": _ODOMETER,
    "verdict_contested": _ODOMETER,
    "brand_open": _AGREED,
    "alert_confirmed": _AGREED,
    "registration_claim": _AGREED,
    "alert_reported": _SHOWN,
    "dispute_open": _SHOWN,
    "duty_structural_release": _DUTY,
    "duty_rebuild": _DUTY,
    "retest_overdue": _UNROADWORTHY,
    "unroadworthy": _UNROADWORTHY,
    "recall_stop_drive": SaleRule(("free", "free", "blocked", "free")),
    "recall_park_outside": _AGREED,
    "recall_safety": _AGREED,
    "recall_compliance": _SHOWN,
    "recall_quality": _SHOWN,
    "total_loss": SaleRule(("disclosed", "free", "trade_only", "free"), "total_loss", _BUYERS_OF_WRECKS),
    "total_loss_provisional": SaleRule(("free", "free", "blocked", "free")),
    "clearance_void": SaleRule(("blocked", "blocked", "blocked", "blocked")),
}
"""Condition of a car -> its rule. `brand_open`: pending or undecided. `clearance_void`: the author of a clearance is
listed in `frauds/all`. Stop-flags block beside this table. Our decision."""
