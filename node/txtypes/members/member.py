"""Members: the roles governance grants them, the directory entry that each keeps itself, revocations for fraud."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, ClassVar, Final, Literal

from msgspec import Meta
from msgspec.structs import replace

from node import limits
from node.codec import Value
from node.crypto.addresses import to_text
from node.ledger import fields, kinds
from node.ledger.body import TransactionBody
from node.ledger.example import Example
from node.ledger.family import ADDRESS_IDENT, NAME_IDENT, AsOf, Family, Ident, Index, Reader, extended, fixed_ident
from node.ledger.fields import (
    Address,
    Code,
    Codes,
    Height,
    Name,
    OptionalCountry,
    OptionalHash,
    OptionalTime,
    RegistrationCountry,
    Role,
    Time,
)
from node.ledger.guards import Guard
from node.ledger.overlay import Ledger
from node.ledger.static_rules import StaticRule, Unique, hash_or_empty
from node.rules.roles import ROLES

Reason = Literal["ended", "fraud", "non_payment", "accreditation_lost", "security", "request", "other"]
Standing = Literal["active", "suspended", "revoked"]
ScopeCode = Annotated[
    str, Meta(pattern=r"^[A-HJ-NPR-Z0-9]{3}([A-HJ-NPR-Z0-9]{3})?\Z", description="world manufacturer identifier")
]
"""Three characters; six where the third is 9, which ISO 3780 gives to makers of few cars."""
Scope = Annotated[tuple[ScopeCode, ...], Meta(max_length=limits.LIST_MAX)]
Capability = Literal["hv", "structural", "assist"]
"""What a workshop may do beside ordinary work: high voltage, load-bearing parts, driver assistance."""
Capabilities = Annotated[tuple[Capability, ...], Meta(max_length=3)]
Group = Annotated[
    str, Meta(pattern=r"^([a-z0-9][a-z0-9-]{0,39})?\Z", description="group of companies, or empty"), kinds.CODE
]
_DAY = "(Mo|Tu|We|Th|Fr|Sa|Su|PH|SH)"
_DAYS, _HOURS = f"{_DAY}((,|-){_DAY}){{0,8}}", "[0-2][0-9]:[0-5][0-9]-[0-2][0-9]:[0-5][0-9]"
_RULE = f"({_DAYS} )?(off|({_HOURS},){{0,3}}{_HOURS})"
OpeningHours = Annotated[
    str, Meta(pattern=rf"^({_RULE}(; ?{_RULE}){{0,7}})?\Z", max_length=80, description="as in OpenStreetMap")
]
"""Rules of weekdays (PH: public holidays, SH: school holidays) and hours, such as `Mo-Fr 08:00-18:00; Sa 09:00-12:00`:
no free text."""

NOT_A_MEMBER = Guard("not_a_member", "the account is not an active member", "das Konto ist kein aktives Mitglied",
                     "该账户不是有效成员", is_permission=True)  # fmt: skip
ROLE_MISSING = Guard("role_missing", "the account does not hold the role now", "das Konto hat die Rolle jetzt nicht",
                     "该账户当前没有此角色", is_permission=True)  # fmt: skip
ROLE_AT_EVENT = Guard("role_at_event", "the account did not hold the role at the time of the event",
                      "das Konto hatte die Rolle zur Zeit des Ereignisses nicht", "该账户在事件发生时没有此角色",
                      is_permission=True)  # fmt: skip
ROLE_SCOPE = Guard("role_scope", "the role's scope does not cover this", "die Rolle gilt hierfür nicht",
                   "角色范围不包括此项", is_permission=True)  # fmt: skip
MEMBER_UNKNOWN = Guard("member_unknown", "there is no such member", "dieses Mitglied gibt es nicht", "成员不存在")
FRAUDS_FULL = Guard("frauds_full", "the list of authors revoked for fraud is full",
                    "die Liste der wegen Betrugs Ausgeschlossenen ist voll", "因欺诈被撤销者名单已满")  # fmt: skip

CHANGES_FULL = Guard("changes_full", "the member or the role was suspended and reinstated too often: only revoke it",
                     "das Mitglied oder die Rolle wurde zu oft geändert: nur noch Entzug ist möglich",
                     "状态变更次数过多，只能撤销")  # fmt: skip

CHANGES_MAX: Final = 16
"""Changes of the status of a member or a grant. The last one is kept for a revocation."""
FRAUDS_MAX: Final = 1_000
"""Authors in the list. When it is full, a revocation for fraud is refused; one for another reason remains possible."""


class StatusChange(Value, frozen=True):
    """A suspension, reinstatement or revocation, and when it took effect. An active status has no reason."""

    status: Standing
    reason: Literal[""] | Reason
    at_ms: Time


Changes = Annotated[tuple[StatusChange, ...], Meta(max_length=CHANGES_MAX)]


def status_at(changes: tuple[StatusChange, ...], at_ms: int) -> Standing:
    """The status at a time: that of the last change until then, before any change active."""
    return next((change.status for change in reversed(changes) if change.at_ms <= at_ms), "active")


class Grant(Value, frozen=True):
    """A role with its scope and time. `ends_at_ms` 0 has no end; an empty scope covers everything. `changes`: each
    suspension, reinstatement and revocation, in order."""

    role: Role
    wmis: Scope
    country: OptionalCountry
    capabilities: Capabilities
    starts_at_ms: OptionalTime
    ends_at_ms: OptionalTime
    changes: Changes

    @property
    def status(self) -> Standing:
        return self.changes[-1].status if self.changes else "active"

    def is_active(self, at_ms: int) -> bool:
        """Whether the role was held at a time. Deadlines are lazy: past its end it is not held."""
        is_running = self.starts_at_ms <= at_ms and (self.ends_at_ms == 0 or at_ms < self.ends_at_ms)
        return is_running and (not self.changes or status_at(self.changes, at_ms) == "active")

    def covers(self, wmi: str, country: str) -> bool:
        """Whether the scope has both; an empty argument is always in scope."""
        return (not wmi or not self.wmis or wmi in self.wmis) and (not country or self.country in ("", country))


class Site(Value, frozen=True):
    """A place of business. `capabilities`: codes of what it is equipped for, such as HIGH_VOLTAGE; `valid_until_ms`:
    when it closes for good."""

    code: Code
    country: RegistrationCountry
    latitude_e6: Annotated[int, Meta(ge=-90_000_000, le=90_000_000)]
    longitude_e6: Annotated[int, Meta(ge=-180_000_000, le=180_000_000)]
    services: Codes
    opening_hours: OpeningHours
    phone: Annotated[str, Meta(pattern=r"^(\+[1-9][0-9]{4,14})?\Z", description="E.164, the business's own")]
    mail: Annotated[str, Meta(pattern=r"^([a-z0-9._-]{1,40}@[a-z0-9.-]{3,60})?\Z", description="the business's own")]
    capabilities: Annotated[tuple[Code, ...], Meta(max_length=32)] = ()
    valid_until_ms: OptionalTime = 0


class Member(Value, tag=1, frozen=True):
    """A business that takes part in the chain. Members of one `group` count as one where independence is asked for."""

    name: Name
    country: RegistrationCountry
    group: Group
    admitted_height: Height
    grants: tuple[Grant, ...]
    sites: tuple[Site, ...]
    node_key: OptionalHash
    node_address: str
    changes: Changes

    @property
    def status(self) -> Standing:
        return self.changes[-1].status if self.changes else "active"

    def is_active(self, at_ms: int) -> bool:
        """Whether it was an active member at a time."""
        return not self.changes or status_at(self.changes, at_ms) == "active"


class NameHolder(Value, tag=1, frozen=True):
    """The member that has a name."""

    address: Address


class GrantView(Grant, frozen=True):
    """A role, and its status now."""

    status: Standing
    reason: Literal[""] | Reason


class MemberView(Member, frozen=True):
    """A member with the roles it has now; `grants` are all of its present and past ones."""

    address: Address
    status: Standing
    reason: Literal[""] | Reason
    roles: tuple[str, ...]
    grants: tuple[GrantView, ...]

    @staticmethod
    def of(ident: str, member: Member, reader: Reader, as_of: AsOf) -> MemberView:
        return extended(
            MemberView, member, address=bytes.fromhex(ident), status=member.status, reason=reason_of(member.changes),
            roles=roles_of(member, as_of.now_ms),
            grants=tuple(extended(GrantView, grant, status=grant.status, reason=reason_of(grant.changes))
                         for grant in member.grants),
        )  # fmt: skip


def reason_of(changes: tuple[StatusChange, ...]) -> Literal[""] | Reason:
    """The reason of the status now."""
    return changes[-1].reason if changes else ""


def check_change(ledger: Ledger, subject: str, changes: tuple[StatusChange, ...], status: Standing) -> None:
    """Notes `changes_full` unless there is room for one more change."""
    if len(changes) >= CHANGES_MAX - (status != "revoked"):
        ledger.unmet(CHANGES_FULL, subject, len(changes), f"below {CHANGES_MAX - 1}")


def with_change(
    ledger: Ledger, changes: tuple[StatusChange, ...], status: Standing, reason: Reason
) -> tuple[StatusChange, ...]:
    return (*changes, StatusChange(status, reason if status != "active" else "", ledger.now_ms))


def roles_of(member: Member, now_ms: int) -> tuple[str, ...]:
    """The roles that a member has now."""
    active = {grant.role for grant in member.grants if grant.is_active(now_ms)}
    return tuple(sorted(active)) if member.status == "active" else ()


MEMBER = Family(
    "member", Member, ident=ADDRESS_IDENT,
    indexes=(
        Index("role", lambda member: sorted({grant.role for grant in member.grants if grant.status == "active"}),
              Ident("a role", "[a-z_]{1,40}", ROLES),
              lambda ident, member, role, reader, as_of: role in roles_of(member, as_of.now_ms),
              "a role that the member has now"),
    ),
    concerns=lambda ident, member: (f"account/{ident}",), event="member", status=lambda member: member.status,
    path="/v1/members", view=MemberView, internal=("address", "admitted_height"), is_common=True,
)  # fmt: skip
MEMBER_NAME = Family("member-name", NameHolder, ident=NAME_IDENT)


def active_member(reader: Reader, address: bytes) -> Member | None:
    member = reader.get(MEMBER, address)
    return member if member is not None and member.status == "active" else None


def name_of(reader: Reader, address: bytes) -> str:
    """The member's business name, empty for an account that is no member."""
    member = reader.get(MEMBER, address)
    return member.name if member is not None else ""


def require_member(ledger: Ledger, address: bytes) -> Member | None:
    """The active member, or None after noting `not_a_member`."""
    member = active_member(ledger, address)
    if member is None:
        ledger.unmet(NOT_A_MEMBER, to_text(address))
    return member


def is_any_active(grants: Iterable[Grant], at_ms: int) -> bool:
    """Whether one of the roles was held at a time."""
    return bool([grant for grant in grants if grant.is_active(at_ms)])


def has_role(ledger: Ledger, address: bytes, *roles: str) -> bool:
    member, now_ms = active_member(ledger, address), ledger.now_ms
    return member is not None and bool([g for g in member.grants if g.role in roles and g.is_active(now_ms)])


def has_role_at(
    reader: Reader, address: bytes, at_ms: int, *roles: str, wmi: str = "", country: str = "", capability: str = ""
) -> bool:
    """Whether the account held one of the roles at a time, with a scope that covers the WMI and the country, and with
    the capability."""
    member = reader.get(MEMBER, address)
    return member is not None and member.is_active(at_ms) and any(
        grant.role in roles and grant.is_active(at_ms) and grant.covers(wmi, country)
        and (not capability or capability in grant.capabilities)
        for grant in member.grants
    )  # fmt: skip


def require_role(ledger: Ledger, address: bytes, *roles: str, wmi: str = "", country: str = "") -> None:
    """Notes `role_missing`, or `role_scope` where no grant covers the WMI and the country."""
    member = active_member(ledger, address)
    held = [g for g in member.grants if g.role in roles and g.is_active(ledger.now_ms)] if member else []
    if not held:
        ledger.unmet(ROLE_MISSING, to_text(address), need=" or ".join(roles))
    elif not any(grant.covers(wmi, country) for grant in held):
        ledger.unmet(ROLE_SCOPE, to_text(address), need=" ".join(filter(None, (wmi, country))))


def group_of(reader: Reader, address: bytes) -> str:
    """The member's group, empty for none."""
    member = reader.get(MEMBER, address)
    return member.group if member is not None else ""


def site_of(member: Member | None, code: str) -> Site | None:
    """The place of business with a code."""
    return next((site for site in member.sites if site.code == code), None) if member is not None else None


class Roles:
    """The sender has one of the roles now. `wmi(body)`: the world manufacturer identifier that the grant must cover."""

    def __init__(self, *names: str, wmi: Callable[[Any], str] | None = None) -> None:
        self.names = names
        self._wmi = wmi
        self.text = " or ".join(names) + (", for the vehicle's manufacturer identifier" if wmi is not None else "")

    def check(self, ledger: Ledger, body: Any) -> None:
        require_role(ledger, ledger.sender, *self.names, wmi=self._wmi(body) if self._wmi is not None else "")


class AnyMember:
    """The sender is an active member."""

    text = "an active member"

    def check(self, ledger: Ledger, body: Any) -> None:
        require_member(ledger, ledger.sender)


class MemberUpdate(TransactionBody, tag="member.update", frozen=True):
    """Replace the member's own directory entry: sites, and the node others may dial."""

    sites: Annotated[tuple[Site, ...], Meta(max_length=limits.SITES_MAX)]
    node_key: OptionalHash
    node_address: fields.NodeAddress
    static_rules: ClassVar[tuple[StaticRule, ...]] = (hash_or_empty("node_key"), Unique("sites", by="code"))
    by: ClassVar[AnyMember] = AnyMember()
    EXAMPLE: ClassVar[Example] = Example("dealer-munich", {
        "sites": [{"code": "MUC-1", "country": "DE", "latitude_e6": 48_177_000, "longitude_e6": 11_559_000,
                   "services": ["ENGINE_OIL"], "opening_hours": "Mo-Fr 08:00-18:00", "phone": "+498938200",
                   "mail": "info@dealer-munich.example"}],
        "node_key": "", "node_address": "127.0.0.1:26801",
    })  # fmt: skip

    def guards(self, ledger: Ledger) -> None:
        """Membership is enough."""

    def apply(self, ledger: Ledger) -> None:
        member = ledger.the(MEMBER, ledger.sender)
        changed = replace(member, sites=self.sites, node_key=self.node_key, node_address=self.node_address)
        ledger.put(MEMBER, ledger.sender, changed)


# --- authors revoked for fraud ------------------------------------------------------------------------------
class Fraud(Value, frozen=True):
    """An author revoked for fraud, as a member (empty role) or in one role. Its records with an event or inclusion at
    or after `since_ms` are marked, and clear nothing."""

    author: Address
    role: str
    since_ms: Time


class Frauds(Value, tag=1, frozen=True):
    """The list of authors revoked for fraud, ascending by author and role. One proof covers the whole list."""

    entries: tuple[Fraud, ...]


FRAUDS: Final = Family("frauds", Frauds, ident=fixed_ident("all"), is_common=True)


def _entries(reader: Reader) -> tuple[Fraud, ...]:
    frauds = reader.get(FRAUDS, "all")
    return frauds.entries if frauds is not None else ()


def is_fraudulent(reader: Reader, author: bytes, *times_ms: int) -> bool:
    """Whether a record of the author is marked that has one of the times: of its event, of its inclusion."""
    return any(entry.author == author and max(times_ms) >= entry.since_ms for entry in _entries(reader))


def frauds_since(reader: Reader) -> Mapping[bytes, int]:
    """Author to the first time from which its records are marked."""
    since: dict[bytes, int] = {}
    for entry in _entries(reader):
        since[entry.author] = min(entry.since_ms, since.get(entry.author, entry.since_ms))
    return since


def check_room(ledger: Ledger, author: bytes, role: str) -> None:
    entries = _entries(ledger)
    if (author, role) not in {(entry.author, entry.role) for entry in entries} and len(entries) >= FRAUDS_MAX:
        ledger.unmet(FRAUDS_FULL, to_text(author), len(entries), f"below {FRAUDS_MAX}")


def add_fraud(ledger: Ledger, author: bytes, role: str, since_ms: int) -> None:
    """List the author from a time on, 0 for now; an author that is listed already keeps the earlier time."""
    entries = {(entry.author, entry.role): entry for entry in _entries(ledger)}
    since, known = since_ms or ledger.now_ms, entries.get((author, role))
    if known is None or since < known.since_ms:
        entries[author, role] = Fraud(author, role, since)
        ledger.put(FRAUDS, "all", Frauds(tuple(entries[key] for key in sorted(entries))))


def is_listed_for_fraud(reader: Reader, author: bytes, role: str) -> bool:
    return any((entry.author, entry.role) == (author, role) for entry in _entries(reader))


def lift_fraud(ledger: Ledger, author: bytes, role: str) -> None:
    """Take the author off the list."""
    kept = tuple(entry for entry in _entries(ledger) if (entry.author, entry.role) != (author, role))
    ledger.put(FRAUDS, "all", Frauds(kept) if kept else None)
