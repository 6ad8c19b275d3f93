"""The buyer's report with what sales have left: claims on the car, and its holder's defaults and overdue refunds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from msgspec import structs

from node.ledger.family import AsOf, Reader, View, extended
from node.ledger.fields import Id, OptionalTime
from node.txtypes.buyers_report import BuyersReport, ReportRecord
from node.txtypes.members.conduct import CONDUCT, NO_CONDUCT
from node.txtypes.members.member import frauds_since, name_of
from node.txtypes.vehicle.claims import Claim, claims_on, is_debtor
from node.txtypes.vehicle.vehicle import Vehicle

CLAIMED_MAX: Final = 50
"""Orders whose open claims a report names."""


class ClaimOnCar(Claim, frozen=True):
    """A claim that the sale of an order has left. Its debtor may not deal in the car until it is satisfied."""

    order: Id
    debtor_name: str
    creditor_name: str


class HolderConduct(View, frozen=True):
    """What sales tell of the account that holds the car. `defaulted`: accepted orders that it has left as the seller,
    in the eight quarters that its conduct keeps; `refunds_overdue`: its orders whose overdue refund a creditor has
    claimed; above 0, it sells nothing. `owes_on_car`: an open claim about this very car is against it, so it may not
    deal in it. `fraud_since`: from when on it is marked for fraud, null where it is not."""

    defaulted: int
    refunds_overdue: int
    owes_on_car: bool
    fraud_since_ms: OptionalTime


class CarReport(BuyersReport, frozen=True):
    """A summary of a car for its buyer, the most important first, with the open claims of its sales and the conduct of
    its holder as a seller. `parallel_life`: one car cannot have been at all the places of its last sightings and
    records in the time between; this is a hint that decides nothing. `nodes_word`: the fields that no proof shows to be
    complete. `withheld`: the number of records whose content was not given."""

    claims: tuple[ClaimOnCar, ...]
    holder_conduct: HolderConduct


def car_report(
    vin: str, vehicle: Vehicle, reader: Reader, as_of: AsOf, records: Sequence[ReportRecord], batteries: Iterable[str],
    claimed: Iterable[str],
) -> CarReport:  # fmt: skip
    """The report of the car. `claimed`: ids of orders with open claims, in hex; the other arguments are those of
    `BuyersReport.of`."""
    known = BuyersReport.of(vin, vehicle, reader, as_of, records, batteries)
    claims = tuple(
        extended(
            ClaimOnCar, claim, order=order, debtor_name=name_of(reader, claim.debtor),
            creditor_name=name_of(reader, claim.creditor),
        ) for order in map(bytes.fromhex, claimed) for claim in claims_on(reader, order, vin)
    )  # fmt: skip
    conduct = reader.get(CONDUCT, vehicle.holder) or NO_CONDUCT
    holder = HolderConduct(
        sum(quarter.defaulted for quarter in conduct.quarters), conduct.refunds_overdue,
        is_debtor(reader, vehicle.holder, vin), frauds_since(reader).get(vehicle.holder, 0),
    )  # fmt: skip
    told = structs.asdict(known) | {"nodes_word": (*known.nodes_word, "claims")}
    return CarReport(**told, claims=claims, holder_conduct=holder)
