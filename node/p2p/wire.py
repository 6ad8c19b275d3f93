"""Everything that crosses a link: the replica's messages and the network's own."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from node import limits
from node.codec import Decoder, PublicKey, Value
from node.replica import messages as r

ADDRESSES_MAX = 64


class Ping(Value, tag="ping", frozen=True):
    """Answered at once by `Pong`: shows that the other end lives."""


class Pong(Value, tag="pong", frozen=True):
    pass


class Bye(Value, tag="bye", frozen=True):
    """Why the sender closes the link."""

    reason: Annotated[str, Meta(pattern=r"^[ -~]{0,200}\Z")]


class PeerAddress(Value, frozen=True):
    node_key: PublicKey
    host: Annotated[str, Meta(pattern=r"^[A-Za-z0-9.:-]{1,80}\Z")]
    port: Annotated[int, Meta(ge=1, le=65_535)]


class GetPeers(Value, tag="get_peers", frozen=True):
    """Ask for addresses of nodes that the other end is connected to."""


class Peers(Value, tag="peers", frozen=True):
    addresses: Annotated[tuple[PeerAddress, ...], Meta(max_length=ADDRESSES_MAX)]


NetworkMessage = Ping | Pong | Bye | GetPeers | Peers
WireMessage = r.Message | NetworkMessage

decode_wire: Decoder[WireMessage] = Decoder(WireMessage, limits.FRAME_BYTES_MAX, "message")

KEY_IN_USE = "node_key_in_use"
"""Reason of a `Bye`: another process with the same node key has a living link here."""

URGENT: tuple[type, ...] = (
    r.VoteMessage, r.ProposalMessage, r.CompactProposal, r.GetParts, r.Parts, r.GetBody, r.Body, r.Presence, r.Status,
    Ping, Pong, Bye,
)  # fmt: skip
"""Sent before everything else that waits: votes never queue behind transactions."""
