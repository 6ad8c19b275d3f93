"""Good values to begin from: what the life of a car leaves behind, every message there is, the golden vectors."""

from __future__ import annotations

import json
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import zstandard

from node.chain.block import Block, Committed
from node.chain.vote import Evidence, Proposal, Vote
from node.crypto.dev_keys import dev_key
from node.p2p import wire
from node.p2p.handshake import Handshake
from node.replica import messages as r
from node.storage import snapshot
from node.storage.chain_store import ChainStore
from node.storage.kv import KeyValue
from support.chain import Chain
from support.stages import at

VECTORS = Path(__file__).resolve().parents[2] / "vectors"
SHORT = 4_000
"""Longer hex strings of the vectors are left out: their parts stand there too."""


@cache
def chain() -> Chain:
    return at("handed_over").chain


def store() -> ChainStore:
    return chain().store


@cache
def blocks() -> tuple[Committed, ...]:
    found = (store().committed(height) for height in range(1, store().height() + 1))
    return tuple(committed for committed in found if committed is not None)


def block() -> Block:
    return blocks()[-1].block


def vote(kind: str = "prevote", block_id: bytes = bytes(32)) -> Vote:
    return Vote(kind, 7, 0, block_id, bytes(20), bytes(64))  # type: ignore[arg-type]


@cache
def offer_and_chunks() -> tuple[snapshot.Offer, tuple[bytes, ...]]:
    chunks: list[bytes] = []
    view: KeyValue = store().kv.snapshot()
    offer = snapshot.cut_snapshot(view, store().genesis_hash, lambda _, data: chunks.append(data))
    return offer, tuple(chunks)


def plain_chunk() -> bytes:
    return zstandard.ZstdDecompressor().decompress(offer_and_chunks()[1][0])


def messages() -> list[wire.WireMessage]:
    """One of every kind that crosses a link."""
    committed, header = blocks()[-1], block().header
    proposal = Proposal(7, 0, bytes(32), -1, bytes(20), bytes(64))
    evidence = Evidence(vote(), vote(block_id=b"\x01" * 32))
    ids = (b"\x02" * 32, b"\x03" * 32)
    offer, chunks = offer_and_chunks()
    return [
        r.Status(7, 1, 1),
        r.ProposalMessage(proposal, block(), (vote(),)),
        r.CompactProposal(proposal, header, ids, (evidence,), block().last_commit, (vote(),)),
        r.GetParts(7, bytes(32), ids),
        r.Parts(7, bytes(32), block().transactions),
        r.VoteMessage(vote("precommit")),
        r.GetBody(7, bytes(32)),
        r.Body(block()),
        r.GetBlocks(1, 40),
        r.Blocks((committed,)),
        r.Announce(ids),
        r.GetTransactions(ids),
        r.Transactions(block().transactions),
        r.EvidenceMessage(evidence),
        r.Presence(bytes(20), b"i" * 16, bytes(16), True, bytes(64)),
        wire.Ping(),
        wire.Pong(),
        wire.Bye("stopping"),
        wire.GetPeers(),
        wire.Peers((wire.PeerAddress(bytes(32), "10.0.0.1", 26_800),)),
        wire.GetOffer(),
        wire.OfferMessage(offer),
        wire.OfferMessage(None),
        wire.GetChunk(bytes(32), 0),
        wire.Chunk(bytes(32), 0, chunks[0][:500]),
        wire.GetValidators(7),
        wire.ValidatorsMessage(7, store().head().validators.entries),
    ]


@cache
def from_vectors() -> tuple[bytes, ...]:
    found: set[bytes] = set()

    def walk(value: Any) -> None:
        if isinstance(value, dict | list):
            for item in value.values() if isinstance(value, dict) else value:
                walk(item)
        elif isinstance(value, str) and 32 <= len(value) <= 2 * SHORT and len(value) % 2 == 0:
            try:
                found.add(bytes.fromhex(value))
            except ValueError:
                return

    for path in sorted(VECTORS.glob("*.json")):
        walk(json.loads(path.read_text()))
    return tuple(sorted(found))


class SpokenHandshake:
    """The three messages of one handshake whose keys are known, so that either side can be played again."""

    def __init__(self) -> None:
        self._secrets = [sha256(bytes([i])).digest() for i in range(4)]
        self.genesis_hash = bytes(32)
        initiator, responder = self.side(True), self.side(False)
        first = initiator.start()
        assert first is not None, "the initiator begins"
        second = responder.receive(first)
        assert second is not None, "the responder answers"
        third = initiator.receive(second)
        assert third is not None, "the initiator introduces itself"
        self.first, self.second, self.third = first, second, third

    def side(self, is_initiator: bool) -> Handshake:
        static, ephemeral = self._secrets[:2] if is_initiator else self._secrets[2:]
        key = dev_key("node", "bmw" if is_initiator else "workshop-berlin")
        return Handshake(is_initiator, key, static, ephemeral, self.genesis_hash, 26_800, "fuzzed")


@cache
def spoken() -> SpokenHandshake:
    return SpokenHandshake()
