"""External references of payments: each movement of money names its own, once; and a shared UETR is seen."""

from __future__ import annotations

from uuid import UUID

import pytest
from msgspec.structs import replace
from support.chain import address
from support.life import PRICE, Life, attest
from support.selling import (
    BANK,
    PROVIDER,
    begin,
    codes_of,
    euro,
    handing_over,
    leg,
    order_of,
    ordered,
    payment_of,
    tell,
    terms,
)
from support.stages import Case, at, change, table

from node.errors import Malformed
from node.rules.rails import ATTESTATIONS, NEEDS_REFERENCE
from node.txtypes.members.accepted_rail import AcceptedRail
from node.txtypes.payment.references import is_uetr
from node.txtypes.sale.payments import (
    PAYMENT,
    REFERENCE,
    UETR,
    Reference,
    ReferenceUse,
    reference_key,
    uetr_key,
)

ALL = PRICE.amount
ENTRY, OTHER_ENTRY = b"\x01" * 32, b"\x02" * 32
TRANSFER = UUID("11111111-2222-4333-8444-555555555555").bytes
OTHER_TRANSFER = UUID("11111111-2222-4333-8444-555555555556").bytes
BOTH = AcceptedRail("bank_transfer", (address(PROVIDER), address(BANK)))


def naming(kind: str = "settled", entry: bytes | None = ENTRY, uetr: bytes | None = None, amount: int = ALL, **changes):
    """An attestation with a reference, or with none if both are missing."""
    reference = Reference(entry, uetr) if entry is not None or uetr is not None else None
    return lambda life: replace(attest(life.chain, life.payment, kind, amount=euro(amount), **changes),
                                reference=reference)  # fmt: skip


def named(life: Life, sender: str = PROVIDER, *args, **kwargs) -> list[str]:
    return codes_of(life, sender, naming(*args, **kwargs)(life))


def do(life: Life, sender: str = PROVIDER, *args, **kwargs) -> None:
    life.chain.do(sender, naming(*args, **kwargs)(life))


def used(*args, sender: str = PROVIDER, **kwargs):
    return lambda life: do(life, sender, *args, **kwargs)


def on(rail: str):
    return lambda life: change(life.chain, PAYMENT, life.payment, rail=rail)


# --- form --------------------------------------------------------------------------------------------------
@table(
    Case("an entry", "paying", PROVIDER, naming()),
    Case("an entry and its UETR", "paying", PROVIDER, naming(uetr=TRANSFER)),
    Case("no reference", "paying", PROVIDER, naming(entry=None), ("reference_missing",)),
    Case("a UETR alone", "paying", PROVIDER, naming(entry=None, uetr=TRANSFER), ("reference_missing",)),
    Case("what is pending, by an entry", "paying", PROVIDER, naming("pending")),
    Case("what is pending, by a UETR", "paying", PROVIDER, naming("pending", None, TRANSFER)),
    Case("what is pending, by nothing", "paying", PROVIDER, naming("pending", None), ("reference_missing",)),
    Case("what failed has none", "paying", PROVIDER, naming("failed"), ("payment_reference_form",)),
    Case("no UUID", "paying", PROVIDER, naming(uetr=bytes(16)), ("payment_reference_form",)),
    Case("a UETR of an instant transfer", "paying", PROVIDER, naming(uetr=TRANSFER), before=on("instant_transfer")),
    Case("a UETR of a credit", "paying", PROVIDER, naming(uetr=TRANSFER), ("role_missing", "payment_reference_form"),
         before=on("finance")),
    Case("the same entry again", "paying", PROVIDER, naming(amount=1), ("reference_used",), before=used(amount=1)),
    Case("another entry", "paying", PROVIDER, naming(entry=OTHER_ENTRY, amount=1), before=used(amount=1)),
    Case("the same UETR under another entry", "paying", PROVIDER, naming(entry=OTHER_ENTRY, uetr=TRANSFER, amount=1),
         ("reference_used",), before=used(uetr=TRANSFER, amount=1)),
    Case("what went back by the entry of what came", "paying", PROVIDER, naming("returned", amount=1),
         ("reference_used",), before=used(amount=1)),
    Case("what was pending by the same entry", "paying", PROVIDER, naming(), before=used("pending")),
    Case("what was pending by the same UETR", "paying", PROVIDER, naming(uetr=TRANSFER),
         before=used("pending", None, TRANSFER)),
    Case("pending twice by one UETR", "paying", PROVIDER, naming("pending", None, TRANSFER, 1), ("reference_used",),
         before=used("pending", None, TRANSFER, 1)),
)  # fmt: skip
def test_references(case: Case) -> None:
    assert case.codes == case.run()


@pytest.mark.parametrize("kind", ATTESTATIONS)
def test_every_movement_of_money_names_its_own_reference(kind: str) -> None:
    """Whatever else is wrong with the step."""
    life = at("paid")
    is_needed = kind in NEEDS_REFERENCE
    assert is_needed == ("reference_missing" in named(life, PROVIDER, kind, None))
    assert is_needed != ("payment_reference_form" in named(life, PROVIDER, kind, OTHER_ENTRY))
    assert is_needed == (kind not in ("authorised", "voided", "failed"))


@pytest.mark.parametrize(
    ("raw", "is_one"),
    [
        (TRANSFER, True),
        (UUID("5ab1c2d0-8a3f-4a91-b3a1-0c1d2e3f4a5b").bytes, True),
        (bytes(16), False),
        (UUID("11111111-2222-1333-8444-555555555555").bytes, False),
        (UUID("11111111-2222-4333-c444-555555555555").bytes, False),
        (UUID("11111111-2222-4333-b444-555555555555").bytes, True),
    ],
)
def test_a_uetr_is_a_uuid_of_version_four(raw: bytes, is_one: bool) -> None:
    assert is_one == is_uetr(raw)


@pytest.mark.parametrize(("entry", "uetr"), [(bytes(31), None), (bytes(33), None), (ENTRY, bytes(15)), (ENTRY, b"")])
def test_a_reference_has_the_lengths_of_its_kind(entry: bytes, uetr: bytes | None) -> None:
    life = at("paying")
    with pytest.raises(Malformed, match="reference"):
        life.chain.sign(PROVIDER, naming(entry=entry, uetr=uetr)(life))


# --- once --------------------------------------------------------------------------------------------------
def two_payments(rail: str = "bank_transfer", provider: str = PROVIDER) -> tuple[Life, bytes, bytes]:
    """Payments of two parts, the second one on another rail or by another provider."""
    rails = (BOTH, AcceptedRail("instant_transfer", (address(PROVIDER), address(BANK))))
    life = ordered(terms(leg(10), leg(ALL - 10, rail, provider)), rails=rails)
    return life, begin(life, 0, 10), begin(life, 1, 10)


def about(payment: bytes, entry: bytes = ENTRY, uetr: bytes | None = None, kind: str = "settled"):
    return lambda life: replace(attest(life.chain, payment, kind, amount=euro(10)), reference=Reference(entry, uetr))


@pytest.mark.parametrize(
    ("rail", "provider", "codes"),
    [
        ("bank_transfer", PROVIDER, ["reference_used"]),
        ("instant_transfer", PROVIDER, ["reference_used"]),
        ("bank_transfer", BANK, []),
        ("instant_transfer", BANK, []),
    ],
)
def test_one_transfer_settles_nothing_twice_on_the_rails_of_a_bank_and_no_stranger_uses_a_reference_up(
    rail: str, provider: str, codes: list[str]
) -> None:
    life, first, second = two_payments(rail, provider)
    assert [] == codes_of(life, provider, about(second)(life))
    life.chain.do(PROVIDER, about(first)(life))
    assert codes == codes_of(life, provider, about(second)(life))
    assert [] == codes_of(life, provider, about(second, OTHER_ENTRY)(life))


def test_a_pending_transfer_settles_its_own_payment_only() -> None:
    life, first, second = two_payments()
    life.chain.do(PROVIDER, about(first, ENTRY, TRANSFER, "pending")(life))
    key = reference_key("bank_transfer", address(PROVIDER), "uetr", TRANSFER)
    assert ReferenceUse(first, True) == life.chain.state(REFERENCE, key)
    assert ["reference_used"] * 2 == codes_of(life, PROVIDER, about(second, ENTRY, TRANSFER)(life))
    life.chain.do(PROVIDER, about(first, ENTRY, TRANSFER)(life))
    assert ReferenceUse(first, False) == life.chain.state(REFERENCE, key)
    assert ["reference_used"] * 2 == codes_of(life, PROVIDER, about(first, ENTRY, TRANSFER)(life))


def test_two_in_one_block_are_judged_as_in_two() -> None:
    life, first, second = two_payments()
    run = life.chain.run()
    run.add(life.chain.check(life.chain.sign(PROVIDER, about(first)(life))))
    again = life.chain.check(life.chain.sign(PROVIDER, about(second)(life)))
    assert ["reference_used"] == [guard.code for guard in run.judge(again).unmet_guards]


def test_what_is_refused_uses_nothing_up() -> None:
    life = at("paying")
    assert ["not_the_provider"] == named(life, BANK)
    key = reference_key("bank_transfer", address(PROVIDER), "entry", ENTRY)
    assert life.chain.state(REFERENCE, key) is None
    do(life)
    assert ReferenceUse(life.payment, False) == life.chain.state(REFERENCE, key)


def test_reference_keys_are_apart_by_class_provider_kind_and_reference() -> None:
    variants = {
        reference_key(rail, provider, kind, raw)
        for rail in ("card", "bank_transfer", "instant_transfer", "finance")
        for provider in (bytes(20), b"\x01" * 20)
        for kind in ("entry", "uetr")
        for raw in (b"a", b"b")
    }
    assert 3 * 2 * 2 * 2 == len(variants), "the rails of a bank are one class"
    assert uetr_key(TRANSFER) not in variants


# --- a transfer that two providers have seen ------------------------------------------------------------------
def shared() -> Life:
    life, first, second = two_payments("bank_transfer", BANK)
    life.chain.do(PROVIDER, about(first, ENTRY, TRANSFER)(life))
    assert ReferenceUse(first, False) == life.chain.state(UETR, uetr_key(TRANSFER))
    life.chain.do(BANK, about(second, OTHER_ENTRY, TRANSFER)(life))
    assert (False, True) == (payment_of(life, first).shared, payment_of(life, second).shared)
    life.payment = second
    return life


def test_a_transfer_that_two_providers_have_seen_is_handed_over_only_if_both_parties_know() -> None:
    life = shared()
    assert ["payment_not_final", "reference_shared"] == handing_over(life)
    assert ["payment_not_final"] == handing_over(life, confirms_shared=True)
    life.payment = begin(life, 1, ALL - 20)
    life.chain.do(
        BANK, replace(attest(life.chain, life.payment, amount=euro(ALL - 20)), reference=Reference(b"\3" * 32, None))
    )
    assert ["reference_shared"] == handing_over(life)
    assert [] == handing_over(life, confirms_shared=True)


def test_one_provider_shares_no_transfer_with_itself() -> None:
    life = at("paying")
    do(life, PROVIDER, "pending", None, TRANSFER, 5)
    do(life, PROVIDER, "settled", ENTRY, TRANSFER, 5)
    do(life, PROVIDER, "settled", OTHER_ENTRY, OTHER_TRANSFER, ALL - 5)
    assert not payment_of(life).shared
    assert [] == handing_over(life)


def test_a_payment_that_got_another_provider_uses_the_new_ones_references() -> None:
    life = at("paying")
    do(life, PROVIDER, "pending", ENTRY, None, 5)
    change(life.chain, PAYMENT, life.payment, provider=address(BANK))
    assert [] == named(life, BANK, "settled", ENTRY, None, 5)
    assert ["not_the_provider"] == named(life, PROVIDER, "settled", ENTRY, None, 5)
    tell(life, "settled", 5)
    assert 5 == order_of(life).net
