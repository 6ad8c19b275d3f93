"""Views of a chain's state at its head, as HTTP answers them."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec

from node.ledger.family import Family
from node.ledger.json_form import to_json
from node.rpc import values
from node.rpc.moments import moment_of
from node.rpc.values import ListRequest, list_page, require
from support.chain import Chain


def view_of(chain: Chain, family: Family[Any], ident: str | bytes) -> dict[str, Any]:
    """One value as it counts at the head."""
    text = ident if isinstance(ident, str) else ident.hex()
    moment = moment_of(chain.store)
    return to_json(values.view_of(moment, family, text, require(moment, family, text)))


def listed(chain: Chain, family: Family[Any], limit: int = 100, cursor: str = "", **asked: str) -> dict[str, Any]:
    """A page of the family's list."""
    _, page = asyncio.run(list_page(chain.store, ListRequest(family, asked), limit, cursor))
    return msgspec.to_builtins(page)
