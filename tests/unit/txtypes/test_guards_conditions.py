"""What of a car's condition blocks a step of its sale, and what is said of it so that it does not."""

from __future__ import annotations

from collections.abc import Callable

from support.chain import DAY_MS, START_MS, address
from support.life import VIN, Life, handover, listing, transfer
from support.stages import Case, change, force, table

from node.ledger.body import TransactionBody
from node.txtypes.members.member import FRAUDS, Fraud, Frauds
from node.txtypes.vehicle.brands import Loss
from node.txtypes.vehicle.regions import Clearance, Inspection, OpenRecall
from node.txtypes.vehicle.vehicle import VEHICLE

DEALER, BUYER, INSPECTOR = "dealer-munich", "buyer-1", address("inspector-1")


def car(**changes: object) -> Callable[[Life], None]:
    return lambda life: change(life.chain, VEHICLE, VIN, **changes)


def lost(state: str, age_days: int = 0) -> Callable[[Life], None]:
    def before(life: Life) -> None:
        loss = Loss("S", state, life.chain.now - age_days * DAY_MS, 0, 0, address("insurer-1"), ())  # type: ignore[arg-type]
        change(life.chain, VEHICLE, VIN, loss=loss)

    return before


def recalled(recall_class: str) -> Callable[[Life], None]:
    return car(recalls=(OpenRecall(address("bmw"), "0016560700", recall_class, 0),))


def failed(due_in_ms: int) -> Callable[[Life], None]:
    def before(life: Life) -> None:
        inspection = Inspection(0, "major", INSPECTOR, START_MS, 0, life.chain.now + due_in_ms)
        change(life.chain, VEHICLE, VIN, inspection=inspection)

    return before


def cleared(since_ms: int) -> Callable[[Life], None]:
    """By an inspector that was revoked for fraud from a time on."""

    def before(life: Life) -> None:
        change(life.chain, VEHICLE, VIN, clearances=(Clearance("rebuild", INSPECTOR, 0, START_MS),))
        force(life.chain, FRAUDS, "all", Frauds((Fraud(INSPECTOR, "inspector", since_ms),)))

    return before


def listed(*discloses: str) -> Callable[[Life], TransactionBody]:
    return lambda life: listing(life.chain, discloses=discloses)


def moved(life: Life) -> TransactionBody:
    return transfer(life.chain, "dealer-shanghai", 170)


def handed(life: Life) -> TransactionBody:
    return handover(life.chain, life.order)


CONTESTED = car(verdict="CONTESTED")


@table(
    Case("contested", "wholesale", DEALER, listed(), ("verdict_contested",), before=CONTESTED),
    Case("contested, and said", "wholesale", DEALER, listed("odometer"), before=CONTESTED),
    Case("a total loss", "wholesale", DEALER, listed(), ("total_loss",), before=lost("confirmed")),
    Case("a total loss, and said", "wholesale", DEALER, listed("total_loss"), before=lost("confirmed")),
    Case("reported as a total loss", "wholesale", DEALER, listed(), before=lost("pending")),
    Case("reported as one 30 days ago", "wholesale", DEALER, listed(), ("total_loss",), before=lost("pending", 30)),
    Case("a retest is overdue", "wholesale", DEALER, listed(), ("unroadworthy",), before=failed(0)),
    Case("a retest is overdue, and said", "wholesale", DEALER, listed("unroadworthy"), before=failed(0)),
    Case("a retest is due", "wholesale", DEALER, listed(), before=failed(1)),
    Case("not to be driven", "wholesale", DEALER, listed(), before=recalled("stop_drive")),
    Case("cleared by a fraud", "wholesale", DEALER, listed(), ("clearance_void",), before=cleared(START_MS)),
    Case("cleared before the fraud", "wholesale", DEALER, listed(), before=cleared(START_MS + 1)),
)
def test_listing_a_car_that_is(case: Case) -> None:
    assert case.codes == case.run()


@table(
    Case("a total loss", "paid", DEALER, handed, ("total_loss",), (BUYER,), lost("confirmed")),
    Case("reported as a total loss", "paid", DEALER, handed, ("total_loss_provisional",), (BUYER,), lost("pending")),
    Case("of undecided loss", "paid", DEALER, handed, (), (BUYER,), lost("undecided")),
    Case("a retest is overdue", "paid", DEALER, handed, ("unroadworthy",), (BUYER,), failed(0)),
    Case("not to be driven", "paid", DEALER, handed, ("recall_stop_drive",), (BUYER,), recalled("stop_drive")),
    Case("recalled for its quality", "paid", DEALER, handed, (), (BUYER,), recalled("quality")),
    Case("cleared by a fraud", "paid", DEALER, handed, ("clearance_void",), (BUYER,), cleared(START_MS)),
)
def test_handing_over_a_car_that_is(case: Case) -> None:
    assert case.codes == case.run()


@table(
    Case("contested", "wholesale", DEALER, moved, ("verdict_contested",), ("dealer-shanghai",), CONTESTED),
    Case("a total loss", "wholesale", DEALER, moved, (), ("dealer-shanghai",), lost("confirmed")),
    Case("reported as a total loss", "wholesale", DEALER, moved, (), ("dealer-shanghai",), lost("pending")),
    Case("not to be driven", "wholesale", DEALER, moved, (), ("dealer-shanghai",), recalled("stop_drive")),
    Case("cleared by a fraud", "wholesale", DEALER, moved, ("clearance_void",), ("dealer-shanghai",),
         cleared(START_MS)),
)  # fmt: skip
def test_transferring_a_car_that_is(case: Case) -> None:
    assert case.codes == case.run()
