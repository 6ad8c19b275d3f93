"""Groups of members, the number of their changes, and the list of those revoked for fraud."""

from __future__ import annotations

from collections.abc import Callable

from support.chain import START_MS, address
from support.governing import carry_out, codes_of
from support.life import Life
from support.stages import Case, at, change, force, table

from node.ledger.body import TransactionBody
from node.txtypes.chain.actions import Action, FraudLift, MemberRegroup, MemberSetStatus, RoleSetStatus
from node.txtypes.chain.governance import GovernancePropose
from node.txtypes.members.member import CHANGES_MAX, FRAUDS, MEMBER, Fraud, Frauds, Grant, StatusChange

BANK = address("bank-1")


def proposing(action: Action | Callable[[Life], Action]) -> Callable[[Life], TransactionBody]:
    return lambda life: GovernancePropose(action(life) if callable(action) else action)


def listed(role: str) -> Callable[[Life], None]:
    return lambda life: force(life.chain, FRAUDS, "all", Frauds((Fraud(BANK, role, START_MS),)))


def _changes(count: int) -> tuple[StatusChange, ...]:
    """Suspensions and reinstatements in turn, the last a reinstatement where the count is even."""
    kinds = (StatusChange("suspended", "request", START_MS), StatusChange("active", "", START_MS))
    return tuple(kinds[number % 2] for number in range(count))


def changed_often(count: int) -> Callable[[Life], None]:
    return lambda life: change(life.chain, MEMBER, BANK, changes=_changes(count))


def role_changed_often(count: int) -> Callable[[Life], None]:
    grant = Grant("bank", (), "", (), 0, 0, _changes(count))
    return lambda life: change(life.chain, MEMBER, BANK, grants=(grant,))


SUSPENDING, REVOKING = ("suspended", "request"), ("revoked", "ended")


@table(
    Case("another group", "", "bmw", proposing(MemberRegroup(BANK, "banks"))),
    Case("no group", "", "bmw", proposing(MemberRegroup(address("bmw"), ""))),
    Case("the same group", "", "bmw", proposing(MemberRegroup(address("bmw"), "bmw")), ("group_same",)),
    Case("no group as before", "", "bmw", proposing(MemberRegroup(BANK, "")), ("group_same",)),
    Case("no member", "", "bmw", proposing(MemberRegroup(address("buyer-1"), "x")), ("member_unknown",)),
)
def test_regrouping(case: Case) -> None:
    assert case.codes == case.run()


def test_a_member_is_in_one_group_at_a_time() -> None:
    chain = at("").chain
    assert "carried_out" == carry_out(chain, MemberRegroup(BANK, "banks"))
    assert "banks" == chain.state(MEMBER, BANK).group


@table(
    Case("a member's 15th", "", "bmw", proposing(MemberSetStatus(BANK, *SUSPENDING)),
         before=changed_often(CHANGES_MAX - 2)),
    Case("a member's 16th", "", "bmw", proposing(MemberSetStatus(BANK, *SUSPENDING)), ("changes_full",),
         before=changed_often(CHANGES_MAX - 1)),
    Case("a member's 16th, the last", "", "bmw", proposing(MemberSetStatus(BANK, *REVOKING)),
         before=changed_often(CHANGES_MAX - 1)),
    Case("a role's 15th", "", "bmw", proposing(RoleSetStatus(BANK, "bank", *SUSPENDING)),
         before=role_changed_often(CHANGES_MAX - 2)),
    Case("a role's 16th", "", "bmw", proposing(RoleSetStatus(BANK, "bank", *SUSPENDING)), ("changes_full",),
         before=role_changed_often(CHANGES_MAX - 1)),
    Case("a role's 16th, the last", "", "bmw", proposing(RoleSetStatus(BANK, "bank", *REVOKING)),
         before=role_changed_often(CHANGES_MAX - 1)),
)  # fmt: skip
def test_changes_of_a_status(case: Case) -> None:
    assert case.codes == case.run()


@table(
    Case("a member's, from a past time on", "", "bmw",
         proposing(MemberSetStatus(BANK, "revoked", "fraud", START_MS))),
    Case("a role's, from now on", "", "bmw", proposing(RoleSetStatus(BANK, "bank", "revoked", "fraud", 0))),
    Case("from a future time on", "", "bmw",
         proposing(lambda life: RoleSetStatus(BANK, "bank", "revoked", "fraud", life.chain.now + 1)),
         ("fraud_since",)),
    Case("a suspension from a time on", "", "bmw",
         proposing(MemberSetStatus(BANK, "suspended", "fraud", START_MS)), ("fraud_since",)),
    Case("for another reason from a time on", "", "bmw",
         proposing(RoleSetStatus(BANK, "bank", "revoked", "ended", START_MS)), ("fraud_since",)),
)  # fmt: skip
def test_revoking_for_fraud(case: Case) -> None:
    assert case.codes == case.run()


@table(
    Case("of a role", "", "bmw", proposing(FraudLift(BANK, "bank")), before=listed("bank")),
    Case("of a member", "", "bmw", proposing(FraudLift(BANK, "")), before=listed("")),
    Case("of another role", "", "bmw", proposing(FraudLift(BANK, "bank")), ("fraud_unknown",), before=listed("dealer")),
    Case("of a member that is listed in a role", "", "bmw", proposing(FraudLift(BANK, "")), ("fraud_unknown",),
         before=listed("bank")),
    Case("of nobody", "", "bmw", proposing(FraudLift(BANK, "bank")), ("fraud_unknown",)),
)  # fmt: skip
def test_lifting_a_fraud(case: Case) -> None:
    assert case.codes == case.run()


def test_a_fraud_is_lifted_once() -> None:
    chain = at("").chain
    carry_out(chain, RoleSetStatus(BANK, "bank", "revoked", "fraud", START_MS))
    assert (Fraud(BANK, "bank", START_MS),) == chain.state(FRAUDS, "all").entries
    carry_out(chain, FraudLift(BANK, "bank"))
    assert ["fraud_unknown"] == codes_of(chain, FraudLift(BANK, "bank"))
