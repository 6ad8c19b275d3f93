"""Guards of accounts, members and roles."""

from __future__ import annotations

import pytest
from support.chain import START_MS, address
from support.life import changed, register
from support.stages import Case, at, change, ledger_of, signed, table

from node.crypto.addresses import address_of
from node.crypto.dev_keys import dev_key
from node.ledger.guards import GuardsUnmet, Unmet
from node.txtypes.identity.account import ACCOUNT, AccountOpen, AccountUpdateKeys
from node.txtypes.members.member import MEMBER, Grant, MemberUpdate, Site, has_role, require_member, require_role

NEW = dev_key("account", "newcomer")
NEW_ADDRESS = address_of(NEW.public)


def site(country: str = "DE", code: str = "MUC-1") -> Site:
    return Site(code, country, 48_137_154, 11_576_124, (), "Mo-Fr 08:00-18:00", "+4989123456", "service@example.com")


def update(*sites: Site) -> MemberUpdate:
    return MemberUpdate(sites, b"", "")


@pytest.mark.parametrize(
    ("sponsor", "codes"),
    [("bmw", []), ("bank-1", []), ("workshop-berlin", []), ("buyer-1", ["not_a_member"])],
)
def test_members_sponsor_accounts(sponsor: str, codes: list[str]) -> None:
    chain = at("").chain
    body = AccountOpen((NEW.public,), 1, b"")
    assert codes == chain.unmet(chain.sign(sponsor, body, extra=[(NEW_ADDRESS, NEW)]))


@pytest.mark.parametrize("status", ["suspended", "revoked"])
def test_a_member_that_is_not_active_is_none(status: str) -> None:
    chain = at("").chain
    change(chain, MEMBER, address("bank-1"), changes=changed(status, "other"))
    body = AccountOpen((NEW.public,), 1, b"")
    assert ["not_a_member"] == chain.unmet(chain.sign("bank-1", body, extra=[(NEW_ADDRESS, NEW)]))
    assert ["not_a_member"] == chain.unmet(chain.sign("bank-1", update()))


def test_an_opened_account_is_as_it_was_asked_for() -> None:
    chain = at("").chain
    other = dev_key("account", "second")
    keys = (NEW.public, other.public)
    chain.do("bank-1", AccountOpen(keys, 2, bytes(32)), extra=[(NEW_ADDRESS, NEW), (NEW_ADDRESS, other)])
    account = chain.state(ACCOUNT, NEW_ADDRESS)
    assert (keys, 2, bytes(32), address("bank-1")) == (
        account.keys, account.threshold, account.sealing_hash, account.sponsor,
    )  # fmt: skip
    assert (1, 1) == (account.opened_height, account.updated_height)


def test_an_address_is_never_opened_twice_even_when_its_first_key_is_gone() -> None:
    chain = at("").chain
    chain.do("bank-1", AccountOpen((NEW.public,), 1, b""), extra=[(NEW_ADDRESS, NEW)])
    again = AccountOpen((NEW.public,), 1, b"")
    assert ["account_exists"] == chain.unmet(chain.sign("bmw", again, extra=[(NEW_ADDRESS, NEW)]))
    other = dev_key("account", "other")
    chain.produce(signed(chain, NEW_ADDRESS, AccountUpdateKeys((other.public,), 1, b""), (NEW_ADDRESS, NEW)))
    assert ["account_exists"] == chain.unmet(chain.sign("bmw", again, extra=[(NEW_ADDRESS, NEW)]))


@table(
    Case("no site", "", "bmw", lambda life: update()),
    Case("a site", "", "bmw", lambda life: update(site())),
    Case("unknown country", "", "bmw", lambda life: update(site("XX")), ("code_unknown",)),
    Case("two unknown countries", "", "bmw", lambda life: update(site("XX"), site("DE", "A"), site("EU", "B")),
         ("code_unknown", "code_unknown")),
    Case("no member", "", "buyer-1", lambda life: update(site("XX")), ("code_unknown", "not_a_member")),
)  # fmt: skip
def test_member_update(case: Case) -> None:
    assert case.codes == case.run()


def test_a_member_replaces_its_own_entry_and_nothing_else() -> None:
    chain = at("").chain
    before = chain.state(MEMBER, address("bmw"))
    chain.do("bmw", MemberUpdate((site(),), bytes(32), "node.example.com:26656"))
    after = chain.state(MEMBER, address("bmw"))
    assert ((site(),), bytes(32), "node.example.com:26656") == (after.sites, after.node_key, after.node_address)
    assert (before.name, before.grants, before.status) == (after.name, after.grants, after.status)


# --- roles --------------------------------------------------------------------------------------------
NOW = 1_000


@pytest.mark.parametrize(
    ("starts", "ends", "status", "is_active"),
    [
        (0, 0, "active", True),
        (NOW, 0, "active", True),
        (NOW + 1, 0, "active", False),
        (0, NOW + 1, "active", True),
        (0, NOW, "active", False),
        (0, 0, "suspended", False),
        (0, 0, "revoked", False),
    ],
)
def test_a_grant_is_active_from_its_start_to_before_its_end(starts: int, ends: int, status: str, is_active: bool):
    assert is_active == Grant("dealer", (), "", (), starts, ends, changed(status, "")).is_active(NOW)


def _codes(*grants: Grant, status: str = "active", **scope: str) -> list[str]:
    chain = at("").chain
    change(chain, MEMBER, address("bmw"), grants=grants, changes=changed(status, "other"))
    ledger = ledger_of(chain, address("bmw"))
    require_role(ledger, address("bmw"), "dealer", "workshop", **scope)
    codes = [guard.code for guard in ledger.unmet_guards]
    assert has_role(ledger, address("bmw"), "dealer", "workshop") == ("role_missing" not in codes)
    return codes


def grant(role: str = "dealer", wmis=(), country: str = "", **changes) -> Grant:
    scope = dict(role=role, wmis=wmis, country=country, capabilities=())
    return Grant(**scope | dict(starts_at_ms=0, ends_at_ms=0, changes=()) | changes)


def test_one_active_grant_of_any_of_the_roles_suffices() -> None:
    assert [] == _codes(grant("dealer"))
    assert [] == _codes(grant("bank"), grant("workshop"))
    assert ["role_missing"] == _codes(grant("bank"))
    assert ["role_missing"] == _codes()
    assert ["role_missing"] == _codes(grant("dealer"), status="suspended")
    assert ["role_missing"] == _codes(
        grant("dealer", changes=changed("suspended", "other")), grant("workshop", ends_at_ms=START_MS)
    )
    assert ["role_missing"] == _codes(grant("dealer", starts_at_ms=2 * START_MS))


def test_the_scope_of_one_grant_covers_both_wmi_and_country() -> None:
    both = {"wmi": "WBA", "country": "DE"}
    assert [] == _codes(grant(wmis=("WBA",), country="DE"), **both)
    assert [] == _codes(grant(), **both)
    assert ["role_scope"] == _codes(grant(wmis=("WBS",)), **both)
    assert ["role_scope"] == _codes(grant(country="FR"), **both)
    assert ["role_scope"] == _codes(grant(wmis=("WBA",), country="FR"), grant(wmis=("WBS",), country="DE"), **both)
    assert [] == _codes(grant(wmis=("WBS",)), grant(wmis=("WBS", "WBA")), **both)
    assert [] == _codes(grant(wmis=("WBS",), country="FR"))


def test_require_member_returns_the_member_or_notes_why_not() -> None:
    ledger = ledger_of(at("").chain)
    assert "bmw" == require_member(ledger, address("bmw")).name
    assert [] == ledger.unmet_guards
    assert require_member(ledger, address("buyer-1")) is None
    assert ["not_a_member"] == [guard.code for guard in ledger.unmet_guards]


@table(
    Case("covered", "", "bmw", lambda life: register("WBS8E9G50GNU12345")),
    Case("other WMI", "", "bmw", lambda life: register("WVW8E9G50GNU12345"), ("role_scope",)),
    Case("no manufacturer", "", "dealer-munich", lambda life: register(), ("role_missing",)),
    Case("no member", "", "buyer-1", lambda life: register(), ("role_missing",)),
    Case("role ended", "", "bmw", lambda life: register(), ("role_missing",), before=lambda life: change(
        life.chain, MEMBER, address("bmw"), grants=(grant("manufacturer", ends_at_ms=life.chain.now),))),
    Case("role ends next", "", "bmw", lambda life: register(), before=lambda life: change(
        life.chain, MEMBER, address("bmw"), grants=(grant("manufacturer", ends_at_ms=life.chain.now + 1),))),
)  # fmt: skip
def test_a_manufacturer_registers_what_its_accreditation_covers(case: Case) -> None:
    assert case.codes == case.run()


def test_a_refusal_is_about_permission_when_every_guard_is() -> None:
    assert GuardsUnmet((Unmet("not_a_member", "", "", ""), Unmet("role_missing", "", "", ""))).is_permission
    assert not GuardsUnmet((Unmet("not_a_member", "", "", ""), Unmet("code_unknown", "", "", ""))).is_permission
