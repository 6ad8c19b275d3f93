"""The tip of a chain: what the next block is judged against."""

from __future__ import annotations

from dataclasses import dataclass

from node.chain.validators import ValidatorSet
from node.ledger.params import ChainParams


@dataclass(frozen=True, slots=True)
class ChainHead:
    """State after `height`. `validators`, `params` rule the *next* height."""

    height: int
    block_id: bytes
    """The genesis hash at the genesis state."""
    time_ms: int
    state_root: bytes
    validators: ValidatorSet
    params: ChainParams
    last_validators: ValidatorSet
    """The set that signed the commit of `height`."""
