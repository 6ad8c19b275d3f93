"""Rails: ways of paying outside this chain, what a provider may attest on each, and when the money is final."""

from typing import Final, Literal, NamedTuple, get_args

from node.limits import DAY_MS

Rail = Literal["card", "bank_transfer", "instant_transfer", "bitcoin", "ether", "finance", "trade_in"]
RAILS: Final[tuple[Rail, ...]] = get_args(Rail)
Attestation = Literal[
    "authorised", "voided", "captured", "pending", "settled", "failed", "returned", "refunded", "charged_back",
    "represented",
]  # fmt: skip
ATTESTATIONS: Final[tuple[Attestation, ...]] = get_args(Attestation)
"""What a provider attests of a payment. Each adds to one of the payment's counters. `voided`: an authorisation was
given back; `returned`: the receiving side sent a transfer back; `represented`: the seller won back a charge-back."""
MONEY_BACK: Final[frozenset[str]] = frozenset({"voided", "failed", "returned", "refunded", "charged_back"})
"""Attestations that money did not come or went back. A provider whose role has ended may still make them."""
NEEDS_REFERENCE: Final[frozenset[str]] = frozenset({
    "captured", "pending", "settled", "returned", "refunded", "charged_back", "represented",
})  # fmt: skip
"""Attestations of a movement of money. Each names its own external reference."""
NEEDS_CODE: Final[frozenset[str]] = frozenset({"failed", "returned", "charged_back"})
"""Attestations that state a reason, a code of `rules.payment_codes`."""


class RailRule(NamedTuple):
    """The rule of one rail. `attested`: what a provider may attest on it. `currencies`: those that it carries, none for
    any. `schemes`: the scheme to the countries of the providers that take part in it, none for any."""

    attested: frozenset[str]
    schemes: dict[str, frozenset[str]]
    currencies: frozenset[str] = frozenset()


SEPA_COUNTRIES: Final = frozenset(
    [
        "AD",
        "AL",
        "AT",
        "BE",
        "BG",
        "CH",
        "CY",
        "CZ",
        "DE",
        "DK",
        "EE",
        "ES",
        "FI",
        "FR",
        "GB",
        "GR",
        "HR",
        "HU",
        "IE",
        "IS",
        "IT",
        "LI",
        "LT",
        "LU",
        "LV",
        "MC",
        "MD",
        "ME",
        "MK",
        "MT",
        "NL",
        "NO",
        "PL",
        "PT",
        "RO",
        "RS",
        "SE",
        "SI",
        "SK",
        "SM",
        "VA",
    ]
)
"""Countries of the SEPA payment schemes: European Payments Council, EPC409-09, list of 2025."""
_ANYWHERE: Final[frozenset[str]] = frozenset()
_EUR: Final = frozenset({"EUR"})

RAIL_RULES: Final[dict[str, RailRule]] = {
    "card": RailRule(
        frozenset(["authorised", "voided", "captured", "settled", "failed", "refunded", "charged_back", "represented"]),
        dict.fromkeys(("visa", "mastercard", "amex", "unionpay", "jcb", "discover", "girocard"), _ANYWHERE),
    ),
    "bank_transfer": RailRule(
        frozenset(["pending", "settled", "failed", "returned", "refunded"]),
        {"sct": SEPA_COUNTRIES, "target": SEPA_COUNTRIES, "swift": _ANYWHERE, "domestic": _ANYWHERE},
    ),
    # ten seconds, then it has happened or not; a recall needs the receiver's consent and so is a refund
    "instant_transfer": RailRule(frozenset({"settled", "failed", "refunded"}), {"sct_inst": SEPA_COUNTRIES}, _EUR),
    # authorised: the credit is approved; returned: the buyer withdrew from the linked credit ((EU) 2023/2225)
    "finance": RailRule(
        frozenset(["authorised", "voided", "settled", "failed", "returned", "refunded"]),
        dict.fromkeys(("credit", "lease"), _ANYWHERE),
    ),
    "trade_in": RailRule(frozenset(), {}),  # the handover settles it
    "bitcoin": RailRule(frozenset(), {}),
    "ether": RailRule(frozenset(), {}),
}
UNPROVEN_RAILS: Final[frozenset[str]] = frozenset({"bitcoin", "ether"})
"""Rails whose payments the chain can't prove yet. Attested coins would be a loss waiting to happen: they are
refused."""
RAIL_SCHEMES: Final = tuple(dict.fromkeys(scheme for rule in RAIL_RULES.values() for scheme in rule.schemes))

CardCheck = Literal["challenge", "frictionless", "exempt"]
CARD_CHECKS: Final[tuple[CardCheck, ...]] = get_args(CardCheck)
"""How the card holder was authenticated ((EU) 2018/389): by an act of his own, by data alone, or not at all."""
CARD_FINAL_AFTER_MS: Final[dict[str, int]] = {"challenge": 0, "frictionless": 14 * DAY_MS, "exempt": 14 * DAY_MS}
"""Time after settlement from which card money counts for the title. Our decision: most disputed payments without
the holder's own act are disputed within two weeks."""
CARD_REVERSIBLE_MS: Final = 120 * DAY_MS
"""Time after settlement in which a card payment can be charged back, by the rules of the large schemes. A charge-back
after the handover is a claim between the parties and never moves the title back."""
AUTHORISATION_MAX_MS: Final = 30 * DAY_MS
"""The longest validity of a card authorisation."""
REPRESENTMENTS_MAX: Final = 2
"""How often a charge-back is represented: the schemes know two rounds before arbitration."""
