"""Deals: the fees, the tax schemes and the contracts of a sale, and the ways in which an order ends without title."""

from typing import Final, Literal, get_args

from node.limits import DAY_MS

FEE_CODES: Final = (
    "REGISTRATION", "TRANSPORT", "PREPARATION", "PLATES", "DOCUMENTS", "EXTENDED_WARRANTY", "FINANCE_COST",
)  # fmt: skip
"""Fees that a price may contain. A fee is a part of the price: nothing is added to it later."""
TAX_SCHEMES: Final = ("standard", "margin", "export", "intra_eu", "private")
"""How a sale is taxed. `margin`: Directive 2006/112/EC, article 313; `private`: the seller is no trader."""
CONTRACTS: Final = ("private", "business", "on_premises", "distance")
"""How a contract is made. `private`: between two who are no traders; `business`: the buyer is a member; `distance`:
also a sale at the consumer's home (Directive 2011/83/EU, articles 2 and 9)."""
LEG_KINDS: Final = ("deposit", "part", "balance", "finance", "trade_in")
"""Parts of a price by their purpose."""

CancelReason = Literal[
    "mutual", "changed_mind", "buyer_default", "late_delivery", "vehicle_changed", "vehicle_lost", "refused",
    "financing_failed", "time_over", "seller_default", "decided",
]  # fmt: skip
CANCEL_REASONS: Final[tuple[CancelReason, ...]] = get_args(CancelReason)
"""Reasons for ending an accepted order without title. State proves every reason, or the one who gives it pays."""
LOST_FLAGS: Final = frozenset({"stolen", "court_hold", "title_dispute"})
"""Stop-flags for which a car counts as lost to the buyer."""

DEFAULT_GRACE_MS: Final = 3 * DAY_MS
"""How long after its due time a missing payment is no default yet."""
DECLARED_MS: Final = 7 * DAY_MS
"""How long a payment that the payer has declared as sent counts as under way, once for each part of the price."""
PENDING_MS: Final = 10 * DAY_MS
"""How long a pending payment counts as under way."""
CURE_MS: Final = 14 * DAY_MS
"""How long the seller has for mending what a buyer has refused the car for."""
RETURN_MS: Final = 21 * DAY_MS
"""How long a buyer who has withdrawn has for bringing the car back: 14 days by law, and a week of room."""
WITHDRAWAL_ROOM_MS: Final = DAY_MS // 2
"""Added to the last day of a withdrawal, which ends with that day wherever the buyer is."""
WITHDRAWAL_UNINFORMED_MS: Final = 365 * DAY_MS
"""How much longer a consumer may withdraw who was not informed of the right (Directive 2011/83/EU, article 10)."""
DEDUCTION_PER_MILLE: Final = 5
"""The deduction for each started 1,000 km of a car that comes back, per mille of its price. Our decision, near the
0.67 per cent of German courts over 150,000 km."""
DEPOSIT_MAX_PER_MILLE: Final = 200
"""The share of the price that may be paid as deposit before a car that is built to order has its VIN."""
PROMISE_MS: Final = 5 * DAY_MS
"""How long a lender whose promise stood for its payment at the handover has for paying."""
CASE_CATEGORIES: Final[dict[str, tuple[int, int]]] = {
    "DELIVERY": (1, 14), "PAYMENT": (1, 14), "REFUND": (1, 14), "DEFECT": (2, 30), "WARRANTY": (2, 30),
    "RECALL": (2, 30), "DATA": (3, 30), "COMPLAINT": (3, 30), "OTHER": (3, 30),
}  # fmt: skip
"""What a customer's case is about, and the days after which the first reply and the outcome are due. Our decision;
for `DATA` the month of (EU) 2016/679, article 12."""
