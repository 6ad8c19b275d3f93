"""Governance: who is granted a role, and what its status does."""

from __future__ import annotations

import pytest
from support.chain import address
from support.governing import (
    carry_out,
    codes_of,
)
from support.life import changed
from support.stages import at, change, ledger_of

from node.txtypes.chain.actions import Action, MemberSetStatus, RoleGrant, RoleSetStatus
from node.txtypes.members import member
from node.txtypes.members.member import FRAUDS, MEMBER, Grant, is_fraudulent, reason_of


# --- role.grant, role.set_status ----------------------------------------------------------------------
def role_grant(**changes) -> Action:
    scope = dict(member=address("bank-1"), role="dealer", wmis=(), country="", capabilities=())
    return RoleGrant(**scope | dict(starts_at_ms=0, ends_at_ms=0) | changes)


@pytest.mark.parametrize(
    ("changes", "codes"),
    [
        ({}, []),
        ({"country": "FR", "wmis": ("WBA",)}, []),
        ({"country": "XK"}, []),
        ({"country": "XX"}, ["code_unknown"]),
        ({"member": address("buyer-1")}, ["not_a_member"]),
        ({"role": "bank"}, ["grant_exists"]),
        ({"role": "bank", "wmis": ("WBA",)}, []),
        ({"role": "bank", "country": "FR"}, ["grant_exists"]),
    ],
)
def test_a_role_is_granted_once_per_scope(changes: dict, codes: list[str]) -> None:
    assert codes == codes_of(at("").chain, role_grant(**changes))


def test_a_revoked_role_can_be_granted_again_a_suspended_one_can_not() -> None:
    chain = at("").chain
    carry_out(chain, RoleSetStatus(address("bank-1"), "bank", "suspended", "request"))
    assert ["grant_exists"] == codes_of(chain, role_grant(role="bank"))
    carry_out(chain, RoleSetStatus(address("bank-1"), "bank", "revoked", "request"))
    assert [] == codes_of(chain, role_grant(role="bank"))


@pytest.mark.parametrize(
    ("starts", "ends", "codes"),
    [
        (0, None, []),
        (50, None, []),
        (-50, -1, ["expiry_passed"]),
        (-50, 0, ["expiry_passed"]),
        (-50, 1, []),
        (50, 50, ["expiry_passed"]),
        (50, 51, []),
    ],
)
def test_a_role_ends_after_its_start_and_after_now(starts: int, ends: int | None, codes: list[str]) -> None:
    """In milliseconds from now; None has no end."""
    chain = at("").chain
    end = 0 if ends is None else chain.now + ends
    assert codes == codes_of(chain, role_grant(starts_at_ms=chain.now + starts, ends_at_ms=end))


@pytest.mark.parametrize(("count", "codes"), [(31, []), (32, ["grants_full"])])
def test_a_member_has_thirty_two_grants(count: int, codes: list[str]) -> None:
    chain = at("").chain
    grants = tuple(Grant("carrier", (f"W{i:02}",), "", (), 0, 0, changed("revoked", "ended")) for i in range(count))
    change(chain, MEMBER, address("bank-1"), grants=grants)
    assert codes == codes_of(chain, role_grant())


def test_a_granted_role_is_the_members() -> None:
    chain = at("").chain
    before = chain.state(MEMBER, address("bank-1")).grants
    assert "carried_out" == carry_out(chain, role_grant(wmis=("WBA",), country="AT", starts_at_ms=5, ends_at_ms=2**47))
    granted = Grant("dealer", ("WBA",), "AT", (), 5, 2**47, ())
    assert (*before, granted) == chain.state(MEMBER, address("bank-1")).grants


@pytest.mark.parametrize(
    ("name", "role", "codes"),
    [
        ("bank-1", "bank", []),
        ("bank-1", "dealer", ["grant_unknown"]),
        ("buyer-1", "bank", ["member_unknown"]),
    ],
)
def test_a_status_is_set_on_a_role_that_is_held(name: str, role: str, codes: list[str]) -> None:
    assert codes == codes_of(at("").chain, RoleSetStatus(address(name), role, "suspended", "other"))


def test_a_revoked_role_stays_revoked_and_others_are_untouched() -> None:
    chain = at("").chain
    action = RoleSetStatus(address("bank-1"), "bank", "revoked", "ended")
    assert "carried_out" == carry_out(chain, action)
    statuses = [(g.role, g.status, reason_of(g.changes)) for g in chain.state(MEMBER, address("bank-1")).grants]
    assert [("bank", "revoked", "ended"), ("payment_provider", "active", "")] == statuses
    assert not is_fraudulent(ledger_of(chain), address("bank-1"), chain.now)
    assert ["grant_unknown"] == codes_of(chain, RoleSetStatus(address("bank-1"), "bank", "active", "other"))


def test_what_is_revoked_is_left_alone_by_a_status_of_the_same_role() -> None:
    chain = at("").chain
    carry_out(chain, RoleSetStatus(address("bank-1"), "bank", "revoked", "ended"))
    carry_out(chain, role_grant(role="bank", country="DE"))
    for status, reason in (("suspended", "request"), ("active", "")):
        carry_out(chain, RoleSetStatus(address("bank-1"), "bank", status, "request"))
        grants = [g for g in chain.state(MEMBER, address("bank-1")).grants if g.role == "bank"]
        found = [(g.country, g.status, reason_of(g.changes)) for g in grants]
        assert [("", "revoked", "ended"), ("DE", status, reason)] == found


@pytest.mark.parametrize(
    ("status", "reason", "marked"),
    [("suspended", "fraud", False), ("revoked", "fraud", True), ("revoked", "ended", False)],
)
def test_a_role_that_is_revoked_for_fraud_marks_its_member(status: str, reason: str, marked: bool) -> None:
    chain = at("").chain
    carry_out(chain, RoleSetStatus(address("bank-1"), "bank", status, reason))
    assert marked == is_fraudulent(ledger_of(chain), address("bank-1"), chain.now)


def test_a_full_list_of_frauds_takes_no_more_and_a_revocation_for_another_reason_remains(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(member, "FRAUDS_MAX", 1)
    chain = at("").chain
    carry_out(chain, RoleSetStatus(address("insurer-1"), "insurer", "revoked", "fraud"))
    assert ["frauds_full"] == codes_of(chain, RoleSetStatus(address("bank-1"), "bank", "revoked", "fraud"))
    assert ["frauds_full"] == codes_of(chain, MemberSetStatus(address("bank-1"), "revoked", "fraud"))
    assert [] == codes_of(chain, RoleSetStatus(address("bank-1"), "bank", "revoked", "ended"))
    (entry,) = chain.state(FRAUDS, "all").entries
    assert (address("insurer-1"), "insurer") == (entry.author, entry.role)


def test_frauds_are_listed_by_author_and_role_and_keep_their_date() -> None:
    chain = at("").chain
    for action in (
        RoleSetStatus(address("bank-1"), "payment_provider", "revoked", "fraud"),
        RoleSetStatus(address("bank-1"), "bank", "revoked", "fraud"),
        MemberSetStatus(address("bank-1"), "revoked", "fraud"),
    ):
        carry_out(chain, action)
    entries = chain.state(FRAUDS, "all").entries
    assert ["", "bank", "payment_provider"] == [entry.role for entry in entries]
    assert entries[0].since_ms < chain.now and len({entry.since_ms for entry in entries}) == 3
    assert list(entries) == sorted(entries, key=lambda entry: (entry.author, entry.role))
