"""Steps that are bent: another sender, a missing signature, or a field from somewhere else in the state."""

from __future__ import annotations

from random import Random
from typing import Any

from msgspec.structs import replace

from node.ledger.body import TransactionBody
from node.rules.deals import CANCEL_REASONS
from node.rules.rails import ATTESTATIONS, RAIL_SCHEMES
from support.chain import DAY_MS, HOUR_MS, Chain, address
from support.dealing import BUYERS, PRICES, VINS
from support.life import km
from support.paying import NAMES, Paying, State, Step

CARD_NUMBER = "4111111111111111"


class Bending:
    """The part of a walk that bends steps."""

    chance: Random
    chain: Chain
    paying: Paying
    state: State

    def _bent(self, sender: str, body: TransactionBody, cosigners: tuple[str, ...]) -> Step:
        how = self.chance.random()
        if how < 0.25:
            return self.chance.choice(list(NAMES.values())), body, cosigners
        if how < 0.35:
            return sender, body, cosigners[1:]
        if how < 0.4:
            return sender, body, (*cosigners, "police-1")
        name = self.chance.choice(body.__struct_fields__)
        other = self._other(name, getattr(body, name))
        return sender, body if other is None else replace(body, **{name: other}), cosigners

    def _other(self, name: str, value: Any) -> Any:
        """A value that this field could have, from somewhere else in the state."""
        state, chance = self.state, self.chance

        def ids(family: str) -> bytes:
            return chance.choice([bytes.fromhex(ident) for ident in state[family]] or [bytes(32)])

        match name:
            case "listing" | "order" | "payment" | "mandate" | "case":
                return ids(name)
            case "dispute":
                return ids("order-dispute")
            case "deduction":
                return chance.choice((1, 10**9))
            case "vin":
                return chance.choice(VINS)
            case "price" | "amount":
                return chance.choice((*PRICES, replace(value, currency="USD"), replace(value, amount=1)))
            case "terms":
                return self._other_terms(value)
            case "leg":
                return chance.choice((0, 1, 2, 7, 255))
            case "scheme":
                return chance.choice(RAIL_SCHEMES)
            case "kind":
                return chance.choice(ATTESTATIONS)
            case "reason" if isinstance(value, str) and value in CANCEL_REASONS:
                return chance.choice(CANCEL_REASONS)
            case "round" | "sequence" | "number" | "listing_version":
                return max(0, value + chance.choice((-1, 1)))
            case "kept":
                return chance.choice((1, 10**9))
            case "promises" | "confirms_shared":
                return not value
            case "material_root" | "trade_material_root" | "disclosure_root":
                return chance.randbytes(32)
            case "country":
                return chance.choice(("CN", "DE", "ZZ"))
            case "provider" | "receiver" | "carrier" | "agent":
                return address(chance.choice(list(NAMES.values())))
            case "reference":
                return chance.choice((*self.paying.used[-40:], None))
            case "odometer" | "trade_odometer":
                return km(chance.choice((1, 150, 9_000_000)), chance.choice(("km", "mi")))
            case "event_at_ms" | "expires_at_ms" | "until_ms" | "executed_at_ms":
                return self.chain.now + chance.choice((-400 * DAY_MS, -1, 0, 6 * 60_000, 200 * DAY_MS))
            case "configuration" | "services":
                return (CARD_NUMBER,)
            case "model" | "plant" | "site":
                return "S-" + CARD_NUMBER
        return None

    def _other_terms(self, terms: Any) -> Any:
        """Terms that nobody should agree on, most of the time."""
        chance, first = self.chance, terms.legs[0]
        someone = address(chance.choice((*BUYERS, "bank-1", "dealer-munich", "workshop-hamburg")))
        changes: dict[str, Any] = chance.choice((
            dict(price=replace(terms.price, amount=terms.price.amount + 1)),
            dict(price=replace(terms.price, amount=0)),
            dict(price=replace(terms.price, currency="USD")),
            dict(legs=(replace(first, provider=someone), *terms.legs[1:])),
            dict(legs=(replace(first, rail="bitcoin"), *terms.legs[1:])),
            dict(legs=(replace(first, rail="card"), *terms.legs[1:])),
            dict(legs=(replace(first, due_ms=90 * DAY_MS), *terms.legs[1:])),
            dict(legs=(*terms.legs, first)[-8:]),
            dict(cancel_fee=terms.price.amount),
            dict(contract="private"), dict(finance=None), dict(trade_in=None),
            dict(reserve_ms=HOUR_MS), dict(tax=replace(terms.tax, amount=terms.price.amount + 1)),
        ))  # fmt: skip
        return replace(terms, **changes)
