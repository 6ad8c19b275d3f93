"""The chain that the golden vectors are cut from: the development network, every transaction type at least once.

Each transaction is committed in a block, so every vector is one that a node accepts at its place. Nothing here is
random and no clock is read: the same source gives the same bytes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256

from node.chain.dev_genesis import dev_genesis
from node.crypto.dev_keys import dev_key
from node.ledger.body import TransactionBody, type_of
from node.ledger.fields import Attachment, Money
from node.txtypes.chain.actions import (
    MemberAdmit,
    MemberRegroup,
    MemberSetStatus,
    ParameterSet,
    RoleGrant,
    RoleSetStatus,
    RulesetActivate,
    ValidatorSetPower,
)
from node.txtypes.chain.governance import GovernancePropose, GovernanceVote
from node.txtypes.chain.validator_set import ValidatorPause, ValidatorResume, possession_bytes
from node.txtypes.identity.account import AccountOpen, AccountUpdateKeys
from node.txtypes.members.member import MemberUpdate, Site
from node.txtypes.payment.payment import PaymentInitiate
from node.txtypes.registry import TYPES
from node.txtypes.sale.delivery import DeliveryEvent, DeliverySchedule
from node.txtypes.sale.listing import AcceptedRail, ListingUpdate, ListingWithdraw
from node.txtypes.sale.order_types import OrderAccept, OrderAcknowledge, OrderCancel, OrderCounter, OrderReject
from node.txtypes.service.damage import Damage
from node.txtypes.service.records import Due, Part
from support.chain import DAY_MS, HOUR_MS, Chain, address
from support.disputing import name_of, newest
from support.life import (
    PRICE,
    VIN,
    accident,
    attest,
    handover,
    km,
    listing,
    maintenance,
    offer,
    read,
    register,
    transfer,
)
from support.specimens import specimen

BUYER_2 = dev_key("account", "buyer-2")
SECOND_KEY = dev_key("account", "buyer-2/second")
LISTED = Money(5_390_000, "EUR")
COUNTERED = Money(5_340_000, "EUR")


@dataclass(frozen=True)
class Played:
    """One transaction of the story and where it was committed."""

    name: str
    raw: bytes
    signers: tuple[str, ...]
    height: int
    index: int


@dataclass
class Story:
    chain: Chain = field(default_factory=lambda: Chain(dev_genesis()))
    played: list[Played] = field(default_factory=list)
    txids: dict[str, bytes] = field(default_factory=dict)

    def raw(
        self, name: str, sender: str, body: TransactionBody, *cosigners: str, extra: tuple = ()
    ) -> tuple[Played, bytes]:
        raw = self.chain.sign(sender, body, *cosigners, extra=extra)
        signers = (sender, *cosigners, *(["buyer-2"] if extra else []))
        return Played(name, raw, signers, self.chain.store.height() + 1, 0), self.chain.check(raw).txid

    def block(self, *entries: tuple[Played, bytes]) -> None:
        """One block of these transactions."""
        self.chain.produce(*(played.raw for played, _ in entries))
        for index, (played, txid) in enumerate(entries):
            self.played.append(Played(played.name, played.raw, played.signers, played.height, index))
            self.txids[played.name] = txid

    def do(self, sender: str, body: TransactionBody, *cosigners: str, name: str = "", extra: tuple = ()) -> bytes:
        entry = self.raw(name or type_of(body), sender, body, *cosigners, extra=extra)
        self.block(entry)
        return entry[1]


def play() -> Story:
    story = Story()
    _accounts_and_members(story)
    _governance(story)
    _vehicle(story)
    _market(story)
    _purchase(story)
    _elsewhere(story)
    _registration(story)
    _disputes(story)
    _end_of_a_car(story)
    _others(story)
    story.chain.produce()
    return story


def _accounts_and_members(story: Story) -> None:
    opening = AccountOpen((BUYER_2.public,), 1, bytes(range(32)))
    story.do("bmw", opening, extra=((address("buyer-2"), BUYER_2),))
    story.do("buyer-2", AccountUpdateKeys((BUYER_2.public, SECOND_KEY.public), 1, b""))
    munich = Site(
        "MUC-1", "DE", 48_177_000, 11_559_000, ("ENGINE_OIL", "TYRES_SEASONAL"), "Mo-Fr 08:00-18:00", "+498938200",
        "info@dealer-munich.example",
    )  # fmt: skip
    southern = Site("CPT-1", "ZA", -33_925_000, 18_424_000, (), "", "", "")
    node_key = dev_key("node", "dealer-munich").public
    story.do("dealer-munich", MemberUpdate((munich, southern), node_key, "127.0.0.1:26801"))
    mandate = story.do("dealer-munich", specimen("mandate.grant", story.chain))
    story.do("dealer-munich", specimen("mandate.end", None, {"mandate": mandate}))


def _governance(story: Story) -> None:
    chain, bank = story.chain, address("bank-1")
    consensus = dev_key("consensus", "bank-1")
    proof = consensus.sign(possession_bytes(chain.genesis_hash, bank, consensus.public))
    actions = {
        "parameter.set": ParameterSet("block_txs_max", 1_000),
        "member.admit": MemberAdmit(address("buyer-2"), "buyer-2", "DE"),
        "member.regroup": MemberRegroup(bank, "banks"),
        "member.set_status": MemberSetStatus(bank, "suspended", "security"),
        "role.grant": RoleGrant(bank, "insurer", ("WBA", "WBS"), "DE", (), chain.now, chain.now + 365 * DAY_MS),
        "role.set_status": RoleSetStatus(bank, "payment_provider", "revoked", "accreditation_lost"),
        "validator.set_power": ValidatorSetPower(bank, 5, consensus.public, proof),
        "ruleset.activate": RulesetActivate(2, 1_000_000, bytes(range(32))),
    }
    for tag, action in actions.items():
        story.do("bmw", GovernancePropose(action), name=f"governance.propose {tag}")
    proposal = story.txids["governance.propose parameter.set"]
    story.do("dealer-munich", GovernanceVote(proposal, True))
    story.do("dealer-shanghai", GovernanceVote(proposal, False), name="governance.vote against")
    story.do("workshop-berlin", GovernanceVote(proposal, True), name="governance.vote that decides")
    story.do("dealer-shanghai", ValidatorPause())
    story.do("dealer-shanghai", ValidatorResume())


def _vehicle(story: Story) -> None:
    chain = story.chain
    story.block(
        story.raw("vehicle.register", "bmw", register()),
        story.raw("vehicle.register of a second car", "bmw", register(VIN[:-1] + "6", configuration=(), plant="REG")),
        story.raw("vehicle.register of a third car", "bmw", register(VIN[:-1] + "7", powertrain="bev")),
    )
    for tag in ("recall.open", "recall.extend", "recall.done", "flag.set", "flag.clear", "inspection.record"):
        example = TYPES[tag].EXAMPLE
        story.do(example.sender, specimen(tag, chain), *example.cosigners)
    story.do("bmw", transfer(chain), "dealer-munich")
    story.do("carrier-1", read(VIN, km(152), chain.now, "telematics"))
    document = Attachment(bytes(range(32, 64)), 48_213, "application/pdf")
    service = maintenance(
        chain,
        155,
        services=("ENGINE_OIL", "TYRES_SEASONAL"),
        parts=(Part("11428575211", 1, True, None), Part("83125A7DC5E", 5, False, "SN-0001")),
        next_due=Due(30_000, chain.now + 365 * DAY_MS),
        attachments=(document,),
    )
    story.do("workshop-berlin", service)


def _market(story: Story) -> None:
    chain = story.chain
    first = story.do("dealer-munich", listing(chain, price=LISTED))
    provider = address("payment-provider-1")
    rails = (AcceptedRail("bank_transfer", (provider,)), AcceptedRail("finance", (address("bank-1"), provider)))
    story.do("dealer-munich", ListingUpdate(first, PRICE, rails, chain.now + 20 * DAY_MS))
    rejected = story.do("buyer-2", offer(chain, first, contract="distance"), name="order.offer that is countered")
    story.do("dealer-munich", OrderCounter(rejected, COUNTERED, chain.now + 2 * DAY_MS))
    story.do("buyer-2", OrderReject(rejected))
    cancelled = story.do("buyer-1", offer(chain, first), name="order.offer that is cancelled")
    story.do("buyer-1", OrderCancel(cancelled, "changed_mind"))
    story.do("dealer-munich", ListingWithdraw(first))


def _purchase(story: Story) -> None:
    chain = story.chain
    listed = story.do("dealer-munich", listing(chain), name="listing.create again")
    order = story.do("buyer-1", offer(chain, listed))
    story.do("dealer-munich", OrderAccept(order))
    hit = accident(
        chain,
        156,
        damages=(Damage("front", "cosmetic"), Damage("bonnet", "bolt_on")),
        case=sha256(b"CASE-2026-1").digest(),
    )
    story.do("workshop-berlin", hit)
    story.do("buyer-1", OrderAcknowledge(order))
    payment = story.do("buyer-1", PaymentInitiate(order, "bank_transfer", PRICE))
    story.do("payment-provider-1", attest(payment, "pending"), name="payment.attest pending")
    story.do("payment-provider-1", attest(payment, "settled", b""))
    window = (chain.now + HOUR_MS, chain.now + 5 * HOUR_MS)
    story.do("dealer-munich", DeliverySchedule(order, "MUC-1", *window))
    story.do("carrier-1", DeliveryEvent(order, "picked_up", "MUC-1", chain.now, None), name="delivery.event pick-up")
    story.do("dealer-munich", DeliveryEvent(order, "arrived", "MUC-1", chain.now, km(158)))
    story.do("dealer-munich", handover(chain, order), "buyer-1")


def _registration(story: Story) -> None:
    """DE registers the buyer's car and lets it leave for CN, which ends its registration; the buyer gives it away."""
    chain, order = story.chain, ("set", "suspend", "export", "accept", "end")
    for tag in (f"registration.{name}" for name in order):
        story.do(TYPES[tag].EXAMPLE.sender, specimen(tag, chain))
    story.do("buyer-1", specimen("title.assign", chain, odometer=km(170)), "dealer-munich")


def _disputes(story: Story) -> None:
    """The dealer, who has the car again, disputes two services: one dispute is answered, voted on and closed, the other
    withdrawn; the workshop amends a third one. A warranty is extended, and a claim on it approved."""
    chain, workshop, dealer = story.chain, "workshop-berlin", "dealer-munich"
    targets = []
    for n, about in enumerate(("is disputed", "is disputed in vain", "is amended")):
        story.do(workshop, maintenance(chain, 180 + n), name=f"maintenance.record that {about}")
        targets.append(name_of(chain, newest(chain)))
    first = story.do(dealer, specimen("record.dispute", chain, target=targets[0]))
    second = story.do(dealer, specimen("record.dispute", chain, target=targets[1]), name="record.dispute in vain")
    story.do(workshop, specimen("record.respond", None, {"dispute": first}))
    story.do("arbiter-1", specimen("record.resolve", None, {"dispute": first}))
    story.do(dealer, specimen("record.withdraw", None, {"dispute": second}))
    amendment = specimen("record.amend", chain, target=targets[2])
    story.do(workshop, amendment, "inspector-1")
    for tag in ("warranty.start", "warranty.extend"):
        story.do("bmw", specimen(tag, chain))
    claim = story.do(workshop, specimen("warranty.claim", chain, odometer=km(190)), dealer)
    story.do("bmw", specimen("warranty.decide", None, {"claim": claim}))
    chain.now += 14 * DAY_MS
    story.do("bmw", specimen("record.close", None, {"dispute": first}))


def _elsewhere(story: Story) -> None:
    """A part and software of the car, a sighting of one that is unknown, and a car from elsewhere with its battery."""
    for tag, changes in (
        ("part.bind", {"odometer": km(165)}),
        ("software.update", {"odometer": km(165)}),
        ("vehicle.sighting", {}),
        ("vehicle.import", {}),
        ("battery.bind", {}),
        ("battery.health", {}),
    ):
        example = TYPES[tag].EXAMPLE
        story.do(example.sender, specimen(tag, story.chain, **changes), *example.cosigners)


def _end_of_a_car(story: Story) -> None:
    """Another car is repaired, written off, rebuilt and scrapped."""
    chain, vin = story.chain, "WBA8E9G50GNU12399"
    story.do("bmw", register(vin), name="vehicle.register of a car that ends")
    story.do("workshop-berlin", specimen("repair.record", chain, vin=vin, incident=None))
    story.do("insurer-1", specimen("vehicle.total_loss", chain, vin=vin), "bmw")
    plain = dict(vin=vin, checklist="REBUILD", kind="rebuild", defects=(), valid_until_day=None, odometer=km(12_900))
    story.do("inspector-1", specimen("inspection.record", chain, **plain), "bmw", name="inspection.record of a wreck")
    inspected = name_of(chain, newest(chain, vin), vin)
    rebuilt = specimen("vehicle.rebuild", chain, vin=vin, inspection=inspected)
    story.do("inspector-1", rebuilt, "registrar-1", "bmw")
    story.do("dismantler-1", specimen("vehicle.scrap", chain, vin=vin), "bmw")


def _others(story: Story) -> None:
    """The specimens of the types that the story needs for nothing else."""
    played = {played.name.partition(" ")[0] for played in story.played}
    for tag in sorted(TYPES.keys() - played):
        story.do(TYPES[tag].EXAMPLE.sender, specimen(tag, story.chain))
