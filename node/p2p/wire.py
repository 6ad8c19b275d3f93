"""Wire messages of a link: the replica's and the network's own."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from node import limits
from node.codec import Decoder, Value
from node.ledger.fields import Hash32, Height, PublicKey
from node.p2p.framing import Lane
from node.replica import messages as r
from node.storage.snapshot import CHUNK_BYTES_MAX, CHUNKS_MAX, Entries, Offer

ADDRESSES_MAX = 64


class Ping(Value, tag="ping", frozen=True):
    """Liveness check, answered at once by `Pong`."""


class Pong(Value, tag="pong", frozen=True):
    """Answers `Ping`."""


class Bye(Value, tag="bye", frozen=True):
    """The sender closes the link, for this reason."""

    reason: Annotated[str, Meta(pattern=r"^[ -~]{0,200}\Z")]


class PeerAddress(Value, frozen=True):
    node_key: PublicKey
    host: Annotated[str, Meta(pattern=r"^[A-Za-z0-9.:-]{1,80}\Z")]
    port: Annotated[int, Meta(ge=1, le=65_535)]


class GetPeers(Value, tag="get_peers", frozen=True):
    """Ask for addresses of other nodes."""


class Peers(Value, tag="peers", frozen=True):
    """Answers `GetPeers`."""

    addresses: Annotated[tuple[PeerAddress, ...], Meta(max_length=ADDRESSES_MAX)]


class GetOffer(Value, tag="get_offer", frozen=True):
    """Ask for the newest snapshot."""


class OfferMessage(Value, tag="offer", frozen=True):
    """Answers `GetOffer`; None if there is no snapshot."""

    offer: Offer | None


class GetChunk(Value, tag="get_chunk", frozen=True):
    """Ask for a chunk of the snapshot with this manifest id."""

    snapshot: Hash32
    index: Annotated[int, Meta(ge=0, lt=CHUNKS_MAX)]


class Chunk(Value, tag="chunk", frozen=True):
    """Answers `GetChunk`; empty data if the snapshot is gone."""

    snapshot: Hash32
    index: Annotated[int, Meta(ge=0, lt=CHUNKS_MAX)]
    data: Annotated[bytes, Meta(max_length=CHUNK_BYTES_MAX)]


class GetValidators(Value, tag="get_validators", frozen=True):
    """Ask for the validator set that decides a height."""

    height: Height


class ValidatorsMessage(Value, tag="validators", frozen=True):
    """Answers `GetValidators`."""

    height: Height
    entries: Entries


NetworkMessage = Ping | Pong | Bye | GetPeers | Peers
SnapshotMessage = GetOffer | OfferMessage | GetChunk | Chunk | GetValidators | ValidatorsMessage
WireMessage = r.Message | NetworkMessage | SnapshotMessage

decode_wire: Decoder[WireMessage] = Decoder(WireMessage, limits.FRAME_BYTES_MAX, "message")

KEY_IN_USE = "node_key_in_use"
"""Reason of a `Bye`: another process with the same node key has a live link here."""

FIRST: tuple[type, ...] = (r.VoteMessage, r.Presence, r.Status, Ping, Pong, Bye)
"""Short messages, sent before all others (the votes lane)."""

URGENT: tuple[type, ...] = (
    *FIRST, r.ProposalMessage, r.CompactProposal, r.GetParts, r.Parts, r.GetBody, r.Body,
)  # fmt: skip
"""Sent before bulk messages, so that votes and proposals never queue behind transactions."""

QUESTIONS: tuple[type, ...] = (
    r.GetParts, r.GetBody, r.GetBlocks, r.GetTransactions, GetOffer, GetChunk, GetValidators, GetPeers,
)  # fmt: skip
"""Small messages with possibly large answers: answered within the asker's quota, queued above it."""

ANSWERS: tuple[type, ...] = (
    r.Parts, r.Body, r.Blocks, r.Transactions, OfferMessage, Chunk, ValidatorsMessage, Peers,
)  # fmt: skip


def lane_of(message: WireMessage) -> Lane:
    if isinstance(message, FIRST):
        return Lane.VOTES
    return Lane.BLOCKS if isinstance(message, URGENT) else Lane.BULK
