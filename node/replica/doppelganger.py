"""Is another process signing with our key? (docs/PROTOCOL.md, Doppelganger)

Each validator's process says about once a second, signed by its consensus key, that it lives: its random instance, and
the echo of another instance of the same key that it has heard. An echo of *our* instance can only come from a process
that lives now: a replayed message of our own past cannot contain it. Whoever is not signing yet gives way; between two
that sign, or two that listen, the greater instance does.
"""

from __future__ import annotations

from enum import StrEnum

from node.chain.vote import Vote
from node.codec import encode
from node.consensus.safety import SignedVote, SigningRefused
from node.crypto.signing import is_signature
from node.replica.messages import Presence
from node.replica.signer import ConsensusSigner

LISTEN_MS = 3_000
LISTEN_RESTARTED_MS = 1_500
"""At start; shorter with a hard state of the current height, so that a network killed at once is back soon."""
INTERVAL_MS = 1_000
KEY_IN_USE_MS = 60_000
"""For so long after the start a peer's word that our node key is in use elsewhere keeps us listening. No longer: it
proves nothing, and may be true of our own process before this one, whose link the peer has not given up yet."""
NO_ECHO = bytes(16)


class Duty(StrEnum):
    LISTENING = "listening"
    SIGNING = "signing"
    STOPPED = "stopped"


def presence_bytes(genesis_hash: bytes, validator: bytes, instance: bytes, echo: bytes, is_signing: bool) -> bytes:
    return b"bmw/presence\x00" + genesis_hash + encode([validator, instance, echo, is_signing])


def is_genuine(message: Presence, consensus_key: bytes, genesis_hash: bytes) -> bool:
    signed = presence_bytes(genesis_hash, message.validator, message.instance, message.echo, message.is_signing)
    return is_signature(consensus_key, signed, message.signature)


class Doppelganger:
    """The duty of one signer. `why` says what stopped it."""

    def __init__(
        self, signer: ConsensusSigner, instance: bytes, genesis_hash: bytes, now_ms: int, is_at_height: bool
    ) -> None:
        self._signer = signer
        self._instance = instance
        self._genesis_hash = genesis_hash
        self._started = now_ms
        self._listen_until = now_ms + (LISTEN_RESTARTED_MS if is_at_height else LISTEN_MS)
        self._heard: bytes = NO_ECHO
        self._next_ms = now_ms
        self.duty = Duty.LISTENING
        self.why = ""

    def deadline_ms(self) -> int:
        return self._next_ms if self.duty is not Duty.LISTENING else min(self._next_ms, self._listen_until)

    def on_tick(self, now_ms: int, has_peers: bool, is_alone: bool) -> Presence | None:
        """End listening when its time is over and somebody could have answered; our own message when it is due."""
        if self.duty is Duty.LISTENING and now_ms >= self._listen_until:
            if has_peers or is_alone:
                self.duty = Duty.SIGNING
            else:
                self._listen_until = now_ms + 500
        if now_ms < self._next_ms:
            return None
        self._next_ms = now_ms + INTERVAL_MS
        return self._say()

    def _say(self) -> Presence | None:
        """None where the signer can't be asked: whoever does not answer for its key is not alive."""
        is_signing = self.duty is Duty.SIGNING
        address = self._signer.address
        message = presence_bytes(self._genesis_hash, address, self._instance, self._heard, is_signing)
        try:
            signature = self._signer.sign_raw(message)
        except SigningRefused:
            return None
        return Presence(address, self._instance, self._heard, is_signing, signature)

    def heard(self, message: Presence) -> Presence | None:
        """A genuine message under our own key; returns our answer where one is due at once."""
        if message.instance == self._instance:
            return None
        is_new = self._heard != message.instance
        self._heard = message.instance
        if message.echo == self._instance and self.duty is not Duty.STOPPED and self._gives_way(message):
            self.stop(f"another process (instance {message.instance.hex()[:8]}) signs with this validator's key")
            return self._say()
        return self._say() if is_new else None

    def _gives_way(self, other: Presence) -> bool:
        is_signing = self.duty is Duty.SIGNING
        if is_signing != other.is_signing:
            return not is_signing
        return self._instance > other.instance

    def saw_vote(self, vote: Vote) -> None:
        """A verified vote under our key: foreign where we can't have signed it."""
        state = self._signer.state
        if vote.height < self._signer.floor:
            return
        if self._signer.was_missing and self.duty is Duty.LISTENING:
            # Perhaps our own, from before the signing state was lost: keep away from that height.
            self._signer.raise_floor(vote.height + 2)
            return
        if (vote.height, vote.round) < (state.height, state.round):
            return
        if (vote.height, vote.round) == (state.height, state.round):
            ours = {
                m.vote.kind: m.vote for m in state.messages if isinstance(m, SignedVote) and m.vote.round == vote.round
            }
            known = ours.get(vote.kind)
            if known is not None and known.block_id == vote.block_id:
                return
            if known is None and vote.kind == "prevote" and ours:
                return
        self.stop(
            f"a {vote.kind} of height {vote.height}, round {vote.round} under this validator's key was not signed here"
        )

    def stop(self, why: str) -> None:
        if self.duty is not Duty.STOPPED:
            self.duty, self.why = Duty.STOPPED, why

    def key_is_connected_elsewhere(self, now_ms: int) -> None:
        """A peer says that it has a link to another process with our node key: listen on, for its presence.

        Only that stops us, because it is signed: else one peer could keep every validator from coming back.
        """
        self._listen_until = max(self._listen_until, min(now_ms + LISTEN_MS, self._started + KEY_IN_USE_MS))
