"""Bodies as JSON: errors name the path of the field."""

from __future__ import annotations

from typing import Any

import pytest
from support.chain import Chain
from support.life import VIN, listing

from node.errors import Malformed
from node.ledger.fields import Money
from node.ledger.json_form import from_json, to_json, union_from_json
from node.txtypes.registry import TYPES
from node.txtypes.sale.negotiation import LiveOffers


def offered(**changes: Any) -> dict[str, Any]:
    return to_json(listing(Chain())) | changes


def refusal(document: Any) -> str:
    with pytest.raises(Malformed) as told:
        union_from_json(TYPES, document, "body")
    return str(told.value)


def test_what_fits_is_read() -> None:
    read = union_from_json(TYPES, offered(price={"amount": "17", "currency": "EUR"}), "body")
    assert (VIN, Money(17, "EUR")) == (read.vin, read.price)


@pytest.mark.parametrize(
    "price",
    [{}, {"amount": "1"}, {"currency": "EUR"}, {"amount": "1", "currency": "EUR", "rate": "2"},
     {"amount": "1.5", "currency": "EUR"}, {"amount": "-1", "currency": "EUR"}, {"amount": "", "currency": "EUR"},
     {"amount": "1" * 17, "currency": "EUR"}, {"amount": None, "currency": "EUR"}],
)  # fmt: skip
def test_money_is_digits_and_a_currency_and_nothing_else(price: dict) -> None:
    assert "body.price: amount (digits of minor units, as a string) and currency expected" == refusal(
        offered(price=price)
    )


@pytest.mark.parametrize("listing_id", ["AB" * 32, "0x" + "ab" * 31, "ab" * 31 + "a", 7, None, ["ab"]])
def test_bytes_are_lower_case_hex(listing_id: Any) -> None:
    assert "body.listing: lower-case hex expected" == refusal({"type": "listing.withdraw", "listing": listing_id})
    assert "body.listing: 32 bytes expected, 1 given" == refusal({"type": "listing.withdraw", "listing": "ab"})


@pytest.mark.parametrize("kind", ["listing.burn", None, 7, ""])
def test_a_type_is_one_of_those_there_are(kind: Any) -> None:
    told = refusal(offered(type=kind))
    assert told.startswith("body.type: one of accident.report, ")
    assert told.endswith(f"expected, {kind!r} given")


def test_what_msgpack_cannot_hold_is_refused() -> None:
    vote = {"type": "governance.propose", "action": {"type": "parameter.set", "name": "block_txs_max", "value": 2**70}}
    assert "beyond 64 bits" in refusal(vote)
    assert "no Unicode" in refusal(offered(vin="\ud800" * 17))


@pytest.mark.parametrize(
    ("offer", "told"),
    [
        ([], r"offers\[0\]: an object expected"),
        ({"order": "ab" * 32}, r"offers\[0\]\.expires_at: missing"),
        ({"order": "ab" * 32, "expires_at": "", "price": 1}, r"offers\[0\]\.price: unknown field"),
        ({"order": "ab", "expires_at": ""}, r"offers\[0\]\.order: 32 bytes expected, 1 given"),
    ],
)
def test_a_struct_in_a_list_is_named_with_its_place(offer: Any, told: str) -> None:
    with pytest.raises(Malformed, match=told):
        from_json(LiveOffers, {"offers": [offer]})
