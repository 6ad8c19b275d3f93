"""Governance: members decide by power. A proposal is carried out in the transaction that brings more than two thirds.

Each action is a small struct with its own guards, checked when proposed and again when carried out; one that has
become impossible by then closes the proposal as `failed`, so that the vote itself still counts.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import msgspec
from msgspec import Meta
from msgspec.structs import replace

from node import limits
from node.crypto.addresses import to_text
from node.crypto.signing import is_signature
from node.errors import Malformed
from node.rules.countries import COUNTRIES
from node.txtypes import validators
from node.txtypes.accounts import ACCOUNT
from node.txtypes.body import Body
from node.txtypes.fields import Address, Country, Height, Id, Name, Time, Value
from node.txtypes.ledger import Family, Ledger
from node.txtypes.members import MEMBER, MEMBER_NAME, Grant, Member, NameHolder, Reason, Role, ScopeCode, require_member
from node.txtypes.params import CHAIN, SETTABLE, ChainParams, params
from node.txtypes.schema import time_to_text


class MemberAdmit(Value, tag="member.admit", frozen=True):
    """Make an existing account a member."""

    member: Address
    name: Name
    country: Country

    def guards(self, ledger: Ledger) -> None:
        if ledger.get(ACCOUNT, self.member) is None:
            ledger.unmet("account_unknown", to_text(self.member))
        if ledger.get(MEMBER, self.member) is not None:
            ledger.unmet("member_exists", to_text(self.member))
        if ledger.get(MEMBER_NAME, self.name) is not None:
            ledger.unmet("member_name_taken", self.name)
        if self.country not in COUNTRIES:
            ledger.unmet("country_unknown", self.country)

    def carry_out(self, ledger: Ledger) -> None:
        height = ledger.block.height
        ledger.put(MEMBER, self.member, Member(self.name, self.country, "active", "", height, (), (), b"", "", False))
        ledger.put(MEMBER_NAME, self.name, NameHolder(self.member))


class MemberSetStatus(Value, tag="member.set_status", frozen=True):
    """Suspend, reinstate or revoke. Whoever is not active has power 0; a return to power is a proposal of its own."""

    member: Address
    status: Literal["active", "suspended", "revoked"]
    reason: Reason

    def guards(self, ledger: Ledger) -> None:
        member = ledger.get(MEMBER, self.member)
        if member is None or member.status == "revoked":
            ledger.unmet("member_unknown", to_text(self.member))
        elif self.status != "active" and (power := validators.power_of(ledger, self.member)):
            if validators.total_power(validators.current(ledger)) == power:
                ledger.unmet("last_member", to_text(self.member))
            validators.check_power_change(ledger, self.member, 0)

    def carry_out(self, ledger: Ledger) -> None:
        member = ledger.get(MEMBER, self.member)
        assert member is not None, "guarded"
        fraudulent = member.is_fraudulent or (self.status == "revoked" and self.reason == "fraud")
        reason: Literal[""] | Reason = self.reason if self.status != "active" else ""
        changed = replace(member, status=self.status, reason=reason, is_fraudulent=fraudulent)
        ledger.put(MEMBER, self.member, changed)
        if self.status != "active" and validators.power_of(ledger, self.member):
            validators.set_power(ledger, self.member, 0)


class RoleGrant(Value, tag="role.grant", frozen=True):
    """Grant a role: scope by WMI and country (empty is everything), with a start and an end (0 is none)."""

    member: Address
    role: Role
    wmis: Annotated[tuple[ScopeCode, ...], Meta(max_length=limits.LIST_MAX)]
    country: Annotated[str, Meta(pattern=r"^([A-Z]{2})?\Z")]
    starts_at_ms: Time
    ends_at_ms: Time

    def guards(self, ledger: Ledger) -> None:
        member = require_member(ledger, self.member)
        if member is None:
            return
        if any(g.role == self.role and g.status != "revoked" and g.wmis == self.wmis for g in member.grants):
            ledger.unmet("grant_exists", to_text(self.member), need=self.role)
        if len(member.grants) >= limits.GRANTS_MAX:
            ledger.unmet("grants_full", to_text(self.member), len(member.grants), limits.GRANTS_MAX)
        if self.country and self.country not in COUNTRIES:
            ledger.unmet("country_unknown", self.country)
        if self.ends_at_ms and self.ends_at_ms <= max(ledger.now_ms, self.starts_at_ms):
            need = f"after {time_to_text(max(ledger.now_ms, self.starts_at_ms))}"
            ledger.unmet("expiry_passed", self.role, time_to_text(self.ends_at_ms), need)

    def carry_out(self, ledger: Ledger) -> None:
        member = ledger.get(MEMBER, self.member)
        assert member is not None, "guarded"
        grant = Grant(self.role, self.wmis, self.country, self.starts_at_ms, self.ends_at_ms, "active", "")
        ledger.put(MEMBER, self.member, replace(member, grants=(*member.grants, grant)))


class RoleSetStatus(Value, tag="role.set_status", frozen=True):
    """Suspend, reinstate or revoke all of a member's grants of one role that are not revoked."""

    member: Address
    role: Role
    status: Literal["active", "suspended", "revoked"]
    reason: Reason

    def guards(self, ledger: Ledger) -> None:
        member = ledger.get(MEMBER, self.member)
        if member is None:
            ledger.unmet("member_unknown", to_text(self.member))
        elif not any(g.role == self.role and g.status != "revoked" for g in member.grants):
            ledger.unmet("grant_unknown", to_text(self.member), need=self.role)

    def carry_out(self, ledger: Ledger) -> None:
        member = ledger.get(MEMBER, self.member)
        assert member is not None, "guarded"
        reason: Literal[""] | Reason = self.reason if self.status != "active" else ""
        grants = tuple(
            replace(g, status=self.status, reason=reason) if g.role == self.role and g.status != "revoked" else g
            for g in member.grants
        )
        fraudulent = member.is_fraudulent or (self.status == "revoked" and self.reason == "fraud")
        ledger.put(MEMBER, self.member, replace(member, grants=grants, is_fraudulent=fraudulent))


class ValidatorSetPower(Value, tag="validator.set_power", frozen=True):
    """Give a member power; with a key (and its proof of possession) on first admission or rotation, else both empty."""

    member: Address
    power: validators.Power
    consensus_key: Annotated[bytes, Meta(max_length=32)]
    possession: Annotated[bytes, Meta(max_length=64, description="signature of the consensus key, or empty")]

    def guards(self, ledger: Ledger) -> None:
        if self.power and require_member(ledger, self.member) is None:
            return
        record = ledger.get(validators.VALIDATOR, self.member)
        if self.consensus_key:
            if ledger.get(validators.CONSENSUS_KEY, self.consensus_key) is not None:
                ledger.unmet("consensus_key_used", self.consensus_key.hex())
            message = validators.possession_bytes(ledger.block.genesis_hash, self.member, self.consensus_key)
            if not is_signature(self.consensus_key, message, self.possession):
                ledger.unmet("possession_unproven", self.consensus_key.hex())
        elif record is None:
            ledger.unmet("possession_unproven", to_text(self.member), need="a consensus key")
        validators.check_power_change(ledger, self.member, self.power)

    def carry_out(self, ledger: Ledger) -> None:
        validators.set_power(ledger, self.member, self.power, self.consensus_key)


class ParameterSet(Value, tag="parameter.set", frozen=True):
    """Set one chain parameter, within its range."""

    name: Annotated[str, Meta(pattern=r"^[a-z_]{1,40}\Z")]
    value: Annotated[int, Meta(ge=0, le=2**53)]

    def guards(self, ledger: Ledger) -> None:
        if self.name not in SETTABLE:
            ledger.unmet("parameter_unknown", self.name, need=", ".join(SETTABLE))
            return
        try:
            msgspec.convert(msgspec.to_builtins(self._changed(ledger)), ChainParams)
        except msgspec.ValidationError as error:
            ledger.unmet("parameter_range", self.name, self.value, error)

    def _changed(self, ledger: Ledger) -> ChainParams:
        return replace(params(ledger), **{self.name: self.value})

    def carry_out(self, ledger: Ledger) -> None:
        ledger.put(CHAIN, "params", self._changed(ledger))


class RulesetActivate(Value, tag="ruleset.activate", frozen=True):
    """Judge by another version of the frozen tables, and of what the code makes of them, from a height on.

    Whether a node's software knows the version is not asked here: all nodes must answer alike. One that does not know
    it stops before that height.
    """

    version: Annotated[int, Meta(ge=1, le=10_000)]
    height: Height

    def guards(self, ledger: Ledger) -> None:
        if self.version <= params(ledger).ruleset:
            ledger.unmet("ruleset_not_newer", str(self.version), need=f"above {params(ledger).ruleset}")
        if self.height <= ledger.block.height:
            ledger.unmet("height_passed", str(self.height), ledger.block.height)

    def carry_out(self, ledger: Ledger) -> None:
        changed = replace(params(ledger), next_ruleset=self.version, next_ruleset_height=self.height)
        ledger.put(CHAIN, "params", changed)


Action = MemberAdmit | MemberSetStatus | RoleGrant | RoleSetStatus | ValidatorSetPower | ParameterSet | RulesetActivate


class Proposal(Value, tag=1, frozen=True):
    proposer: Address
    action: Action
    expires_at_ms: Time
    yes: tuple[Address, ...]
    no: tuple[Address, ...]
    status: Literal["open", "carried_out", "failed", "refused"]


class OpenProposals(Value, tag=1, frozen=True):
    """A member's proposals that are open, or were when it last proposed: (id, expiry)."""

    proposals: tuple[tuple[Id, Time], ...]


PROPOSAL = Family("proposal", Proposal)
OPEN_PROPOSALS = Family("open-proposals", OpenProposals)


def _require_power(ledger: Ledger) -> None:
    require_member(ledger, ledger.sender)
    if not validators.power_of(ledger, ledger.sender):
        ledger.unmet("not_a_validator", to_text(ledger.sender))


def _is_open(proposal: Proposal | None, now_ms: int) -> bool:
    return proposal is not None and proposal.status == "open" and now_ms < proposal.expires_at_ms


def _decide(ledger: Ledger, proposal: Proposal) -> Proposal:
    """Weigh the votes by power as it is now; carry the action out where more than two thirds want it."""
    state = validators.current(ledger)
    total = validators.total_power(state)
    yes = sum(entry.power for entry in state.entries if entry.address in proposal.yes)
    no = sum(entry.power for entry in state.entries if entry.address in proposal.no)
    if 3 * yes > 2 * total:
        noted = len(ledger.unmet_guards)
        proposal.action.guards(ledger)
        if len(ledger.unmet_guards) > noted:
            del ledger.unmet_guards[noted:]
            return replace(proposal, status="failed")
        proposal.action.carry_out(ledger)
        return replace(proposal, status="carried_out")
    if 3 * no >= total:
        return replace(proposal, status="refused")
    return proposal


class GovernancePropose(Body, tag="governance.propose", frozen=True):
    """Propose an action; counts as the proposer's own yes."""

    action: Action
    weight: ClassVar[int] = 300

    def check_static(self) -> None:
        action = self.action
        if isinstance(action, ValidatorSetPower) and (len(action.consensus_key), len(action.possession)) not in (
            (0, 0),
            (32, 64),
        ):
            raise Malformed("consensus_key and possession: 32 and 64 bytes, or both empty")

    def _open(self, ledger: Ledger) -> tuple[tuple[bytes, int], ...]:
        known = ledger.get(OPEN_PROPOSALS, ledger.sender)
        return tuple(
            (i, expires)
            for i, expires in (known.proposals if known else ())
            if _is_open(ledger.get(PROPOSAL, i), ledger.now_ms)
        )

    def guards(self, ledger: Ledger) -> None:
        _require_power(ledger)
        self.action.guards(ledger)
        if len(self._open(ledger)) >= limits.PROPOSALS_OPEN_MAX:
            ledger.unmet("proposals_open", to_text(ledger.sender), need=f"at most {limits.PROPOSALS_OPEN_MAX}")

    def apply(self, ledger: Ledger) -> None:
        expires = ledger.now_ms + params(ledger).proposal_lifetime_ms
        proposal = _decide(ledger, Proposal(ledger.sender, self.action, expires, (ledger.sender,), (), "open"))
        ledger.put(PROPOSAL, ledger.txid, proposal)
        if proposal.status == "open":
            ledger.put(OPEN_PROPOSALS, ledger.sender, OpenProposals((*self._open(ledger), (ledger.txid, expires))))


class GovernanceVote(Body, tag="governance.vote", frozen=True):
    """Vote on an open proposal, once."""

    proposal: Id
    approve: bool
    weight: ClassVar[int] = 300

    def guards(self, ledger: Ledger) -> None:
        _require_power(ledger)
        proposal = ledger.get(PROPOSAL, self.proposal)
        if proposal is None:
            ledger.unmet("proposal_unknown", self.proposal.hex())
        elif not _is_open(proposal, ledger.now_ms):
            status = "expired" if proposal.status == "open" else proposal.status
            ledger.unmet("proposal_closed", self.proposal.hex(), status, "open")
        elif ledger.sender in proposal.yes + proposal.no:
            ledger.unmet("already_voted", to_text(ledger.sender))

    def apply(self, ledger: Ledger) -> None:
        proposal = ledger.get(PROPOSAL, self.proposal)
        assert proposal is not None, "guarded"
        if self.approve:
            proposal = replace(proposal, yes=(*proposal.yes, ledger.sender))
        else:
            proposal = replace(proposal, no=(*proposal.no, ledger.sender))
        ledger.put(PROPOSAL, self.proposal, _decide(ledger, proposal))

    def subjects(self) -> tuple[str, ...]:
        return (f"proposal/{self.proposal.hex()}",)
