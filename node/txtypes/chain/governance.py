"""Governance: members decide by power. The vote that brings more than two thirds carries the proposal out.

An action that has become impossible by then closes the proposal as `failed`, so that the vote itself still counts.
"""

from __future__ import annotations

from typing import ClassVar, Final, Literal, NamedTuple

from msgspec.structs import replace

from node import limits
from node.codec import Value
from node.crypto.addresses import to_text
from node.ledger import family as families
from node.ledger.body import TransactionBody, check_codes
from node.ledger.example import Example
from node.ledger.family import ADDRESS_IDENT, HASH_IDENT, AsOf, Family, Index, Reader, extended
from node.ledger.fields import Address, Id, Time
from node.ledger.guards import Guard
from node.ledger.overlay import Ledger
from node.ledger.static_rules import check_rules
from node.txtypes.chain import validator_set
from node.txtypes.chain.actions import Action
from node.txtypes.chain.validator_set import NOT_A_VALIDATOR, VALIDATORS, ValidatorState
from node.txtypes.members.member import name_of, require_member

PROPOSAL_UNKNOWN = Guard("proposal_unknown", "there is no such proposal", "diesen Vorschlag gibt es nicht",
                         "提案不存在")  # fmt: skip
PROPOSAL_CLOSED = Guard("proposal_closed", "the proposal is not open any more", "der Vorschlag ist nicht mehr offen",
                        "提案已关闭")  # fmt: skip
PROPOSALS_OPEN = Guard("proposals_open", "the member has too many open proposals",
                       "das Mitglied hat zu viele offene Vorschläge", "未决提案过多")  # fmt: skip
ALREADY_VOTED = Guard("already_voted", "the member has voted already", "das Mitglied hat schon abgestimmt", "已投过票")

ProposalStatus = Literal["open", "carried_out", "failed", "refused"]


class Proposal(Value, tag=1, frozen=True):
    """An action that a member has proposed, and the votes on it."""

    proposer: Address
    action: Action
    expires_at_ms: Time
    yes: tuple[Address, ...]
    no: tuple[Address, ...]
    status: ProposalStatus


class OpenProposal(Value, frozen=True):
    """A proposal and its deadline."""

    proposal: Id
    expires_at_ms: Time


class OpenProposals(Value, tag=1, frozen=True):
    """A member's proposals that were open when it last proposed."""

    proposals: tuple[OpenProposal, ...]


class Tally(NamedTuple):
    """The power of a proposal's votes in a validator set."""

    yes: int
    no: int
    total: int

    @property
    def needed(self) -> int:
        """The least power of yes that carries the proposal out: more than two thirds."""
        return 2 * self.total // 3 + 1

    @property
    def is_refused(self) -> bool:
        """Whether the power of no leaves too little for a yes."""
        return self.total - self.no < self.needed


def tally_of(proposal: Proposal, state: ValidatorState) -> Tally:
    """The votes by power as the set is now; a member that has lost its power counts nothing."""
    yes = sum(entry.power for entry in state.entries if entry.address in proposal.yes)
    no = sum(entry.power for entry in state.entries if entry.address in proposal.no)
    return Tally(yes, no, validator_set.total_power(state))


class ProposalView(Proposal, frozen=True):
    """A proposal as it counts now, and the powers of its votes in the present validator set. `needed_power`: of yes."""

    id: Id
    status: ProposalStatus | Literal["expired"]  # type: ignore[assignment]
    proposer_name: str
    yes_power: int
    no_power: int
    needed_power: int
    total_power: int

    @staticmethod
    def of(ident: str, proposal: Proposal, reader: Reader, as_of: AsOf) -> ProposalView:
        state = reader.get(VALIDATORS, "set")
        assert state is not None, "a chain has validators"
        tally = tally_of(proposal, state)
        return extended(
            ProposalView, proposal, id=bytes.fromhex(ident), status=status_now(proposal, as_of.now_ms),
            proposer_name=name_of(reader, proposal.proposer),
            yes_power=tally.yes, no_power=tally.no, needed_power=tally.needed, total_power=tally.total,
        )  # fmt: skip


def status_now(proposal: Proposal, now_ms: int) -> ProposalStatus | Literal["expired"]:
    """The status as it counts now: an open proposal past its deadline has expired."""
    return "expired" if proposal.status == "open" and now_ms >= proposal.expires_at_ms else proposal.status


PROPOSAL: Final = Family(
    "proposal", Proposal, ident=HASH_IDENT,
    indexes=(
        Index("status", lambda p: ("open", "expired") if p.status == "open" else (p.status,),
              families.fixed_ident("open", "carried_out", "failed", "refused", "expired"),
              lambda ident, proposal, asked, reader, as_of: status_now(proposal, as_of.now_ms) == asked,
              "open (without: open ones by expiry), carried_out, failed, refused or expired"),
        Index("open", lambda p: (families.expiry_value(p.expires_at_ms),) if p.status == "open" else (), None,
              lambda ident, proposal, asked, reader, as_of: status_now(proposal, as_of.now_ms) == "open"),
    ),
    concerns=lambda ident, proposal: (f"account/{proposal.proposer.hex()}",), event="governance",
    status=lambda proposal: proposal.status, path="/v1/proposals", view=ProposalView,
    internal=("id",),
)  # fmt: skip
OPEN_PROPOSALS: Final = Family("open-proposals", OpenProposals, ident=ADDRESS_IDENT)


class Voter:
    """The sender is an active member with validator power."""

    text = "an active member with validator power"

    def check(self, ledger: Ledger, body: object) -> None:
        require_member(ledger, ledger.sender)
        if not validator_set.power_of(ledger, ledger.sender):
            ledger.unmet(NOT_A_VALIDATOR, to_text(ledger.sender))


def _decide(ledger: Ledger, proposal: Proposal) -> Proposal:
    """Weigh the votes by power as it is now; carry the action out where more than two thirds approve."""
    tally = tally_of(proposal, validator_set.current(ledger))
    if tally.yes >= tally.needed:
        noted = len(ledger.unmet_guards)
        check_codes(ledger, proposal.action)
        proposal.action.guards(ledger)
        if len(ledger.unmet_guards) > noted:
            del ledger.unmet_guards[noted:]
            return replace(proposal, status="failed")
        proposal.action.carry_out(ledger)
        return replace(proposal, status="carried_out")
    return replace(proposal, status="refused") if tally.is_refused else proposal


class GovernancePropose(TransactionBody, tag="governance.propose", frozen=True):
    """Propose an action; counts as the proposer's own yes."""

    action: Action
    weight: ClassVar[int] = 300
    is_charged: ClassVar[bool] = False
    by: ClassVar[Voter] = Voter()
    EXAMPLE: ClassVar[Example] = Example("bmw", {
        "action": {"type": "parameter.set", "name": "block_txs_max", "value": 1_000},
    })  # fmt: skip

    def check_static(self) -> None:
        """The rules of the action."""
        check_rules(self.action, "action.")

    def _open(self, ledger: Ledger) -> tuple[OpenProposal, ...]:
        earlier = ledger.get(OPEN_PROPOSALS, ledger.sender)
        return tuple(
            entry for entry in (earlier.proposals if earlier else ())
            if (proposal := ledger.get(PROPOSAL, entry.proposal)) and status_now(proposal, ledger.now_ms) == "open"
        )  # fmt: skip

    def guards(self, ledger: Ledger) -> None:
        self.action.guards(ledger)
        if len(self._open(ledger)) >= limits.PROPOSALS_OPEN_MAX:
            ledger.unmet(PROPOSALS_OPEN, to_text(ledger.sender), need=f"at most {limits.PROPOSALS_OPEN_MAX}")

    def apply(self, ledger: Ledger) -> None:
        expires = ledger.now_ms + ledger.params.proposal_lifetime_ms
        proposal = _decide(ledger, Proposal(ledger.sender, self.action, expires, (ledger.sender,), (), "open"))
        ledger.put(PROPOSAL, ledger.txid, proposal)
        if proposal.status == "open":
            proposals = (*self._open(ledger), OpenProposal(ledger.txid, expires))
            ledger.put(OPEN_PROPOSALS, ledger.sender, OpenProposals(proposals))


class GovernanceVote(TransactionBody, tag="governance.vote", frozen=True):
    """Vote on an open proposal, once."""

    proposal: Id
    approve: bool
    weight: ClassVar[int] = 300
    is_charged: ClassVar[bool] = False
    by: ClassVar[Voter] = Voter()
    EXAMPLE: ClassVar[Example] = Example("dealer-munich", {"proposal": "$proposal", "approve": True})

    def guards(self, ledger: Ledger) -> None:
        proposal = ledger.get(PROPOSAL, self.proposal)
        if proposal is None:
            ledger.unmet(PROPOSAL_UNKNOWN, self.proposal.hex())
        elif (status := status_now(proposal, ledger.now_ms)) != "open":
            ledger.unmet(PROPOSAL_CLOSED, self.proposal.hex(), status, "open")
        elif ledger.sender in proposal.yes + proposal.no:
            ledger.unmet(ALREADY_VOTED, to_text(ledger.sender))

    def apply(self, ledger: Ledger) -> None:
        proposal = ledger.the(PROPOSAL, self.proposal)
        vote = {"yes": (*proposal.yes, ledger.sender)} if self.approve else {"no": (*proposal.no, ledger.sender)}
        ledger.put(PROPOSAL, self.proposal, _decide(ledger, replace(proposal, **vote)))
