"""State values as a node tells them, without proof."""

from __future__ import annotations

from typing import TypeVar

from node.codec import Value
from node.ledger.family import Family
from wallet.client import NodeClient

V = TypeVar("V", bound=Value)


class ToldReader:
    """Implements `node.ledger.family.Reader`. Raises `NodeRefused` or `Unreachable`."""

    def __init__(self, client: NodeClient) -> None:
        self._client = client

    def get(self, family: Family[V], ident: str | bytes) -> V | None:
        raw = self._client.state_value(family.key(ident))
        return None if raw is None else family.decode(raw)
