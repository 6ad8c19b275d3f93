"""Standing: who may dispute a record of a car, and how many disputes of a kind can be open.

Standing hangs on the title, so that many accounts don't help; and each kind has places of its own on a car, so that
nobody can fill another's.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from node.crypto.addresses import to_text
from node.ledger.guards import Guard
from node.ledger.json_form import time_to_text
from node.ledger.overlay import Ledger
from node.limits import DAY_MS
from node.rules.vin import wmi_of
from node.txtypes.disputes.dispute import (
    DISPUTES_PER_RECORD_MAX,
    OPEN_PER_ACCOUNT_MAX,
    OPEN_PER_MEMBER_MAX,
    OPEN_PER_VEHICLE_MAX,
    RECORD_DISPUTE,
    RecordDispute,
    open_of_account,
    record_status,
)
from node.txtypes.members.conduct import conduct_of
from node.txtypes.members.member import active_member, has_role_at
from node.txtypes.sale.order_family import ORDER
from node.txtypes.vehicle.life import LIFE, disputes_at
from node.txtypes.vehicle.regions import flags_at
from node.txtypes.vehicle.relation import related
from node.txtypes.vehicle.vehicle import Vehicle, market_of

TRADED_STANDING_MS: Final = 365 * DAY_MS
"""Buyer and seller dispute for this long after the title has moved between them."""
OF_THE_MAKER: Final = "false_identity"
"""The ground on which the maker of the VIN's numbers has standing."""

NO_STANDING = Guard(
    "no_standing",
    "the account has nothing to do with this car, or the places of its standing are taken",
    "das Konto hat mit diesem Fahrzeug nichts zu tun, oder die Plätze seiner Stellung sind belegt",
    "该账户与此车辆无关，或其身份名额已满",
    is_permission=True,
)
DISPUTES_OPEN = Guard("disputes_open", "the account has too many open disputes",
                      "das Konto hat zu viele offene Streitfälle", "未决争议过多")  # fmt: skip
DISPUTE_BARRED = Guard(
    "dispute_barred",
    "too many disputes of the account were dismissed: it opens no new ones for a time",
    "zu viele Streitfälle des Kontos wurden abgewiesen: es eröffnet vorerst keine neuen",
    "该账户被驳回的争议过多，暂不得提出",
    is_permission=True,
)
DISPUTED_BEFORE = Guard(
    "disputed_before",
    "the record was disputed before, by an account of the same standing or a related one, or too often",
    "der Eintrag wurde schon bestritten, in derselben Stellung, von einem verbundenen Konto oder zu oft",
    "该记录已被同一身份或关联账户提出争议，或次数过多",
)


def standings(ledger: Ledger, vin: str, vehicle: Vehicle, account: bytes, ground: str) -> Iterator[str]:
    """The kinds of standing that an account has now."""
    if vehicle.holder == account:
        yield "holder"
    life = ledger.get(LIFE, vin)
    since = ledger.now_ms - TRADED_STANDING_MS
    moves = [move for move in life.holders if move.until_ms >= since] if life is not None else []
    if _has_bought(ledger, vehicle, account) or any(move.receiver == account for move in moves):
        yield "buyer"
    if any(move.holder == account for move in moves):
        yield "seller"
    if ground == OF_THE_MAKER and has_role_at(ledger, account, ledger.now_ms, "manufacturer", wmi=wmi_of(vin)):
        yield "maker"
    if any(flag.name == "lien" and flag.setter == account for flag in flags_at(vehicle.flags, ledger.now_ms)):
        yield "bank"


def _has_bought(ledger: Ledger, vehicle: Vehicle, account: bytes) -> bool:
    """Whether the car is reserved by an accepted order of the account."""
    market = market_of(vehicle, ledger.now_ms)
    order = ledger.get(ORDER, market.order) if market.status == "reserved" else None
    return order is not None and order.buyer == account


def free_standing(ledger: Ledger, vin: str, vehicle: Vehicle, ground: str, earlier: list[RecordDispute]) -> str | None:
    """The standing that a dispute of the sender would have: one that has a place on the car, and in which the record
    was not disputed before; notes why there is none."""
    own = tuple(standings(ledger, vin, vehicle, ledger.sender, ground))
    taken = [entry.standing for entry in disputes_at(ledger.get(LIFE, vin), ledger.now_ms)]
    places = ledger.rules.tables.dispute_standings
    free = [standing for standing in own if taken.count(standing) < places[standing]]
    if not free:
        ledger.unmet(NO_STANDING, vin, " ".join(own), "holder, buyer, seller, bank, or for false_identity the maker")
        return None
    counted = [dispute for dispute in earlier if not ended_without_vote(dispute)]
    fresh = [standing for standing in free if standing not in [dispute.standing for dispute in counted]]
    # not by trade: a seller's sham dispute must not shut out its buyer's
    is_known = any(related(ledger, ledger.sender, dispute.opener) for dispute in counted)
    is_own = any(dispute.opener == ledger.sender for dispute in earlier)
    if not fresh or is_known or is_own or len(counted) >= DISPUTES_PER_RECORD_MAX:
        ledger.unmet(DISPUTED_BEFORE, vin, len(counted), f"at most {DISPUTES_PER_RECORD_MAX}, of different standing")
        return None
    return fresh[0]


def ended_without_vote(dispute: RecordDispute) -> bool:
    """Whether a dispute was given up, or has run out, before anybody judged it. It shuts out only its opener: else a
    straw man would shut out every later holder at no cost."""
    return bool(dispute.outcome) and not dispute.votes


def disputes_of(ledger: Ledger, vin: str, sequence: int) -> list[RecordDispute]:
    """Every dispute that counts about a record, and the last ones that do not."""
    return [ledger.the(RECORD_DISPUTE, ident) for ident in record_status(ledger, vin, sequence).disputes]


def with_dispute(ledger: Ledger, disputes: tuple[bytes, ...], ident: bytes) -> tuple[bytes, ...]:
    """The disputes of a record with one more. Beyond the bound, the first that ended without a vote is dropped: see
    `free_standing`."""
    if len(disputes) < DISPUTES_PER_RECORD_MAX:
        return (*disputes, ident)
    dropped = next(known for known in disputes if ended_without_vote(ledger.the(RECORD_DISPUTE, known)))
    return (*(known for known in disputes if known != dropped), ident)


def check_number(ledger: Ledger, vin: str) -> None:
    """Notes too many open disputes of the sender, and a bar."""
    sender, now = ledger.sender, ledger.now_ms
    on_car = sum(entry.opener == sender for entry in disputes_at(ledger.get(LIFE, vin), now))
    if on_car >= OPEN_PER_VEHICLE_MAX:
        ledger.unmet(DISPUTES_OPEN, vin, on_car, f"below {OPEN_PER_VEHICLE_MAX}")
    most = OPEN_PER_MEMBER_MAX if active_member(ledger, sender) is not None else OPEN_PER_ACCOUNT_MAX
    opened = len(open_of_account(ledger, sender, now))
    if opened >= most:
        ledger.unmet(DISPUTES_OPEN, to_text(sender), opened, f"below {most}")
    barred = conduct_of(ledger, sender).barred_until_ms
    if now < barred:
        ledger.unmet(DISPUTE_BARRED, to_text(sender), need=f"after {time_to_text(barred)}")
