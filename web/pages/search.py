"""Where the explorer's search field leads: by the form of what was typed, then by asking the node whether it exists."""

from __future__ import annotations

import re
from typing import Final

from web.asking import Ask, PageProblem
from web.nodes import NodeRefusal

_HEIGHT: Final = re.compile(r"[1-9][0-9]{0,14}")
_HASH: Final = re.compile(r"[0-9a-f]{64}")
_VIN: Final = re.compile(r"[A-HJ-NPR-Z0-9]{17}")
_ADDRESS: Final = re.compile(r"bmw1[02-9ac-hj-np-z]{38}")
_SEPARATORS: Final = re.compile(r"[\s.,#]")


async def place_of(ask: Ask, sought: str) -> str | None:
    """The path of a height, block id, txid, order, listing, VIN, address or member's name; None if there is nothing.
    Raises `PageProblem` where it is something that the tier does not show."""
    plain = _SEPARATORS.sub("", sought)
    if _HEIGHT.fullmatch(plain) and int(plain) <= ask.site.nodes.height:
        return f"/block/{plain}"
    if _HASH.fullmatch(plain.lower()):
        return await _of_hash(ask, plain.lower())
    if (member := await ask.site.directory.member(sought.lower())) is not None:
        is_listed = ask.site.directory.is_whole("members")
        return f"/member/{member['name' if is_listed else 'address']}"
    if _VIN.fullmatch(plain.upper()) and await _is_there(ask, f"/v1/vehicles/{plain.upper()}"):
        return f"/car/{plain.upper()}"
    if _ADDRESS.fullmatch(plain.lower()):
        if not ask.site.is_open:
            raise PageProblem(403, "not_in_tier")
        if await _is_there(ask, f"/v1/accounts/{plain.lower()}"):
            return f"/account/{plain.lower()}"
    return None


async def _of_hash(ask: Ask, ident: str) -> str | None:
    if await _is_there(ask, f"/v1/headers/{ident}"):
        return f"/block/{ident}"
    if not ask.site.is_open:
        return await _of_listing(ask, ident)
    if await _is_there(ask, f"/v1/orders/{ident}"):
        return f"/order/{ident}"
    if await _is_there(ask, f"/v1/transactions/{ident}"):
        return f"/tx/{ident}"
    return None


async def _of_listing(ask: Ask, ident: str) -> str | None:
    try:
        vin = (await ask.site.nodes.json(f"/v1/listings/{ident}"))["vin"]
    except NodeRefusal:
        return None
    return f"/car/{vin}" if vin else None


async def _is_there(ask: Ask, path: str) -> bool:
    try:
        await ask.site.nodes.bytes(path)
    except NodeRefusal:
        return False
    return True
