"""Orders, payments and listings stay within their bounds: the largest value that their fields leave room for, and what
a party reaches that does nothing but make them grow.
"""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import Any

import msgspec
import pytest
from msgspec import inspect
from support.deals import leg
from support.hostile.checks import BYTES_MAX
from support.life import PRICE, attest
from support.positions import At, Game, Position
from support.specimens import specimen
from support.stages import at

from node import limits
from node.codec import encode
from node.ledger.fields import Money
from node.rules.rails import ATTESTATIONS, RAIL_RULES
from node.txtypes.payment.initiating import PaymentInitiate
from node.txtypes.registry import FAMILIES
from node.txtypes.sale.deal import Fee
from node.txtypes.sale.listing import VERSIONS_MAX
from node.txtypes.sale.order_family import ORDER
from node.txtypes.sale.payments import PAYMENT

STEPS = 10_000
NAMES = ("order", "payment", "listing", "order-claims", "order-dispute", "case")
KINDS = {name: FAMILIES[name].kind for name in NAMES}
OPEN_LISTS = {"configuration": limits.LIST_MAX, "rails": len(RAIL_RULES) + 1, "contracts": 4, "prices": VERSIONS_MAX}
"""Lists of a listing whose length its transactions bound, not the value: each rail is named once."""


def largest_of(kind: inspect.Type, name: str = "") -> int:
    """Bytes of the largest encoding of a type. An integer takes nine bytes at most; an open text is a code."""
    match kind:
        case inspect.Metadata(type=inner):
            return largest_of(inner, name)
        case inspect.StructType(fields=fields, tag=tag):
            head = 3 + (0 if tag is None else len(encode(tag)))
            return head + sum(largest_of(field.type, field.name) for field in fields)
        case inspect.VarTupleType(item_type=item, max_length=most):
            count = OPEN_LISTS[name] if most is None else most
            return 3 + count * largest_of(item, name)
        case inspect.UnionType(types=types):
            return max(largest_of(one, name) for one in types)
        case inspect.LiteralType(values=values):
            return max(len(encode(value)) for value in values)
        case inspect.BytesType(max_length=most):
            return 2 + (32 if most is None else most)
        case inspect.StrType(max_length=most):
            return 2 + (limits.CODE_LENGTH_MAX if most is None else most)
        case inspect.IntType():
            return 9
        case inspect.BoolType() | inspect.NoneType():
            return 1
    raise AssertionError(f"{name}: nothing is known of {kind}")


@pytest.mark.parametrize("name", KINDS)
def test_the_largest_value_is_within_its_bound(name: str) -> None:
    largest = largest_of(inspect.type_info(KINDS[name]))
    assert largest <= BYTES_MAX[name], f"{name}: {largest} bytes"


def test_a_field_without_a_bound_is_seen() -> None:
    class Loose(msgspec.Struct):
        entries: tuple[int, ...]

    with pytest.raises(KeyError):
        largest_of(inspect.type_info(Loose))


def _grown(here: At, order: bytes, chance: Random, move: str) -> Position | list[str]:
    """A step that makes the order or one of its payments grow."""
    found, ids = here.state(ORDER, order), {"order": order}
    terms = found.terms
    payments = [(ident, here.state(PAYMENT, ident)) for ident in found.payments]
    match move:
        case "amend":
            part = terms.price.amount // 8
            legs = tuple(leg(part if n < 7 else terms.price.amount - 7 * part, days=7) for n in range(8))
            fees = tuple(Fee(code, 1) for code in ("TRANSPORT", "REGISTRATION") * 4)
            wider = msgspec.structs.replace(terms, legs=legs, fees=fees, text=chance.randbytes(32))
            return here.after("dealer-munich", specimen("order.amend", here, ids, terms=wider), "buyer-1")
        case "initiate":
            amount = Money(chance.choice((1, 600_000)), "EUR")
            return here.after("buyer-1", PaymentInitiate(order, chance.randrange(len(terms.legs)), "sct", amount))
        case "schedule":
            body = specimen("delivery.schedule", here, ids, window_from_ms=here.now + 1, window_to_ms=here.now + 2)
            return here.after("dealer-munich", body)
        case "dispute":
            return here.after(chance.choice(("buyer-1", "dealer-munich")), specimen("order.dispute", here, ids))
        case "close" if found.dispute:
            return here.after("bmw", specimen("order.close", here, {"order_dispute": found.dispute}))
        case "attest" | "declare" | "refund" if payments:
            ident, payment = chance.choice(payments)
            amount = Money(chance.choice((1, 1, 1, payment.amount.amount)), "EUR")
            if move != "attest":
                whose = "buyer-1" if move == "declare" else "dealer-munich"
                changes: dict[str, Any] = {} if move == "declare" else dict(amount=amount)
                return here.after(whose, specimen(f"payment.{move}", here, {"payment": ident}, **changes))
            kind = chance.choice(("settled", "returned", "pending", *ATTESTATIONS))
            told = attest(here, ident, kind, chance.randbytes(8), amount=amount)
            return here.after("payment-provider-1", told)
    return []


def test_values_stay_small_after_ten_thousand_steps_that_make_them_grow() -> None:
    life, chance = at("accepted"), Random(1)
    game, largest, taken = Game(life.chain), Counter[str](), Counter[str]()
    position, most = game.begin(), PRICE.amount
    for _ in range(STEPS):
        here = game.at(position)
        move = chance.choice(
            ("amend", "initiate", "schedule", "dispute", "close", *["attest"] * 6, "declare", "refund")
        )
        after = _grown(here, life.order, chance, move)
        if isinstance(after, Position):
            position = after
            taken[move] += 1
            for key in after.changes:
                name = key.partition(b"/")[0].decode()
                if name in KINDS:
                    value = after.changes[key][1]
                    largest[name] = max(largest[name], len(encode(value)))
        elif chance.random() < 0.003:
            position = here.later(here.now + chance.choice((3_600_000, 86_400_000)))
    found = game.at(position).state(ORDER, life.order)
    assert found.net <= 2 * most and len(found.payments) == limits.PAYMENTS_PER_ORDER_MAX
    assert found.deliveries == limits.DELIVERIES_PER_ORDER_MAX and len(found.terms.legs) == 8
    assert taken["attest"] > 50
    assert largest["order"] > 1_000 and largest["payment"] > 800, "they have grown"
    assert [] == [(name, size) for name, size in largest.items() if size > BYTES_MAX[name]]
