"""What strangers may read in the tier `showroom`: one rule, for the pages and for the nodes' interface below `/v1`.

They get what is about everybody: the head, headers, validators, members with their sites, recalls, listings. Of a car
they get everything that proves its history, but only while it is on sale. Nothing is told of the past of a state value,
of accounts, of orders, or of what is in blocks. Whatever is not in `RULES`, path or parameter, is not for strangers.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, Literal, NamedTuple

import msgspec

from node.rpc.certificates import CertificateQuery
from node.rpc.chain_queries import ValidatorsQuery
from node.rpc.sites import SitesQuery
from node.txtypes.members.member import MEMBER
from node.txtypes.sale.listing import LISTING
from node.txtypes.service.recall import RECALL
from web.asking import Site
from web.nodes import Misread, NodeRefusal

ON_SALE: Final = ("listed", "reserved", "returning")
"""Statuses of a car's market in which strangers see the car. One that a buyer gives back is still offered."""
KEPT_S: Final = 5.0
"""How long it is believed that a car is on sale, unless the head moves before."""
_VIN: Final = "[A-HJ-NPR-Z0-9]{17}"
_IDENT: Final = "[0-9a-f]{64}"
_PAGE: Final = frozenset({"limit", "cursor"})
_NONE: Final[frozenset[str]] = frozenset()


class Rule(NamedTuple):
    """Paths below `/v1/` that strangers may read, with the names that their query may have. `about`: what the group of
    the same name in the path names, which has to be for sale."""

    path: re.Pattern[str]
    names: frozenset[str]
    about: Literal["", "car", "listing"] = ""


def _rule(path: str, names: frozenset[str] = _NONE, about: Literal["", "car", "listing"] = "") -> Rule:
    return Rule(re.compile("/v1/" + path), names, about)


def _listed(family: Any) -> frozenset[str]:
    """The parameters of a list of values."""
    return _PAGE | {entry.name for entry in family.parameters}


_CAR: Final = f"(?P<car>{_VIN})"
RULES: Final = (
    _rule("(status|genesis|codes|schema|headers/[0-9]{1,16})"),
    _rule("validators", frozenset(ValidatorsQuery.__struct_encode_fields__)),
    _rule("members", _listed(MEMBER)),
    _rule("members/[a-z0-9][a-z0-9._-]{0,89}(/conduct)?"),
    _rule("sites", frozenset(SitesQuery.__struct_encode_fields__)),
    _rule("recalls", _listed(RECALL)),
    _rule("recalls/[^/]{1,200}"),
    _rule("listings", _listed(LISTING)),
    _rule(f"listings/{_IDENT}"),
    _rule(f"listings/(?P<listing>{_IDENT})/disclosure", _NONE, "listing"),
    _rule(f"vehicles/{_CAR}(/(report|odometer|recalls|sale-readiness))?", _NONE, "car"),
    _rule(f"vehicles/{_CAR}/certificate", frozenset(CertificateQuery.__struct_encode_fields__), "car"),
    _rule(f"absence/{_VIN}"),
    _rule(f"state/vehicle(/|%2[Ff]){_CAR}", frozenset({"proof"}), "car"),
    _rule(
        "state/(listing|member|frauds|validators|params)(/|%2[Ff])[A-Za-z0-9][A-Za-z0-9._-]{0,127}",
        frozenset({"proof"}),
    ),
)


class _Market(msgspec.Struct):
    status: str


class _Car(msgspec.Struct):
    market: _Market


class _Listing(msgspec.Struct):
    vin: str


def is_on_sale(car: Mapping[str, Any]) -> bool:
    """Whether strangers may see a car, by the node's answer about it. Raises `Misread`."""
    try:
        return msgspec.convert(car, _Car).market.status in ON_SALE
    except msgspec.ValidationError as error:
        raise Misread(f"a car: {error}") from None


async def may_read(site: Site, path: str, names: set[str]) -> bool:
    """Whether strangers may read a path, as it was sent, with a query of these names. Raises as `Nodes.read` does."""
    for rule in RULES:
        if (found := rule.path.fullmatch(path)) is not None and names <= rule.names:
            match rule.about:
                case "car":
                    return await _is_shown(site, found["car"])
                case "listing":
                    return await _is_disclosed(site, found["listing"])
                case "":
                    return True
    return False


async def _is_shown(site: Site, vin: str) -> bool:
    """Whether a car is on sale, or not on the chain at all, which proofs of absence show."""

    async def asked() -> bool:
        try:
            return is_on_sale(await site.nodes.json(f"/v1/vehicles/{vin}"))
        except NodeRefusal as refusal:
            if refusal.status != 404:
                raise
            return True

    return await site.kept.get(("on sale", vin, site.nodes.height), asked, KEPT_S)


async def _is_disclosed(site: Site, ident: str) -> bool:
    """Whether the car of a listing is on sale, if it has one."""

    async def asked() -> str:
        try:
            return (await site.nodes.read(_Listing, f"/v1/listings/{ident}")).vin
        except NodeRefusal as refusal:
            if refusal.status != 404:
                raise
            return ""

    vin = await site.kept.get(("car of", ident), asked, KEPT_S)
    return not vin or await _is_shown(site, vin)
