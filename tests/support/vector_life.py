"""The life of the story's car beside its sale, by theme: looked after, disputed, damaged, rebuilt, scrapped."""

from __future__ import annotations

from node.ledger.fields import Attachment, RecordName
from node.txtypes.disputes.amend import RecordAmend
from node.txtypes.disputes.types import RecordClose, RecordDisputeOpen, RecordResolve, RecordRespond, RecordWithdraw
from node.txtypes.service.findings import Defect
from node.txtypes.service.recall import RecallExtend
from node.txtypes.service.records import Due, Part
from node.txtypes.service.repair import Operation
from node.txtypes.vehicle.stop_flags import FlagSet
from support.chain import DAY_MS, address
from support.foreign import part
from support.life import VIN, accident, km, maintenance, read, register, where
from support.played import Entry, Story
from support.specimens import specimen

SECOND, THIRD = VIN[:-1] + "6", VIN[:-1] + "7"
ARBITERS = ("arbiter-1", "arbiter-3", "arbiter-4")
"""One of each group."""


# --- new --------------------------------------------------------------------------------------------------
def born(story: Story) -> None:
    """Three cars in one block; the third is electric."""
    story.block(
        story.raw("vehicle.register", "bmw", register(engine_serial="B48B20A-1234567")),
        story.raw("vehicle.register of a second car", "bmw", register(SECOND, configuration=(), plant="REG")),
        story.raw("vehicle.register of a third car", "bmw", register(THIRD, powertrain="bev")),
    )
    story.specimen("warranty.start")


def recalled(story: Story) -> None:
    """A campaign of the maker names two cars: one is remedied, the other was named by mistake."""
    story.specimen("recall.open")
    campaign = specimen("recall.open").campaign  # type: ignore[attr-defined]
    story.do("bmw", RecallExtend(campaign, "add", "scope", (VIN, SECOND)))
    story.specimen("recall.done", odometer=km(118))
    story.do("bmw", RecallExtend(campaign, "remove", "wrong", (SECOND,)), name="recall.extend that takes a car out")


def suspected(story: Story) -> None:
    """An inspector's suspicion and its end; a theft of the second car."""
    story.specimen("flag.set")
    story.specimen("flag.clear")
    for vin in (SECOND, VIN):
        story.do("workshop-berlin", part(story.chain, vin), name="part.bind of the gearbox of another car")
    story.specimen("alert.close")
    story.do("police-1", FlagSet(SECOND, "stolen", bytes(range(32)), 0, False), name="flag.set by the police")


def inspected(story: Story) -> None:
    """The car passes with a minor defect. The third car, which nobody presents, is dangerous."""
    story.specimen("inspection.record")
    failed = specimen(
        "inspection.record", story.chain, vin=THIRD, defects=(Defect("1.1.12", "dangerous"),), valid_until_day=None,
        odometer=km(12), holder_signs=False, where=where("INS-2"),
    )  # fmt: skip
    story.do("inspector-2", failed, name="inspection.record that fails")


def served(story: Story) -> None:
    """The car reports from its way to the dealer, who has it serviced."""
    chain = story.chain
    story.do("carrier-1", read(VIN, km(152), chain.now, "telematics"))
    service = maintenance(
        chain, 155, services=("ENGINE_OIL", "TYRES_SEASONAL"),
        parts=(Part("11428575211", 1, True, None), Part("83125A7DC5E", 5, False, "SN-0001")),
        next_due=Due(30_000, chain.now + 365 * DAY_MS),
        attachments=(Attachment(bytes(range(32, 64)), 48_213, "application/pdf"),),
    )  # fmt: skip
    story.do("workshop-berlin", service)


# --- in its owner's hands ---------------------------------------------------------------------------------
def fitted(story: Story) -> None:
    """A part and software of the car; a sighting of an unknown one; a car from elsewhere and its battery."""
    story.specimen("part.bind", odometer=km(165))
    story.specimen("software.update", odometer=km(165))
    for tag in ("vehicle.sighting", "vehicle.import", "battery.bind", "battery.health"):
        story.specimen(tag)


def registered(story: Story) -> None:
    """DE registers the car and lets it leave for CN, which ends its registration."""
    for step in ("set", "suspend", "export", "accept", "end"):
        story.specimen(f"registration.{step}")


def corrected(story: Story) -> None:
    """Half a year later a service is recorded with a wrong reading, then with the right one, which an inspector has
    seen."""
    story.wait(180)
    for value, name in ((12_100, "maintenance.record with a wrong reading"), (12_010, "maintenance.record anew")):
        story.do("workshop-berlin", maintenance(story.chain, value), name=name)
    right = story.newest()
    wrong = story.name_of(VIN, right.sequence - 1)
    body = RecordAmend(VIN, wrong, "typing", right, None, address("inspector-1"))
    story.do("workshop-berlin", body, "inspector-1")


def covered(story: Story) -> None:
    """The maker makes its warranty longer, and pays a part of a claim."""
    story.specimen("warranty.extend")
    body = specimen("warranty.claim", story.chain)
    claim = story.do("workshop-berlin", body, "buyer-1")
    decision = specimen("warranty.decide", None, {"claim": claim}, outcome="partly", share_per_mille=500, reason="wear")
    story.do("bmw", decision)


def disputed(story: Story) -> None:
    """The owner disputes three records: arbiters decide on one, too few of them on another; the third dispute is given
    up."""
    newest = story.newest()
    dispute = story.do("buyer-1", RecordDisputeOpen(VIN, newest, "warranty_rejected", ()))
    story.do("bmw", RecordRespond(dispute, "stands", ()))
    for arbiter, name in zip(ARBITERS, ("record.resolve", "record.resolve again", "record.resolve that decides"),
                             strict=True):  # fmt: skip
        story.do(arbiter, RecordResolve(dispute, "stands", "proven"), name=name)
    body = RecordDisputeOpen(VIN, story.name_of(VIN, 0), "wrong_date", ())
    given_up = story.do("buyer-1", body, name="record.dispute that is given up")
    story.do("buyer-1", RecordWithdraw(given_up))
    body = RecordDisputeOpen(VIN, story.name_of(VIN, newest.sequence - 1), "wrong_date", ())
    undecided = story.do("buyer-1", body, name="record.dispute that nobody answers")
    story.wait(14)
    story.do("arbiter-1", RecordResolve(undecided, "annulled", "not_proven"), name="record.resolve alone")
    story.wait(14)
    story.do("bank-1", RecordClose(undecided))


# --- on hold ----------------------------------------------------------------------------------------------
def put_on_hold(story: Story, author: str = "workshop-hamburg") -> None:
    """Arbiters annul five services of a workshop: it may write no new records for a time."""
    _annulled(story, author, (SECOND, SECOND, THIRD, THIRD), 1)
    _annulled(story, author, (SECOND,), 5)


def _annulled(story: Story, author: str, vins: tuple[str, ...], first: int) -> None:
    """Records of cars that the maker holds: a block of the records, one of the disputes, one of the votes."""
    chain, numbered = story.chain, [*enumerate(vins, first)]
    targets: list[tuple[str, RecordName]] = []
    for number, vin in numbered:
        body = maintenance(chain, 20 + number, vin)
        story.do(author, body, name=f"maintenance.record {number} of five that were not done")
        targets.append((vin, story.newest(vin)))
    story.block(*(
        story.raw(f"record.dispute {number} of five", "bmw", RecordDisputeOpen(vin, target, "not_done", ()))
        for (number, _), (vin, target) in zip(numbered, targets, strict=True)
    ))  # fmt: skip
    story.wait(14)
    votes: list[Entry] = []
    for number, _ in numbered:
        vote = RecordResolve(story.txids[f"record.dispute {number} of five"], "annulled", "falsified")
        votes += (story.raw(f"record.resolve {number} of five by {name}", name, vote) for name in ARBITERS)
    story.block(*votes)


# --- a new instrument -------------------------------------------------------------------------------------
def replaced(story: Story) -> None:
    """The workshop replaces the instrument; the new one counts from 0."""
    story.do("workshop-berlin", specimen("odometer.replace", story.chain), "buyer-1")


# --- damaged ----------------------------------------------------------------------------------------------
def damaged(story: Story) -> None:
    """At the dealer's, who was given it, the car is hit and repaired, and released by an inspector."""
    chain = story.chain
    story.do("buyer-1", specimen("title.assign", chain, odometer=km(300)), "dealer-munich")
    hit = accident(chain, 310, extent="structural", holder_signs=True, where=where("BER-1"))
    story.do("workshop-berlin", hit, "dealer-munich", name="accident.report of structural damage")
    repair = specimen(
        "repair.record", chain, incident=story.newest(), odometer=km(310), holder_signs=True,
        operations=(Operation("front", "straighten"), Operation("bonnet", "refinish")),
    )  # fmt: skip
    story.do("workshop-berlin", repair, "dealer-munich")
    _inspected(story, "STRUCTURAL", "structural_release", 320)


def _inspected(story: Story, checklist: str, kind: str, value: int) -> None:
    body = specimen(
        "inspection.record", story.chain, checklist=checklist, kind=kind, defects=(), valid_until_day=None,
        odometer=km(value),
    )  # fmt: skip
    story.do("inspector-1", body, "dealer-munich", name=f"inspection.record by {checklist}")


def written_off(story: Story) -> None:
    """The insurer writes it off, it is rebuilt, and scrapped in the end."""
    story.do("insurer-1", specimen("vehicle.total_loss", story.chain), "dealer-munich")
    _inspected(story, "REBUILD", "rebuild", 330)
    rebuild = specimen(
        "vehicle.rebuild", story.chain, inspection=story.newest(), registrar=address("registrar-2"),
        odometer=km(330),
    )  # fmt: skip
    story.do("inspector-1", rebuild, "registrar-2", "dealer-munich")
    story.do("dismantler-1", specimen("vehicle.scrap", story.chain, odometer=km(340)), "dealer-munich")
