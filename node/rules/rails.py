"""Rails: ways of paying outside this chain, the payment statuses of each, and when title may follow."""

from typing import Final, Literal, get_args

Rail = Literal["card", "bank_transfer", "instant_transfer", "bitcoin", "ether", "finance", "trade_in"]
RAILS: Final[tuple[Rail, ...]] = get_args(Rail)
Status = Literal[
    "initiated", "authorised", "captured", "pending", "settled", "failed", "returned", "charged_back", "refunded"
]
STATUSES: Final[tuple[Status, ...]] = get_args(Status)
"""Statuses of a payment. The buyer creates `initiated`; the payment provider attests every other one."""

_CRYPTO: Final = frozenset({"bitcoin", "ether"})
FORBIDDEN_RAILS: Final[dict[str, frozenset[str]]] = {
    "BD": _CRYPTO,  # Bangladesh Bank: Foreign Exchange Regulation Act 1947 (notice of 2017)
    "CN": _CRYPTO,  # People's Bank of China and nine agencies, notice published 24 September 2021
    "DZ": _CRYPTO,  # loi de finances 2018, article 117
    "EG": _CRYPTO,  # law 194 of 2020 (central bank and banking), article 206
    "ID": _CRYPTO,  # currency law 7/2011: payments in rupiah only; Bank Indonesia 19/12/PBI/2017
    "IQ": _CRYPTO,  # Central Bank of Iraq, statement of 2017
    "KW": _CRYPTO,  # Capital Markets Authority, circular 10 of 2023
    "MA": _CRYPTO,  # Office des Changes, notice of 20 November 2017
    "NP": _CRYPTO,  # Nepal Rastra Bank, notice of 2017, repeated 2021
    "RU": _CRYPTO,  # law 259-FZ of 2020, article 14(5): residents may not accept digital currency as payment
    "TN": _CRYPTO,  # Banque Centrale de Tunisie, 2018
    "TR": _CRYPTO,  # regulation on the disuse of crypto assets in payments, 16 April 2021
}
"""Country of the listing -> rails that are forbidden there. An unlisted country has no known prohibition."""


def _rail(**following: str) -> dict[str, frozenset[str]]:
    """The transitions of a rail: every status with the statuses that may follow it, none for those that are not
    named."""
    return {status: frozenset(following.get(status, "").split()) for status in STATUSES}


_ON_CHAIN: Final = _rail(
    initiated="pending settled failed",
    pending="settled failed",  # failed: never mined, double-spent, or reorganised away
    settled="refunded",  # settled: as deep as the provider's policy asks; a refund is a payment back
)

TRANSITIONS: Final[dict[str, dict[str, frozenset[str]]]] = {
    "card": _rail(
        initiated="authorised failed",
        authorised="captured failed",  # failed: voided, or the authorisation lapsed
        captured="settled failed refunded charged_back",
        settled="refunded charged_back",
        charged_back="settled",  # the seller won the representment
    ),
    "bank_transfer": _rail(
        initiated="pending settled failed",
        pending="settled failed returned",
        settled="returned refunded",  # returned: pacs.004 after a recall
    ),
    # ten seconds, then it has happened or not; a recall needs the receiver's consent and so is a refund
    "instant_transfer": _rail(initiated="settled failed", settled="refunded"),
    "bitcoin": _ON_CHAIN,
    "ether": _ON_CHAIN,
    # authorised: the credit is approved; returned: the buyer withdrew from the linked credit ((EU) 2023/2225)
    "finance": _rail(initiated="authorised failed", authorised="settled failed", settled="returned refunded"),
    # pending: the car traded in is promised and valued; settled: it has changed hands; returned: it went back
    "trade_in": _rail(initiated="pending settled failed", pending="settled failed", settled="returned refunded"),
}
"""Rail -> status -> the statuses that may follow. Everything else is refused."""

FINAL_FOR_TITLE: Final[dict[str, frozenset[str]]] = {rail: frozenset({"settled"}) for rail in RAILS}
"""Statuses at which a payment counts towards the price when title moves. A captured card payment does not: capture is
the merchant's claim, the money has not arrived, and clearing can still refuse it. A settled one can still be charged
back; that is a claim between the parties and never moves title back."""

REFERENCE_HIGH_ENTROPY: Final[frozenset[str]] = frozenset({"bank_transfer", "instant_transfer", "bitcoin", "ether"})
"""Rails whose references nobody can guess (UETR, which is a version 4 UUID; outpoint; transaction hash): hashed as they
are. References of the others are keyed with the provider's secret first."""
