"""Members, the roles they hold, and the directory entry that they keep themselves."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta
from msgspec.structs import replace

from node import limits
from node.crypto.addresses import to_text
from node.errors import Malformed
from node.rules.countries import COUNTRIES
from node.txtypes.body import Body
from node.txtypes.fields import Address, Code, Country, Height, Name, OptionalHash, Time, Value
from node.txtypes.ledger import Family, Ledger

Role = Literal[
    "manufacturer", "dealer", "workshop", "inspector", "insurer", "registrar", "police", "bank", "payment_provider",
    "carrier", "dismantler", "identity_attestor", "arbiter",
]  # fmt: skip
Reason = Literal["ended", "fraud", "non_payment", "accreditation_lost", "security", "request", "other"]
ScopeCode = Annotated[str, Meta(pattern=r"^[A-HJ-NPR-Z0-9]{3}\Z", description="world manufacturer identifier")]


class Grant(Value, frozen=True):
    """A role with its scope and time. `ends_at_ms` 0 has no end; an empty scope covers everything."""

    role: Role
    wmis: Annotated[tuple[ScopeCode, ...], Meta(max_length=limits.LIST_MAX)]
    country: Annotated[str, Meta(pattern=r"^([A-Z]{2})?\Z")]
    starts_at_ms: Time
    ends_at_ms: Time
    status: Literal["active", "suspended", "revoked"]
    reason: Literal["", "ended", "fraud", "non_payment", "accreditation_lost", "security", "request", "other"]

    def is_active(self, now_ms: int) -> bool:
        """Deadlines are lazy: a role past its end counts as ended for every guard."""
        return (
            self.status == "active"
            and self.starts_at_ms <= now_ms
            and (self.ends_at_ms == 0 or now_ms < self.ends_at_ms)
        )


class Site(Value, frozen=True):
    """A place of business."""

    code: Code
    country: Country
    latitude_e6: Annotated[int, Meta(ge=-90_000_000, le=90_000_000)]
    longitude_e6: Annotated[int, Meta(ge=-180_000_000, le=180_000_000)]
    services: Annotated[tuple[Code, ...], Meta(max_length=limits.LIST_MAX)]
    opening_hours: Annotated[str, Meta(pattern=r"^[A-Za-z0-9,:; +-]{0,80}\Z", description="as in OpenStreetMap")]
    phone: Annotated[str, Meta(pattern=r"^(\+[1-9][0-9]{4,14})?\Z", description="E.164, the business's own")]
    mail: Annotated[str, Meta(pattern=r"^([a-z0-9._-]{1,40}@[a-z0-9.-]{3,60})?\Z", description="the business's own")]


class Member(Value, tag=1, frozen=True):
    name: Name
    country: Country
    status: Literal["active", "suspended", "revoked"]
    reason: Literal["", "ended", "fraud", "non_payment", "accreditation_lost", "security", "request", "other"]
    admitted_height: Height
    grants: tuple[Grant, ...]
    sites: tuple[Site, ...]
    node_key: OptionalHash
    node_address: str
    is_fraudulent: bool
    """Revoked for fraud: all records of this author are marked from then on."""


class NameHolder(Value, tag=1, frozen=True):
    """Which member has a name."""

    address: Address


MEMBER = Family("member", Member)
MEMBER_NAME = Family("member-name", NameHolder)


def active_member(ledger: Ledger, address: bytes) -> Member | None:
    member = ledger.get(MEMBER, address)
    return member if member is not None and member.status == "active" else None


def require_member(ledger: Ledger, address: bytes) -> Member | None:
    """The active member, or None after noting `not_a_member`."""
    member = active_member(ledger, address)
    if member is None:
        ledger.unmet("not_a_member", to_text(address))
    return member


def has_role(ledger: Ledger, address: bytes, *roles: str) -> bool:
    member = active_member(ledger, address)
    return member is not None and any(g.role in roles and g.is_active(ledger.now_ms) for g in member.grants)


def require_role(ledger: Ledger, address: bytes, *roles: str, wmi: str = "", country: str = "") -> None:
    """Notes `role_missing`, or `role_scope` where a role is held that covers neither the WMI nor the country."""
    member = active_member(ledger, address)
    held = [g for g in member.grants if g.role in roles and g.is_active(ledger.now_ms)] if member else []
    if not held:
        ledger.unmet("role_missing", to_text(address), need=" or ".join(roles))
        return
    for grant in held:
        if (not wmi or not grant.wmis or wmi in grant.wmis) and (
            not country or not grant.country or country == grant.country
        ):
            return
    ledger.unmet("role_scope", to_text(address), need=" ".join(filter(None, (wmi, country))))


class MemberUpdate(Body, tag="member.update", frozen=True):
    """Replace the member's own directory entry: sites, and the node others may dial."""

    sites: Annotated[tuple[Site, ...], Meta(max_length=limits.SITES_MAX)]
    node_key: OptionalHash
    node_address: Annotated[str, Meta(pattern=r"^([A-Za-z0-9.-]{1,80}:[0-9]{1,5})?\Z", description="host:port")]

    def check_static(self) -> None:
        if len(self.node_key) not in (0, 32):
            raise Malformed("node_key: 32 bytes, or empty")
        if len({site.code for site in self.sites}) != len(self.sites):
            raise Malformed("sites: the same site code stands twice")

    def guards(self, ledger: Ledger) -> None:
        require_member(ledger, ledger.sender)
        for site in self.sites:
            if site.country not in COUNTRIES:
                ledger.unmet("country_unknown", site.country)

    def apply(self, ledger: Ledger) -> None:
        member = ledger.get(MEMBER, ledger.sender)
        assert member is not None, "guarded"
        changed = replace(member, sites=self.sites, node_key=self.node_key, node_address=self.node_address)
        ledger.put(MEMBER, ledger.sender, changed)
