"""When evidence of equivocation counts (docs/PROTOCOL.md, Evidence). Judged from state alone."""

from __future__ import annotations

from node.chain.vote import Evidence, evidence_id, sign_bytes_of
from node.crypto.signing import is_signature
from node.errors import InvalidBlock
from node.ledger.overlay import StateReader
from node.ledger.params import ChainParams
from node.txtypes.chain.validator_set import EVIDENCE, VALIDATOR


def check_pair(evidence: Evidence) -> None:
    """Raises `InvalidBlock` unless the two votes contradict each other, should they be signed."""
    first, second = evidence.first, evidence.second
    same_step = (first.validator, first.height, first.round, first.kind) == (
        second.validator, second.height, second.round, second.kind,
    )  # fmt: skip
    if not same_step:
        raise InvalidBlock("evidence_pair", "the two votes are not for one step of one validator")
    if not first.block_id < second.block_id:
        raise InvalidBlock("evidence_order", "the two votes are not for two ids in ascending order")


def check_evidence(
    evidence: Evidence, state: StateReader, height: int, params: ChainParams, genesis_hash: bytes
) -> None:
    """Raises `InvalidBlock` unless the pair proves an offence that a block at `height` may still carry out."""
    check_pair(evidence)
    first, second = evidence.first, evidence.second
    if not first.height < height or height - first.height > params.evidence_age_max:
        raise InvalidBlock("evidence_age", f"height {first.height} can't be punished in block {height}")
    raw = state.get(VALIDATOR.key(first.validator))
    record = None if raw is None else VALIDATOR.decode(raw)
    if record is None or first.height < record.admitted_height:
        raise InvalidBlock("evidence_admission", "older than the validator's last admission, or no validator's")
    if state.get(EVIDENCE.key(evidence_id(evidence))) is not None:
        raise InvalidBlock("evidence_repeated", "the offence has been carried out before")
    if not record.power and not record.paused_power:
        # Else whoever has lost its power could go on making offences: blocks and state without end, at no cost to it.
        raise InvalidBlock("evidence_power", "its power is gone already")
    for vote in (first, second):
        if not is_signature(record.consensus_key, sign_bytes_of(vote, genesis_hash), vote.signature):
            raise InvalidBlock("evidence_signature", "a vote's signature does not verify")
