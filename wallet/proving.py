"""Whether a transaction is in a block, proven by the block itself and its verified header."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from node.chain.block import block_id_of
from node.chain.trust import RootTooOld
from node.errors import InvalidProof, OperatorError
from node.txtypes.envelope import decode_signed_tx
from wallet.client import NodeRefused
from wallet.light import LightClient

_HEIGHT_MAX: Final = 2**53


@dataclass(frozen=True, slots=True)
class Place:
    """Where a transaction is committed."""

    height: int
    index: int
    block_id: bytes


@dataclass(frozen=True, slots=True)
class Unproven:
    """Why a commit could not be proven; nothing disproves it."""

    reason: str


def prove_commits(light: LightClient, genesis_hash: bytes, said: Mapping[bytes, Any]) -> dict[bytes, Place | Unproven]:
    """The proven place of each transaction. `said`: txid to the height at which it is committed, as a node says. Raises
    `InvalidProof` for a transaction that the block of that height does not have, and whatever a false block raises."""
    found: dict[bytes, Place | Unproven] = {}
    by_height: dict[int, list[bytes]] = defaultdict(list)
    for txid, height in said.items():
        if isinstance(height, int) and not isinstance(height, bool) and 0 < height <= _HEIGHT_MAX:
            by_height[height].append(txid)
        else:
            found[txid] = Unproven("the node names no height")
    for height, txids in sorted(by_height.items()):  # ascending: the light client goes forward
        try:
            block = light.verified_block(height)
        except (NodeRefused, RootTooOld, OperatorError) as error:
            found |= {txid: Unproven(str(error)) for txid in txids}
            continue
        block_id = block_id_of(block.header, genesis_hash)
        places = {decode_signed_tx(raw, genesis_hash).txid: index for index, raw in enumerate(block.transactions)}
        for txid in txids:
            if txid not in places:
                raise InvalidProof(
                    f"the node says that {txid.hex()} is committed at height {height}, and the block that was decided "
                    "there does not have it: name another node"
                )
            found[txid] = Place(height, places[txid], block_id)
    return found
