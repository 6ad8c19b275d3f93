"""Disputes about records of the story's car, step by step."""

from __future__ import annotations

from msgspec.structs import replace

from node.ledger.family import AsOf
from node.ledger.fields import RecordName
from node.rpc.moments import moment_of
from node.txtypes.disputes.amend import RecordAmend
from node.txtypes.disputes.dispute import RECORD_DISPUTE, RECORD_STATUS, RecordDispute, status_ident
from node.txtypes.disputes.types import (
    RecordClose,
    RecordDisputeOpen,
    RecordResolve,
    RecordRespond,
)
from node.txtypes.history import decode_record
from node.txtypes.members.conduct import CONDUCT, NO_CONDUCT, Conduct, conduct_at
from node.txtypes.members.member import MEMBER, Grant
from node.txtypes.vehicle.brands import brand_state
from node.txtypes.vehicle.record import record_digest
from node.txtypes.vehicle.vehicle import VEHICLE
from support.chain import DAY_MS, Chain, address
from support.life import VIN, Life, accident, km, maintenance, read
from support.stages import at, change, fork

ARBITERS = ("arbiter-1", "arbiter-2", "arbiter-3", "arbiter-4")
WORKSHOP, HOLDER, INSPECTOR = "workshop-berlin", "dealer-munich", "inspector-1"
WITNESS = address(INSPECTOR)


def newest(chain: Chain, vin: str = VIN) -> int:
    return chain.state(VEHICLE, vin).record_count - 1


def name_of(chain: Chain, sequence: int, vin: str = VIN) -> RecordName:
    """The name of a record; a digest of zeros where there is none."""
    raw = chain.store.state.record(vin, sequence)
    return RecordName(sequence, record_digest(raw) if raw is not None else bytes(32))


def serviced(life: Life, value: int = 200, **changes: object) -> int:
    life.chain.do("workshop-berlin", maintenance(life.chain, value, **changes))
    return newest(life.chain)


def reading(life: Life, author: str, value: int, age_ms: int = 0) -> int:
    life.chain.do(author, read(VIN, km(value), life.chain.now - age_ms))
    return newest(life.chain)


def crashed(life: Life, author: str = "workshop-berlin", value: int = 300, **changes: object) -> int:
    """An accident with structural damage, which the holder has not signed."""
    life.chain.do(author, accident(life.chain, value, extent="structural", **changes))
    return newest(life.chain)


def dispute(chain: Chain, sequence: int, ground: str = "not_done", vin: str = VIN) -> RecordDisputeOpen:
    return RecordDisputeOpen(vin, name_of(chain, sequence, vin), ground, ())


def disputed(life: Life, sequence: int, sender: str = "dealer-munich", ground: str = "not_done") -> bytes:
    return life.chain.do(sender, dispute(life.chain, sequence, ground))


def answered(life: Life, ident: bytes, author: str = "workshop-berlin", answer: str = "stands") -> None:
    life.chain.do(author, RecordRespond(ident, answer, ()))


def voted(life: Life, ident: bytes, outcome: str, *arbiters: str) -> None:
    for arbiter in arbiters:
        life.chain.do(arbiter, RecordResolve(ident, outcome, "proven"))


def decided(life: Life, ident: bytes, outcome: str) -> None:
    """Arbiters agree, until no further vote can change the outcome."""
    for arbiter in ARBITERS:
        if not of(life, ident).outcome:
            voted(life, ident, outcome, arbiter)


def passed(life: Life, days: int) -> None:
    life.chain.now += days * DAY_MS


def closed(life: Life, ident: bytes) -> None:
    life.chain.do("bank-1", RecordClose(ident))


def amend(chain: Chain, sequence: int, **changes: object) -> RecordAmend:
    plain = RecordAmend(VIN, name_of(chain, sequence), "typing", None, None, None)
    return replace(plain, **changes)


def of(life: Life, ident: bytes) -> RecordDispute:
    return life.chain.state(RECORD_DISPUTE, ident)


def status(life: Life, sequence: int):
    return life.chain.state(RECORD_STATUS, status_ident(VIN, sequence))


def car(life: Life):
    return life.chain.state(VEHICLE, VIN)


def shown(life: Life, family, ident: str | bytes):
    """A value as it counts at the time of the next block."""
    moment, text = moment_of(life.chain.store), ident if isinstance(ident, str) else ident.hex()
    view = family.view or family.forecast_view
    return view.of(text, moment.get(family, text), moment, AsOf(life.chain.now, moment.as_of.rules))


def granted(life: Life, member: str, role: str) -> None:
    """A role, put in place."""
    grants = life.chain.state(MEMBER, address(member)).grants
    change(life.chain, MEMBER, address(member), grants=(*grants, Grant(role, (), "", (), 0, 0, ())))


def copied(life: Life) -> Life:
    return Life(fork(life.chain), life.listing, life.order, life.payment)


def wholesale() -> Life:
    return at("wholesale")


def outcomes_of(life: Life, sequence: int) -> tuple[str, ...]:
    raw = life.chain.store.state.record(VIN, sequence)
    assert raw is not None
    return decode_record(raw).content.outcome


def conduct(life: Life, account: str) -> Conduct:
    return conduct_at(life.chain.state(CONDUCT, address(account)) or NO_CONDUCT, life.chain.now)


def total(life: Life, account: str, counter: str) -> int:
    """A counter of an account's conduct, over all quarters kept."""
    return sum(getattr(entry, counter) for entry in conduct(life, account).quarters)


def the_brand(life: Life) -> str:
    """The state of the only brand of the car."""
    [brand] = car(life).brands
    return brand_state(brand, life.chain.now)


def through(
    life: Life, sequence: int, outcome: str, sender: str = HOLDER, ground: str = "not_done", author: str = ""
) -> bytes:
    """A dispute from its opening to its decision."""
    ident = disputed(life, sequence, sender, ground)
    author = author or ("workshop-berlin" if of(life, ident).author == address(WORKSHOP) else INSPECTOR)
    answered(life, ident, author)
    decided(life, ident, outcome)
    return ident
