"""The account of a party of an order: its balance in each status, since when it is owed, and what arbiters settle."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from msgspec.structs import replace
from support.chain import DAY_MS, address
from support.selling import (
    AGENT,
    BANK,
    BUYER,
    PROVIDER,
    SECOND,
    SELLER,
    answered,
    claims,
    debts,
    euro,
    leg,
    sold_by_card,
    tell,
    vote,
)
from support.stages import at

from node.codec import encode
from node.limits import MONEY_MAX
from node.txtypes.disputes.order_dispute import Decision
from node.txtypes.sale.accounts import (
    account_of,
    account_parties,
    aged,
    balance_of,
    claim_unpaid,
    claims_on_parties,
    credited,
    debts_of,
    final_amount,
    paid_in_all,
    with_taken,
)
from node.txtypes.sale.deal import CLAIM_LEG, Account, Finance, TradeIn
from node.txtypes.sale.order import Order
from node.txtypes.sale.order_body import POSTED_MAX, posted
from node.txtypes.sale.order_family import ORDER
from node.txtypes.sale.payments import Payment

PARTIES = (BUYER, BANK, AGENT)
NOW, ENDED, REFUND_MS = 100 * DAY_MS, 90 * DAY_MS, 14 * DAY_MS
OWN, CREDIT, CAR = 50, 40, 10
SETTLED = Decision("settled", 0, "")


def an_order(status: str, **changes: object) -> Order:
    """An order of 100 cents: 50 by transfer, 40 by a credit, 10 by a car that the seller's agent has taken."""
    life = at("accepted")
    car = TradeIn(SECOND, address(AGENT), 1_000, bytes(32), None)
    parts = (leg(CAR, "trade_in"), leg(OWN), leg(CREDIT, "finance", BANK))
    agreed = replace(
        life.chain.state(ORDER, life.order).terms, price=euro(100), legs=parts, trade_in=car,
        finance=Finance(address(BANK), "buyer", takes_lien=False),
    )  # fmt: skip
    times = dict(until_ms=NOW + 1, hold_until_ms=NOW + 1) if status == "accepted" else dict(ended_at_ms=ENDED)
    return replace(life.chain.state(ORDER, life.order), terms=agreed, status=status, **times | changes)


def paid(amount: int, place: int = 1, **counters: int) -> Payment:
    """A payment of which so much has come."""
    rail, provider = ("finance", BANK) if place == 2 else ("bank_transfer", PROVIDER)
    return Payment(
        bytes(32), place, rail, "sct", address(provider), address(BUYER), euro(amount), 0, 0, settled=amount, **counters
    )  # fmt: skip


def balances(order: Order, *payments: Payment, now_ms: int = NOW) -> list[int]:
    """Of the buyer, the lender and the taker of the car in payment."""
    return [balance_of(order, payments, address(party), now_ms) for party in PARTIES]


# --- balances -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("status", "changes", "expected"),
    [
        ("offered", {}, [0, 0, 0]),
        ("countered", {}, [0, 0, 0]),
        ("rejected", {}, [0, 0, 0]),
        ("accepted", {}, [0, 0, 0]),
        ("accepted", {"until_ms": NOW, "hold_until_ms": NOW}, [OWN, CREDIT, 0]),
        ("cancelled", {}, [OWN, CREDIT, 0]),
        ("cancelled", {"kept": 20, "taken": 20}, [OWN - 20, CREDIT, 0]),
        ("completed", {"lent": CREDIT}, [0, 0, -CAR]),
        ("withdrawn", {"lent": CREDIT}, [0, 0, -CAR]),
        ("completed", {"lent": CREDIT - 5}, [-5, 5, -CAR]),
        ("returned", {"kept": 5}, [OWN - 5, CREDIT, -CAR]),
    ],
)
def test_the_balance_of_each_party_in_each_status_once_all_has_been_paid(
    status: str, changes: dict[str, int], expected: list[int]
) -> None:
    assert expected == balances(an_order(status, **changes), paid(OWN), paid(CREDIT, 2))


def test_nothing_is_due_of_what_was_never_paid_unless_the_title_has_moved() -> None:
    for status in ("offered", "countered", "rejected", "accepted", "cancelled"):
        assert [0, 0, 0] == balances(an_order(status, kept=20)), status
    assert [-OWN, -CREDIT, -CAR] == balances(an_order("completed", lent=CREDIT))


@pytest.mark.parametrize(
    ("was_posted", "came", "balance", "credit"),
    [(0, 0, 0, 0), (-10, 0, 0, -10), (-60, 7, -3, -53), (-10, 10, 0, 0), (-10, 12, 0, 2), (7, 0, 0, 7), (7, 5, 0, 12)],
)
def test_while_an_order_goes_on_what_was_decided_for_the_buyer_counts_as_paid_of_the_price(
    was_posted: int, came: int, balance: int, credit: int
) -> None:
    order = posted(an_order("accepted"), address(BUYER), was_posted)
    money = [paid(OWN), paid(came, CLAIM_LEG)]
    assert [balance, 0, 0] == balances(order, *money)
    assert (credit, OWN + credit, OWN + credit) == (
        credited(order, money), paid_in_all(order, money), final_amount(order, money, NOW)
    )  # fmt: skip
    assert max(0, -credit) == claim_unpaid(order, money, NOW), "also where the price covers it for now"


def test_what_was_posted_counts_for_its_party_alone_once_the_order_has_ended() -> None:
    for status in ("cancelled", "completed", "withdrawn", "returned"):
        order = an_order(status)
        plain = balances(order, paid(OWN))
        for amount in (3, -3):
            assert [plain[0], plain[1] + amount, plain[2]] == balances(posted(order, address(BANK), amount), paid(OWN))
            assert [plain[0], plain[1], plain[2] + amount] == balances(posted(order, address(AGENT), amount), paid(OWN))


@pytest.mark.parametrize(
    ("then", "balance"),
    [
        (paid(30), 10),
        (paid(35), 15),
        (paid(30, refunded=10), 0),
        (paid(30, returned=30), -20),
        (paid(30, charged_back=20), -10),
        (paid(30, charged_back=20, represented=20), 10),
    ],
)
def test_a_fee_that_own_money_has_covered_stays_due_if_the_money_goes_back(then: Payment, balance: int) -> None:
    order = with_taken(an_order("cancelled", kept=20), [paid(30), paid(CREDIT, 2)])
    assert 20 == order.taken == with_taken(order, [then]).taken
    assert [balance, CREDIT, 0] == balances(order, then, paid(CREDIT, 2))


def test_a_fee_is_due_only_as_far_as_own_money_has_covered_it_and_late_money_does() -> None:
    order = with_taken(an_order("cancelled", kept=20), [paid(0), paid(CREDIT, 2), paid(50, CLAIM_LEG)])
    assert 0 == order.taken
    for late, taken in ((5, 5), (15, 15), (10, 15), (40, 20)):
        order = with_taken(order, [paid(late)])
        assert (taken, late - taken) == (order.taken, balances(order, paid(late))[0])
    assert 8 == with_taken(replace(order, kept=8), [paid(0)]).taken, "arbiters have decided that less is kept"


def test_each_party_has_one_account_also_if_it_is_two_of_them() -> None:
    order = an_order("completed", lent=CREDIT)
    assert tuple(map(address, PARTIES)) == account_parties(order)
    assert order.terms.trade_in is not None
    sellers = replace(order.terms, trade_in=replace(order.terms.trade_in, taker=order.seller))
    assert (address(BUYER), address(BANK)) == account_parties(replace(order, terms=sellers))
    banks = replace(order.terms, trade_in=replace(order.terms.trade_in, taker=address(BANK)))
    order = replace(order, terms=banks)
    assert (address(BUYER), address(BANK)) == account_parties(order)
    (_, claim) = claims_on_parties(order, [], NOW)
    assert (address(BANK), CREDIT + CAR, "credit") == (claim.debtor, claim.amount.amount, claim.cause)


def test_debts_are_above_zero_and_claims_below() -> None:
    order = an_order("completed", lent=CREDIT)
    money = [paid(OWN + 1), paid(CREDIT, 2)]
    assert [(address(BUYER), 1)] == [(d.creditor, d.amount.amount) for d in debts_of(order, money, NOW, REFUND_MS)]
    (claim,) = claims_on_parties(order, money, NOW)
    assert (SECOND, address(AGENT), order.seller, CAR, "trade_in") == (
        claim.vin, claim.debtor, claim.creditor, claim.amount.amount, claim.cause
    )  # fmt: skip
    found = claims_on_parties(order, [], NOW)
    assert [(order.vin, "price"), (order.vin, "credit"), (SECOND, "trade_in")] == [(c.vin, c.cause) for c in found]
    assert () == claims_on_parties(replace(order, vin=""), [], NOW)


def test_a_debt_is_due_after_the_end_or_after_it_arose_whichever_is_later() -> None:
    for since, due in ((ENDED - 1, ENDED), (ENDED + 1, ENDED + 1)):
        order = an_order("cancelled", accounts=(Account(address(BUYER), since_ms=since),))
        assert [due + REFUND_MS] == [debt.due_ms for debt in debts_of(order, [paid(OWN)], NOW, REFUND_MS)]


# --- posted -------------------------------------------------------------------------------------------------------
def test_what_is_posted_adds_up_and_stops_at_its_bounds() -> None:
    order = posted(posted(an_order("completed"), address(BUYER), 7), address(BUYER), -10)
    assert -3 == account_of(order, address(BUYER)).posted
    for sign in (1, -1):
        for step in (POSTED_MAX - 1, 1, 1, POSTED_MAX):
            order = posted(order, address(BUYER), sign * step)
        order = posted(order, address(BUYER), sign * POSTED_MAX)
        assert sign * POSTED_MAX == account_of(order, address(BUYER)).posted
        assert order == ORDER.decode(encode(order))
        assert abs(balance_of(order, [paid(MONEY_MAX - POSTED_MAX)], address(BUYER), NOW)) <= MONEY_MAX
    assert order == posted(order, address(BUYER), 0)


# --- since when ---------------------------------------------------------------------------------------------------
def run_of(*steps: tuple[int, int]) -> Account:
    """The account after its balance was so much from so many days on."""
    account, before = Account(address(BUYER)), 0
    for day, balance in steps:
        account, before = aged(account, before, balance, day * DAY_MS), balance
    return account


@pytest.mark.parametrize(
    ("steps", "since"),
    [
        (((1, 100),), 1),
        (((1, 100), (2, 101)), 1),
        (((1, 100), (2, 99)), 1),
        (((1, 100), (2, 0)), 0),
        (((1, 100), (2, 0), (3, 5)), 3),
        (((1, 1), (2, 2), (3, 1)), 2),
        (((1, 1), (2, 2), (3, 1), (4, 2), (5, 1)), 4),
        (((1, 100), (2, 101), (3, 100), (4, 101), (5, 100)), 1),
        (((1, 100), (2, 150), (3, 50)), 2),
        (((1, 100), (2, 150), (3, 51)), 1),
        (((1, 100), (2, 150), (3, 50), (4, 90), (5, 41)), 2),
        (((1, 100), (2, 150), (3, 50), (4, 90), (5, 40)), 4),
        (((1, -100), (2, -101)), 1),
        (((1, -100), (2, -1)), 1),
        (((1, -100), (2, 1)), 2),
        (((1, 100), (2, 150), (3, -1)), 3),
    ],
)
def test_repayments_end_what_is_owed_longest(steps: tuple[tuple[int, int], ...], since: int) -> None:
    assert since * DAY_MS == run_of(*steps).since_ms


def test_an_account_that_is_even_keeps_what_was_posted_alone() -> None:
    account = Account(address(BUYER), 7, 1, 2, 3)
    assert Account(address(BUYER), 7) == aged(account, 5, 0, NOW)
    assert Account(address(BUYER), 7, NOW) == aged(account, 5, -5, NOW)


def oldest(steps: list[tuple[int, int]]) -> int:
    """The day from which on the oldest cent is owed, first in, first out."""
    queue: list[int] = []
    for (_, before), (day, balance) in pairwise([(0, 0), *steps]):
        queue += [day] * (balance - before)
        queue = queue[max(0, before - balance) :]
    return queue[0] if queue else 0


def test_no_money_puts_off_what_is_owed_longest() -> None:
    chance = random.Random(1)
    for _ in range(300):
        steps = [(day, chance.randrange(6)) for day in range(1, 13)]
        assert run_of(*steps).since_ms <= oldest(steps) * DAY_MS, steps


def test_who_gives_everything_back_in_half_the_time_is_never_late() -> None:
    chance, half = random.Random(2), REFUND_MS // DAY_MS // 2
    for _ in range(100):
        queue, steps = list[int](), list[tuple[int, int]]()
        for day in range(1, 60):
            late = sum(day - came >= half for came in queue)
            queue = queue[max(late, chance.randrange(4) - 2) :]
            steps.append((day, len(queue)))
            queue += [day] * chance.randrange(3)
            steps.append((day, len(queue)))
        for count, (day, balance) in enumerate(steps, 1):
            since = run_of(*steps[:count]).since_ms
            assert not balance or since > (day - 2 * half) * DAY_MS, steps[:count]


# --- settled ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("before", "since", "left"),
    [
        ([("charged_back", 70)], [], ([], {})),
        ([("charged_back", 70)], [("charged_back", 30)], ([(BUYER, SELLER, 30, "price")], {})),
        ([("charged_back", 70)], [("represented", 30)], ([], {})),
        ([("charged_back", 70)], [("represented", 70)], ([], {})),
        ([], [("charged_back", 70)], ([(BUYER, SELLER, 70, "price")], {})),
    ],
)
def test_arbiters_settle_what_a_party_owed_when_the_dispute_was_opened(
    before: list[tuple[str, int]], since: list[tuple[str, int]], left: object
) -> None:
    life = sold_by_card()
    for kind, amount in before:
        tell(life, kind, amount)
    dispute = answered(life)
    for kind, amount in since:
        tell(life, kind, amount)
    vote(life, dispute, SETTLED)
    assert left == (claims(life), debts(life))


@pytest.mark.parametrize(
    ("before", "since", "left"),
    [
        ([("settled", 70)], [], ([], {})),
        ([("settled", 70)], [("settled", 30)], ([], {BUYER: 30})),
        ([("settled", 70)], [("returned", 30)], ([], {})),
        ([("settled", 70)], [("returned", 100)], ([(BUYER, SELLER, 30, "price")], {})),
        ([("returned", 70)], [("settled", 100)], ([], {BUYER: 30})),
        ([], [("settled", 70)], ([], {BUYER: 70})),
    ],
)
def test_arbiters_settle_what_the_seller_owed_when_the_dispute_was_opened(
    before: list[tuple[str, int]], since: list[tuple[str, int]], left: object
) -> None:
    life = at("handed_over")
    for kind, amount in before:
        tell(life, kind, amount)
    dispute = answered(life, SELLER, BUYER)
    for kind, amount in since:
        tell(life, kind, amount)
    vote(life, dispute, SETTLED)
    assert left == (claims(life), debts(life))
