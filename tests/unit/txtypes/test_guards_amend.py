"""Guards of `record.amend`."""

from __future__ import annotations

from support.chain import address
from support.disputed_cases import (
    HOLDER,
    INSPECTOR,
    OTHER_VIN,
    WITNESS,
    WORKSHOP,
    amended,
    amending,
    by_holder,
    days,
    elsewhere,
    ended,
    holder_inspects,
    lowered,
    of_amendment,
    opened,
    replaced_by,
    service,
    then,
    typed,
)
from support.disputing import (
    amend,
    name_of,
    reading,
    serviced,
)
from support.life import VIN, Life
from support.stages import Case, at, force, put_on_hold, table

from node.ledger.fields import RecordName
from node.txtypes.members.member import FRAUDS, Fraud, Frauds

LATE = ("amend_too_late",)


def confirmed(life: Life) -> None:
    """Another party reads what the typing error says."""
    reading(life, "workshop-hamburg", 200_010)


def fraud(life: Life) -> None:
    """Governance finds that other party to be a fraud."""
    force(life.chain, FRAUDS, "all", Frauds((Fraud(address("workshop-hamburg"), "workshop", 0),)))


# --- record.amend -------------------------------------------------------------------------------------------
@table(
    Case("a reading falls without a witness", "wholesale", WORKSHOP, amending(), ("witness_missing",),
         before=service()),
    Case("a reading falls with one", "wholesale", WORKSHOP, amending(witness=WITNESS), (), (INSPECTOR,), service()),
    Case("a witness on hold", "wholesale", WORKSHOP, amending(witness=WITNESS), ("author_on_hold",), (INSPECTOR,),
         lambda life: (service()(life), put_on_hold(life.chain, WITNESS))),
    Case("the witness does not sign", "wholesale", WORKSHOP, amending(witness=WITNESS), ("signature_missing",),
         before=service()),
    Case("a witness that inspects nothing", "wholesale", WORKSHOP, amending(witness=address("carrier-1")),
         ("witness_missing",), ("carrier-1",), service()),
    Case("a witness that holds the title", "wholesale", WORKSHOP, amending(witness=WITNESS), ("witness_missing",),
         (INSPECTOR,), holder_inspects),
    Case("upward", "wholesale", WORKSHOP, amending(), (), before=replaced_by(300)),
    Case("within the tolerance", "wholesale", WORKSHOP, amending(), (), before=replaced_by(199)),
    Case("downward", "wholesale", WORKSHOP, amending(), ("witness_missing",), before=lowered),
    Case("downward with a witness", "wholesale", WORKSHOP, amending(witness=WITNESS), (), (INSPECTOR,),
         lowered),
    Case("a typing error", "wholesale", WORKSHOP, amending(), (), before=typed),
    Case("a typing error that another party confirms", "wholesale", WORKSHOP, amending(), ("witness_missing",),
         before=then(typed, confirmed)),
    Case("a typing error that only a fraud confirms", "wholesale", WORKSHOP, amending(), (),
         before=then(typed, confirmed, fraud)),
    Case("a declared reading", "wholesale", HOLDER, amending(), (), before=by_holder),
    Case("on the 28th day", "wholesale", WORKSHOP, amending(), (), before=then(replaced_by(300), days(27))),
    Case("later", "wholesale", WORKSHOP, amending(), LATE, before=then(replaced_by(300), days(29))),
    Case("later with a witness", "wholesale", WORKSHOP, amending(witness=WITNESS), (), (INSPECTOR,),
         then(replaced_by(300), days(29))),
    Case("later by decision", "wholesale", WORKSHOP, amending(), (), before=then(ended("amended"), days(40))),
    Case("downward by decision", "wholesale", WORKSHOP, amending(), (), before=ended("amended")),
    Case("later though it stands", "wholesale", WORKSHOP, amending(), LATE, before=then(ended("stands"), days(40))),
    Case("annulled", "wholesale", WORKSHOP, amending(witness=WITNESS), ("superseded_already",), (INSPECTOR,),
         ended("annulled")),
    Case("amended before", "wholesale", WORKSHOP, amending(witness=WITNESS), ("superseded_already",), (INSPECTOR,),
         then(service(), amended)),
    Case("by another workshop", "wholesale", "workshop-hamburg", amending(witness=WITNESS), ("not_the_author",),
         (INSPECTOR,), service()),
    Case("no such record", "wholesale", WORKSHOP, lambda life: amend(life.chain, 99), ("record_unknown",)),
    Case("another record", "wholesale", WORKSHOP, amending(target=RecordName(2, bytes(32))), ("record_differs",),
         before=service()),
    Case("no such car", "wholesale", WORKSHOP, lambda life: amend(life.chain, 0, vin=OTHER_VIN), ("vehicle_unknown",)),
    Case("an amendment", "wholesale", WORKSHOP, amending(), ("procedural",), before=of_amendment),
    Case("the vote about it has ended", "wholesale", WORKSHOP, amending(witness=WITNESS), ("dispute_due",),
         (INSPECTOR,), then(opened, days(28))),
    Case("the vote about it goes on", "wholesale", WORKSHOP, amending(witness=WITNESS), (), (INSPECTOR,),
         then(opened, days(27))),
    Case("another car", "wholesale", WORKSHOP,
         amending(reason="wrong_vehicle", belongs_to=OTHER_VIN, witness=WITNESS), (), (INSPECTOR,), elsewhere),
    Case("another car without its record", "wholesale", WORKSHOP,
         amending(reason="wrong_vehicle", belongs_to=OTHER_VIN, witness=WITNESS, replaced_by=None), (), (INSPECTOR,),
         elsewhere),
    Case("another car alone", "wholesale", WORKSHOP, amending(reason="wrong_vehicle", belongs_to=OTHER_VIN),
         ("witness_missing",), before=elsewhere),
    Case("another car that is not there", "wholesale", WORKSHOP,
         amending(reason="wrong_vehicle", belongs_to=OTHER_VIN, witness=WITNESS), ("vehicle_unknown",), (INSPECTOR,),
         service()),
    Case("another car for another reason", "wholesale", WORKSHOP, amending(belongs_to=OTHER_VIN, witness=WITNESS),
         ("amend_reason",), (INSPECTOR,), elsewhere),
    Case("the wrong car without a right one", "wholesale", WORKSHOP, amending(reason="wrong_vehicle", witness=WITNESS),
         ("amend_reason",), (INSPECTOR,), service()),
    Case("the same car", "wholesale", WORKSHOP,
         amending(reason="wrong_vehicle", belongs_to=VIN, witness=WITNESS), ("amend_reason",), (INSPECTOR,), service()),
    Case("an unknown reason", "wholesale", WORKSHOP, amending(reason="because", witness=WITNESS), ("code_unknown",),
         (INSPECTOR,), service()),
    Case("by itself", "wholesale", WORKSHOP,
         lambda life: amend(life.chain, life.target, replaced_by=name_of(life.chain, life.target)),
         ("replacement_unfit",), before=service()),
    Case("by a reading", "wholesale", INSPECTOR,
         lambda life: amend(life.chain, 2, replaced_by=name_of(life.chain, 3), witness=address("inspector-2")),
         ("replacement_unfit",), ("inspector-2",),
         before=lambda life: (reading(life, INSPECTOR, 200), serviced(life, 210))),
    Case("by another's", "wholesale", INSPECTOR,
         lambda life: amend(life.chain, 2, replaced_by=name_of(life.chain, 3)), ("replacement_unfit",),
         before=lambda life: (reading(life, INSPECTOR, 200), reading(life, "inspector-2", 210))),
    Case("by one that is not there", "wholesale", WORKSHOP,
         amending(replaced_by=RecordName(77, bytes(32)), witness=WITNESS), ("record_unknown",), (INSPECTOR,),
         service()),
)  # fmt: skip
def test_amending(case: Case) -> None:
    assert case.codes == case.run()


def test_what_was_amended_is_no_replacement() -> None:
    life = at("wholesale")
    first, second = serviced(life, 200), serviced(life, 210)
    life.chain.do(WORKSHOP, amend(life.chain, second, witness=WITNESS), INSPECTOR)
    raw = life.chain.sign(WORKSHOP, amend(life.chain, first, replaced_by=name_of(life.chain, second), witness=WITNESS),
                          INSPECTOR)  # fmt: skip
    assert ["replacement_unfit"] == life.chain.unmet(raw)
