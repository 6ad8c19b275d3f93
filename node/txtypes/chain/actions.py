"""The actions of governance: members, roles, validators' power, parameters, rulesets.

Each action is a small struct with its own guards, checked when it is proposed and again when it is carried out.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec
from msgspec import Meta
from msgspec.structs import replace

from node import limits
from node.codec import Value
from node.crypto.addresses import to_text
from node.crypto.signing import is_signature
from node.ledger.fields import (
    Address,
    Hash32,
    Height,
    Name,
    OptionalCountry,
    OptionalTime,
    RegistrationCountry,
    Role,
)
from node.ledger.guards import EXPIRY_PASSED, Guard
from node.ledger.json_form import time_to_text
from node.ledger.overlay import Ledger
from node.ledger.params import CHAIN, PARAMS_ID, SETTABLE, ChainParams
from node.ledger.static_rules import Lengths, StaticRule
from node.txtypes.chain import validator_set
from node.txtypes.disputes import arbiters
from node.txtypes.identity.account import ACCOUNT, ACCOUNT_UNKNOWN
from node.txtypes.members import member as members
from node.txtypes.members.conduct import is_on_hold, lift_hold
from node.txtypes.members.makers import MAKERS, with_maker
from node.txtypes.members.member import MEMBER, MEMBER_NAME, MEMBER_UNKNOWN, Grant, Member, NameHolder, require_member

MEMBER_EXISTS = Guard("member_exists", "the account is a member already", "das Konto ist schon Mitglied",
                      "该账户已是成员")  # fmt: skip
MEMBER_NAME_TAKEN = Guard("member_name_taken", "another member has this name", "ein anderes Mitglied hat diesen Namen",
                          "名称已被占用")  # fmt: skip
GROUP_SAME = Guard("group_same", "the member is in this group already", "das Mitglied ist schon in dieser Gruppe",
                   "成员已属于该集团")  # fmt: skip
FRAUD_UNKNOWN = Guard("fraud_unknown", "the account is not listed for fraud in this role",
                      "das Konto steht in dieser Rolle nicht auf der Liste der Betrüger",
                      "该账户在此角色下没有欺诈记录")  # fmt: skip
FRAUD_SINCE = Guard("fraud_since", "only a revocation for fraud names a time since when, and a past one",
                    "einen Zeitpunkt hat nur der Entzug wegen Betrugs, und er liegt nicht in der Zukunft",
                    "仅因欺诈撤销时可指定起始时间，且不得在未来")  # fmt: skip
NOT_ON_HOLD = Guard("not_on_hold", "the author is not on hold", "der Autor ist nicht gesperrt", "该作者未被暂停")
GRANT_UNKNOWN = Guard("grant_unknown", "the member does not hold this role", "das Mitglied hat diese Rolle nicht",
                      "成员没有此角色")  # fmt: skip
GRANT_EXISTS = Guard("grant_exists", "the member holds this role already", "das Mitglied hat diese Rolle schon",
                     "成员已有此角色")  # fmt: skip
GRANTS_FULL = Guard("grants_full", "the member has too many roles", "das Mitglied hat zu viele Rollen", "角色过多")
CONSENSUS_KEY_USED = Guard("consensus_key_used", "the consensus key was used before",
                           "der Konsensschlüssel wurde schon benutzt", "共识密钥已被使用")  # fmt: skip
POSSESSION_UNPROVEN = Guard("possession_unproven", "the consensus key's proof of possession is invalid",
                            "der Besitznachweis des Konsensschlüssels ist falsch", "共识密钥持有证明无效")  # fmt: skip
PARAMETER_UNKNOWN = Guard("parameter_unknown", "there is no such chain parameter",
                          "diesen Kettenparameter gibt es nicht", "链参数不存在")  # fmt: skip
PARAMETER_RANGE = Guard("parameter_range", "the value is out of the parameter's range",
                        "der Wert liegt außerhalb des Bereichs", "参数值越界")  # fmt: skip
RULESET_NOT_NEWER = Guard("ruleset_not_newer", "the ruleset is not newer than the one in force",
                          "das Regelwerk ist nicht neuer als das geltende", "规则集不比现行的新")  # fmt: skip
HEIGHT_PASSED = Guard("height_passed", "the height has passed", "die Höhe ist vorbei", "高度已过")
LAST_MEMBER = Guard("last_member", "no validator would have power", "kein Validator hätte Stimmkraft",
                    "链将失去全部权重")  # fmt: skip


def _is_for_fraud(status: members.Standing, reason: members.Reason) -> bool:
    return status == "revoked" and reason == "fraud"


def _check_fraud(
    ledger: Ledger, member: bytes, role: str, status: members.Standing, reason: members.Reason, since_ms: int
) -> None:
    if since_ms and (not _is_for_fraud(status, reason) or since_ms > ledger.now_ms):
        ledger.unmet(FRAUD_SINCE, to_text(member), time_to_text(since_ms))
    if _is_for_fraud(status, reason):
        members.check_room(ledger, member, role)


class MemberAdmit(Value, tag="member.admit", frozen=True):
    """Make an existing account a member."""

    member: Address
    name: Name
    country: RegistrationCountry
    group: members.Group = ""

    def guards(self, ledger: Ledger) -> None:
        if ledger.get(ACCOUNT, self.member) is None:
            ledger.unmet(ACCOUNT_UNKNOWN, to_text(self.member))
        if ledger.get(MEMBER, self.member) is not None:
            ledger.unmet(MEMBER_EXISTS, to_text(self.member))
        if ledger.get(MEMBER_NAME, self.name) is not None:
            ledger.unmet(MEMBER_NAME_TAKEN, self.name)

    def carry_out(self, ledger: Ledger) -> None:
        height = ledger.block.height
        ledger.put(MEMBER, self.member, Member(self.name, self.country, self.group, height, (), (), b"", "", ()))
        ledger.put(MEMBER_NAME, self.name, NameHolder(self.member))


class MemberRegroup(Value, tag="member.regroup", frozen=True):
    """Say which group of companies a member belongs to; empty for none."""

    member: Address
    group: members.Group

    def guards(self, ledger: Ledger) -> None:
        member = ledger.get(MEMBER, self.member)
        if member is None:
            ledger.unmet(MEMBER_UNKNOWN, to_text(self.member))
        elif member.group == self.group:
            ledger.unmet(GROUP_SAME, to_text(self.member), self.group)

    def carry_out(self, ledger: Ledger) -> None:
        ledger.put(MEMBER, self.member, replace(ledger.the(MEMBER, self.member), group=self.group))


class MemberSetStatus(Value, tag="member.set_status", frozen=True):
    """Suspend, reinstate or revoke a member. Only an active one has power; reinstatement does not restore it."""

    member: Address
    status: members.Standing
    reason: members.Reason
    fraud_since_ms: OptionalTime = 0
    """Of a revocation for fraud: from when on its records are marked; 0 is now."""

    def guards(self, ledger: Ledger) -> None:
        member = ledger.get(MEMBER, self.member)
        if member is not None:
            members.check_change(ledger, to_text(self.member), member.changes, self.status)
        if member is None or member.status == "revoked":
            ledger.unmet(MEMBER_UNKNOWN, to_text(self.member))
        elif self.status != "active" and (power := validator_set.power_of(ledger, self.member)):
            if validator_set.total_power(validator_set.current(ledger)) == power:
                ledger.unmet(LAST_MEMBER, to_text(self.member))
            validator_set.check_power_change(ledger, self.member, 0)
        _check_fraud(ledger, self.member, "", self.status, self.reason, self.fraud_since_ms)

    def carry_out(self, ledger: Ledger) -> None:
        member = ledger.the(MEMBER, self.member)
        changes = members.with_change(ledger, member.changes, self.status, self.reason)
        ledger.put(MEMBER, self.member, replace(member, changes=changes))
        if _is_for_fraud(self.status, self.reason):
            members.add_fraud(ledger, self.member, "", self.fraud_since_ms)
        if self.status != "active" and validator_set.power_of(ledger, self.member):
            validator_set.set_power(ledger, self.member, 0)


class RoleGrant(Value, tag="role.grant", frozen=True):
    """Grant a role: scope by WMI and country (empty is everything), with a start (0 is now) and an end (0 is none)."""

    member: Address
    role: Role
    wmis: members.Scope
    country: OptionalCountry
    capabilities: members.Capabilities
    starts_at_ms: OptionalTime
    ends_at_ms: OptionalTime

    def guards(self, ledger: Ledger) -> None:
        member = require_member(ledger, self.member)
        if member is None:
            return
        if any(g.role == self.role and g.status != "revoked" and g.wmis == self.wmis for g in member.grants):
            ledger.unmet(GRANT_EXISTS, to_text(self.member), need=self.role)
        if len(member.grants) >= limits.GRANTS_MAX:
            ledger.unmet(GRANTS_FULL, to_text(self.member), len(member.grants), limits.GRANTS_MAX)
        if self.role == "arbiter":
            arbiters.check_room(ledger, self.member)
        if self.ends_at_ms and self.ends_at_ms <= max(ledger.now_ms, self.starts_at_ms):
            need = f"after {time_to_text(max(ledger.now_ms, self.starts_at_ms))}"
            ledger.unmet(EXPIRY_PASSED, self.role, time_to_text(self.ends_at_ms), need)

    def carry_out(self, ledger: Ledger) -> None:
        member = ledger.the(MEMBER, self.member)
        starts = self.starts_at_ms or ledger.now_ms
        grant = Grant(self.role, self.wmis, self.country, self.capabilities, starts, self.ends_at_ms, ())
        ledger.put(MEMBER, self.member, replace(member, grants=(*member.grants, grant)))
        for wmi in self.wmis if self.role == "manufacturer" else ():
            ledger.put(MAKERS, wmi, with_maker(ledger.get(MAKERS, wmi), self.member, starts))
        if self.role == "arbiter":
            arbiters.add(ledger, self.member)


class RoleSetStatus(Value, tag="role.set_status", frozen=True):
    """Suspend, reinstate or revoke all of a member's grants of one role that are not revoked."""

    member: Address
    role: Role
    status: members.Standing
    reason: members.Reason
    fraud_since_ms: OptionalTime = 0
    """As in `member.set_status`."""

    def guards(self, ledger: Ledger) -> None:
        member = ledger.get(MEMBER, self.member)
        if member is None:
            ledger.unmet(MEMBER_UNKNOWN, to_text(self.member))
        elif not (found := [g for g in member.grants if g.role == self.role and g.status != "revoked"]):
            ledger.unmet(GRANT_UNKNOWN, to_text(self.member), need=self.role)
        else:
            members.check_change(ledger, to_text(self.member), max(found, key=_changes).changes, self.status)
        _check_fraud(ledger, self.member, self.role, self.status, self.reason, self.fraud_since_ms)

    def carry_out(self, ledger: Ledger) -> None:
        member = ledger.the(MEMBER, self.member)
        grants = tuple(
            replace(g, changes=members.with_change(ledger, g.changes, self.status, self.reason))
            if g.role == self.role and g.status != "revoked" else g
            for g in member.grants
        )  # fmt: skip
        ledger.put(MEMBER, self.member, replace(member, grants=grants))
        if _is_for_fraud(self.status, self.reason):
            members.add_fraud(ledger, self.member, self.role, self.fraud_since_ms)


def _changes(grant: Grant) -> int:
    return len(grant.changes)


class FraudLift(Value, tag="fraud.lift", frozen=True):
    """Take an account off the list of those revoked for fraud, as a member (empty role) or in one role."""

    member: Address
    role: Annotated[str, Meta(pattern=r"^[a-z0-9_]{0,40}\Z")]

    def guards(self, ledger: Ledger) -> None:
        if not members.is_listed_for_fraud(ledger, self.member, self.role):
            ledger.unmet(FRAUD_UNKNOWN, to_text(self.member), self.role)

    def carry_out(self, ledger: Ledger) -> None:
        members.lift_fraud(ledger, self.member, self.role)


class HoldLift(Value, tag="hold.lift", frozen=True):
    """Let an author write new records again before its hold has ended. The counters stay."""

    author: Address

    def guards(self, ledger: Ledger) -> None:
        if not is_on_hold(ledger, self.author):
            ledger.unmet(NOT_ON_HOLD, to_text(self.author))

    def carry_out(self, ledger: Ledger) -> None:
        lift_hold(ledger, self.author)


class ValidatorSetPower(Value, tag="validator.set_power", frozen=True):
    """Give a member power; with a key (and its proof of possession) on first admission or rotation, else both empty."""

    member: Address
    power: validator_set.Power
    consensus_key: Annotated[bytes, Meta(max_length=32)]
    possession: Annotated[bytes, Meta(max_length=64, description="signature of the consensus key, or empty")]
    static_rules: ClassVar[tuple[StaticRule, ...]] = (
        Lengths(("consensus_key", "possession"), ((32, 64), (0, 0))),
    )  # fmt: skip

    def guards(self, ledger: Ledger) -> None:
        if self.power and require_member(ledger, self.member) is None:
            return
        record = ledger.get(validator_set.VALIDATOR, self.member)
        if self.consensus_key:
            if ledger.get(validator_set.CONSENSUS_KEY, self.consensus_key) is not None:
                ledger.unmet(CONSENSUS_KEY_USED, self.consensus_key.hex())
            message = validator_set.possession_bytes(ledger.block.genesis_hash, self.member, self.consensus_key)
            if not is_signature(self.consensus_key, message, self.possession):
                ledger.unmet(POSSESSION_UNPROVEN, self.consensus_key.hex())
        elif record is None:
            ledger.unmet(POSSESSION_UNPROVEN, to_text(self.member), need="a consensus key")
        validator_set.check_power_change(ledger, self.member, self.power)

    def carry_out(self, ledger: Ledger) -> None:
        validator_set.set_power(ledger, self.member, self.power, self.consensus_key)


class ParameterSet(Value, tag="parameter.set", frozen=True):
    """Set one chain parameter, within its range."""

    name: Annotated[str, Meta(pattern=r"^[a-z_]{1,40}\Z")]
    value: Annotated[int, Meta(ge=0, le=2**53)]

    def guards(self, ledger: Ledger) -> None:
        if self.name not in SETTABLE:
            ledger.unmet(PARAMETER_UNKNOWN, self.name, need=", ".join(SETTABLE))
            return
        try:
            msgspec.convert(msgspec.to_builtins(self._changed(ledger)), ChainParams)
        except msgspec.ValidationError as error:
            ledger.unmet(PARAMETER_RANGE, self.name, self.value, error)

    def _changed(self, ledger: Ledger) -> ChainParams:
        return replace(ledger.params, **{self.name: self.value})

    def carry_out(self, ledger: Ledger) -> None:
        ledger.put(CHAIN, PARAMS_ID, self._changed(ledger))


class RulesetActivate(Value, tag="ruleset.activate", frozen=True):
    """Judge by another ruleset from a height on. Its hash tells apart two builds that have different ones of a number.

    No guard asks whether a node's software knows the ruleset: all nodes must answer alike. A node whose software does
    not know it stops before that height.
    """

    version: Annotated[int, Meta(ge=1, le=10_000)]
    height: Height
    hash: Hash32

    def guards(self, ledger: Ledger) -> None:
        if self.version <= ledger.params.ruleset:
            ledger.unmet(RULESET_NOT_NEWER, str(self.version), need=f"above {ledger.params.ruleset}")
        if self.height <= ledger.block.height:
            ledger.unmet(HEIGHT_PASSED, str(self.height), ledger.block.height)

    def carry_out(self, ledger: Ledger) -> None:
        changed = replace(
            ledger.params, next_ruleset=self.version, next_ruleset_height=self.height, next_ruleset_hash=self.hash
        )
        ledger.put(CHAIN, PARAMS_ID, changed)


Action = (
    MemberAdmit | MemberRegroup | MemberSetStatus | RoleGrant | RoleSetStatus | FraudLift | HoldLift | ValidatorSetPower
    | ParameterSet | RulesetActivate
)  # fmt: skip
