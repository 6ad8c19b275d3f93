"""Indexes over the state, each entry a pure function of one state value: (family, id, value) to keys.

    Xh/<holder>/<vin>                        vehicles by title holder
    Xl/<open|other>/<listing>                listings by whether they may be open: a reservation may lapse
    Xv/<vin>/<order>                         orders by vehicle
    Xo/<party>/<order>                       orders by seller and by buyer
    Xp/<payment order>/<payment>             payments by order
    Xr/<role>/<member>                       members by role
    Xs/<sponsor>/<account>                   accounts by sponsor

A commit deletes what the old value had and the new one has not. `bmw-audit replay` recomputes all of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from node.txtypes.accounts import ACCOUNT, Account
from node.txtypes.ledger import Family
from node.txtypes.listing import LISTING, Listing
from node.txtypes.members import MEMBER, Member
from node.txtypes.order import ORDER, Order
from node.txtypes.payment import PAYMENT, Payment
from node.txtypes.vehicle import VEHICLE, Vehicle


def _path(*parts: bytes | str) -> bytes:
    return b"X" + b"/".join(
        part.encode("ascii") if isinstance(part, str) else part.hex().encode("ascii") for part in parts
    )


def holder_prefix(address: bytes) -> bytes:
    return _path("h", address) + b"/"


def listings_prefix(status: str) -> bytes:
    return _path("l", status) + b"/"


def vehicle_orders_prefix(vin: str) -> bytes:
    return _path("v", vin) + b"/"


def party_orders_prefix(address: bytes) -> bytes:
    return _path("o", address) + b"/"


def role_prefix(role: str) -> bytes:
    return _path("r", role) + b"/"


def _vehicle(ident: str, value: Vehicle) -> list[bytes]:
    return [holder_prefix(value.holder) + ident.encode("ascii")]


def _listing(ident: str, value: Listing) -> list[bytes]:
    may_be_open = value.status in ("open", "reserved")
    return [listings_prefix("open" if may_be_open else "other") + ident.encode("ascii")]


def _order(ident: str, value: Order) -> list[bytes]:
    order = ident.encode("ascii")
    return [
        vehicle_orders_prefix(value.vin) + order,
        party_orders_prefix(value.seller) + order,
        party_orders_prefix(value.buyer) + order,
    ]


def _payment(ident: str, value: Payment) -> list[bytes]:
    return [_path("p", value.order, ident)]


def _member(ident: str, value: Member) -> list[bytes]:
    roles = {grant.role for grant in value.grants if grant.status == "active"} | {"member"}
    return [role_prefix(role) + ident.encode("ascii") for role in sorted(roles)]


def _account(ident: str, value: Account) -> list[bytes]:
    return [_path("s", value.sponsor, ident)]


INDEXES: dict[str, Callable[[str, Any], list[bytes]]] = {
    VEHICLE.name: _vehicle,
    LISTING.name: _listing,
    ORDER.name: _order,
    PAYMENT.name: _payment,
    MEMBER.name: _member,
    ACCOUNT.name: _account,
}


def index_changes(family: Family[Any], key: bytes, old: Any, new: Any) -> tuple[list[bytes], list[bytes]]:
    """(keys to put, keys to delete) for one state value that changes from `old` to `new`; None is absent."""
    entries = INDEXES.get(family.name)
    if entries is None:
        return [], []
    ident = key[len(family.name) + 1 :].decode("ascii")
    before = set() if old is None else set(entries(ident, old))
    after = set() if new is None else set(entries(ident, new))
    return sorted(after - before), sorted(before - after)
