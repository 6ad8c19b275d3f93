"""The chain that the golden vectors are cut from: the development network, every transaction type at least once.

Each transaction is committed in a block, so every vector is one that a node accepts at its place. Nothing here is
random and no clock is read: the same source gives the same bytes.
"""

from __future__ import annotations

from node.crypto.dev_keys import dev_key
from node.txtypes.chain.actions import (
    FraudLift,
    HoldLift,
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
from support import vector_after as after
from support import vector_life as life
from support import vector_sale as sale
from support.chain import DAY_MS, address
from support.life import transfer
from support.played import Story
from support.specimens import specimen

BUYER_2 = dev_key("account", "buyer-2")
SECOND_KEY = dev_key("account", "buyer-2/second")
FRAUDULENT = address("identity-attestor-1")


def play() -> Story:
    story = Story()
    _accounts_and_members(story)
    _governance(story)
    for chapter in (life.born, life.recalled, life.suspected, life.inspected):
        chapter(story)
    story.do("bmw", transfer(story.chain), "dealer-munich")
    life.served(story)
    sale.market(story)
    sale.purchase(story)
    for chapter in (
        life.fitted, life.registered, life.corrected, life.covered, life.disputed, life.put_on_hold, _hold_lifted,
        life.replaced, life.damaged, life.written_off, after.built, after.complained,
    ):  # fmt: skip
        chapter(story)
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
    revoked = RoleSetStatus(FRAUDULENT, "identity_attestor", "revoked", "fraud", chain.now)
    proposal = story.do("dealer-munich", GovernancePropose(revoked), name="governance.propose a revocation")
    story.do("bmw", GovernanceVote(proposal, True), name="governance.vote on a fraud")
    story.do("workshop-berlin", GovernanceVote(proposal, True), name="governance.vote that revokes for fraud")
    lift = FraudLift(FRAUDULENT, "identity_attestor")
    story.do("dealer-munich", GovernancePropose(lift), name="governance.propose fraud.lift")
    story.do("dealer-shanghai", ValidatorPause())
    story.do("dealer-shanghai", ValidatorResume())


def _hold_lifted(story: Story) -> None:
    lift = HoldLift(address("workshop-hamburg"))
    story.do("dealer-munich", GovernancePropose(lift), name="governance.propose hold.lift")
