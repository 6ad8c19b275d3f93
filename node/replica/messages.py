"""Messages between replicas: one closed, tagged union in canonical encoding (docs/PROTOCOL.md, Messages)."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from node import limits
from node.chain.block import Block, Commit, Committed, Header
from node.chain.vote import Evidence, Proposal, Round, Vote
from node.codec import Value
from node.ledger.fields import Address, Hash32, Height, Signature

Instance = Annotated[bytes, Meta(min_length=16, max_length=16)]
WireIds = Annotated[tuple[Hash32, ...], Meta(max_length=limits.ANNOUNCE_MAX)]
Raws = Annotated[tuple[bytes, ...], Meta(max_length=limits.ANNOUNCE_MAX)]


class Status(Value, tag="status", frozen=True):
    """The sender's head, its round at the next height, and the oldest block it can serve."""

    height: Height
    round: Round
    oldest: Height


class ProposalMessage(Value, tag="proposal", frozen=True):
    """A proposal with its block; a re-proposal carries the polka of its valid round."""

    proposal: Proposal
    block: Block
    polka: Annotated[tuple[Vote, ...], Meta(max_length=limits.VALIDATORS_MAX)]


class CompactProposal(Value, tag="compact_proposal", frozen=True):
    """A proposal with the wire ids of its transactions, most of which are in every pool already."""

    proposal: Proposal
    header: Header
    wire_ids: Annotated[tuple[Hash32, ...], Meta(max_length=limits.BLOCK_TXS_MAX)]
    evidence: Annotated[tuple[Evidence, ...], Meta(max_length=limits.EVIDENCE_PER_BLOCK_MAX)]
    last_commit: Commit
    polka: Annotated[tuple[Vote, ...], Meta(max_length=limits.VALIDATORS_MAX)]


class GetParts(Value, tag="get_parts", frozen=True):
    """Ask for missing transactions of an undecided block."""

    height: Height
    block_id: Hash32
    wire_ids: Annotated[tuple[Hash32, ...], Meta(max_length=limits.BLOCK_TXS_MAX)]


class Parts(Value, tag="parts", frozen=True):
    """Answers `GetParts`: signed bytes in the requested order, as many as fit."""

    height: Height
    block_id: Hash32
    raws: Annotated[tuple[bytes, ...], Meta(max_length=limits.BLOCK_TXS_MAX)]


class VoteMessage(Value, tag="vote", frozen=True):
    """A prevote or precommit."""

    vote: Vote


class GetBody(Value, tag="get_body", frozen=True):
    """Ask for an undecided block by id."""

    height: Height
    block_id: Hash32


class Body(Value, tag="body", frozen=True):
    """Answers `GetBody`."""

    block: Block


class GetBlocks(Value, tag="get_blocks", frozen=True):
    """Ask for decided blocks from `first` to `last`."""

    first: Height
    last: Height


class Blocks(Value, tag="blocks", frozen=True):
    """Answers `GetBlocks`: consecutive decided blocks with their certificates, as many as fit."""

    blocks: Annotated[tuple[Committed, ...], Meta(max_length=limits.SYNC_BATCH_BLOCKS)]


class Announce(Value, tag="announce", frozen=True):
    """Wire ids of transactions in the sender's pool."""

    wire_ids: WireIds


class GetTransactions(Value, tag="get_txs", frozen=True):
    """Ask for announced transactions."""

    wire_ids: WireIds


class Transactions(Value, tag="txs", frozen=True):
    """Answers `GetTransactions`: signed bytes."""

    raws: Raws


class EvidenceMessage(Value, tag="evidence", frozen=True):
    """Evidence of an equivocation."""

    evidence: Evidence


class Presence(Value, tag="presence", frozen=True):
    """A validator's process is alive. `echo`: another instance of its key that it has heard, else 16 zero bytes."""

    validator: Address
    instance: Instance
    echo: Instance
    is_signing: bool
    signature: Signature


Message = (
    Status
    | ProposalMessage
    | CompactProposal
    | GetParts
    | Parts
    | VoteMessage
    | GetBody
    | Body
    | GetBlocks
    | Blocks
    | Announce
    | GetTransactions
    | Transactions
    | EvidenceMessage
    | Presence
)
