"""Blocks that a store has lost, by the signing state beside it.

A validator signs at a height only once its store has the block before that height, synced. The signing state and the
store name the run of the node that wrote them. Where both name the same run, nobody has exchanged the store since the
last signature, so a head that is lower means that the disk has lost synced writes, even if what is left is consistent.
A store that replaces another (a checkpoint, a snapshot, a rebuilt or a new one) names no run, or another, until the
node starts on it, and from then on the signing state names an older run until the node has caught up and signs again.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from node.consensus.safety import HardState, decode_hard_state
from node.errors import Corrupted, OperatorError
from node.storage import schema
from node.storage.chain_store import ChainReader
from node.storage.kv import KeyValue
from node.storage.safety_store import NO_RUN, SafetyFile

SIGNING_STATE = "signing.state"
"""Name of the signing state's file, beside the store's folder."""


def lost_blocks(kv: KeyValue, signing_state: Path) -> range:
    """The heights of the lost blocks; empty where none is known to be lost. A signing state that can't be read is left
    to the signer to report."""
    with suppress(Corrupted, OperatorError):
        read = SafetyFile(signing_state).read()
        if read is None or read[0] == NO_RUN or read[0] != kv.get(schema.META_RUN):
            return range(0)
        state = decode_hard_state(read[1])
        if isinstance(state, HardState) and state.messages:  # without: a height that an operator has chosen
            return range(ChainReader(kv).height() + 1, state.height)
    return range(0)


def lost_text(lost: range) -> str:
    """What has happened, as the predicate of a sentence about the store or its first lost block."""
    return (
        f"is missing, though this validator had all blocks to {lost.stop - 1} in this store when it signed at height "
        f"{lost.stop}: the disk has lost synced writes"
    )


def check_not_lost(kv: KeyValue, store: Path, signing_state: Path) -> None:
    """Raises `Corrupted` with the fix."""
    lost = lost_blocks(kv, signing_state)
    if lost:
        raise Corrupted(
            f"the store in {store} is damaged (block {lost.start} {lost_text(lost)}): restore a checkpoint, or wipe "
            "the store and sync again; keep the signing state"
        )
