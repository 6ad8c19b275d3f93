"""Doppelganger protection: detects another process that signs with our key (docs/PROTOCOL.md, Doppelganger).

About once a second each validator's process broadcasts a presence message, signed by its consensus key: its random
instance, and the echo of another instance of the same key that it has heard. An echo of *our* instance can only come
from a live process: a replayed message of our own past cannot contain it. The process that is not signing yet gives
way; if both sign, or both listen, the one with the greater instance does.
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
"""Listening period after start; shorter with a hard state of the current height, so a killed network recovers soon."""
INTERVAL_MS = 1_000
KEY_IN_USE_MS = 60_000
"""For this long after the start, a peer's claim that our node key is in use elsewhere prolongs listening. No longer,
since it is unproven, and may refer to our own previous process, whose link the peer has not closed yet."""
NO_ECHO = bytes(16)


class Duty(StrEnum):
    """Whether this process signs."""

    LISTENING = "listening"
    SIGNING = "signing"
    STOPPED = "stopped"


def presence_bytes(genesis_hash: bytes, validator: bytes, instance: bytes, echo: bytes, is_signing: bool) -> bytes:
    return b"bmw/presence\x00" + genesis_hash + encode([validator, instance, echo, is_signing])


def is_genuine(message: Presence, consensus_key: bytes, genesis_hash: bytes) -> bool:
    signed = presence_bytes(genesis_hash, message.validator, message.instance, message.echo, message.is_signing)
    return is_signature(consensus_key, signed, message.signature)


class Doppelganger:
    """State of one signer: listening, signing or stopped, and `why` it was stopped."""

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
        """End listening when the period is over and a peer could have answered. Returns our presence when it is due."""
        if self.duty is Duty.LISTENING and now_ms >= self._listen_until:
            if has_peers or is_alone:
                self.duty = Duty.SIGNING
            else:
                self._listen_until = now_ms + 500
        if now_ms < self._next_ms:
            return None
        self._next_ms = now_ms + INTERVAL_MS
        return self._presence()

    def _presence(self) -> Presence | None:
        """Our presence message; None if the signer is unavailable, since without it this process can't sign."""
        is_signing = self.duty is Duty.SIGNING
        address = self._signer.address
        message = presence_bytes(self._genesis_hash, address, self._instance, self._heard, is_signing)
        try:
            signature = self._signer.sign_raw(message)
        except SigningRefused:
            return None
        return Presence(address, self._instance, self._heard, is_signing, signature)

    def heard(self, message: Presence) -> Presence | None:
        """Take a verified message under our own key; returns our presence if it must be sent at once."""
        if message.instance == self._instance:
            return None
        is_new = self._heard != message.instance
        self._heard = message.instance
        if message.echo == self._instance and self.duty is not Duty.STOPPED and self._gives_way(message):
            self.stop(f"another process (instance {message.instance.hex()[:8]}) signs with this validator's key")
            return self._presence()
        return self._presence() if is_new else None

    def _gives_way(self, other: Presence) -> bool:
        is_signing = self.duty is Duty.SIGNING
        if is_signing != other.is_signing:
            return not is_signing
        return self._instance > other.instance

    def saw_vote(self, vote: Vote) -> None:
        """Take a verified vote under our key; stop signing if we can't have signed it."""
        state = self._signer.state
        if vote.height < self._signer.floor:
            return
        if self._signer.was_missing and self.duty is Duty.LISTENING:
            # Possibly our own, from before the signing state was lost: do not sign near that height.
            self._signer.raise_floor(vote.height + 2)
            return
        if (vote.height, vote.round) < (state.height, state.round):
            return
        if (vote.height, vote.round) == (state.height, state.round):
            ours = {
                m.vote.kind: m.vote for m in state.messages if isinstance(m, SignedVote) and m.vote.round == vote.round
            }
            own = ours.get(vote.kind)
            if own is not None and own.block_id == vote.block_id:
                return
            if own is None and vote.kind == "prevote" and ours:
                return
        self.stop(
            f"a {vote.kind} of height {vote.height}, round {vote.round} under this validator's key was not signed here"
        )

    def stop(self, why: str) -> None:
        if self.duty is not Duty.STOPPED:
            self.duty, self.why = Duty.STOPPED, why

    def key_is_connected_elsewhere(self, now_ms: int) -> None:
        """A peer claims to have a link to another process with our node key: keep listening for its presence.

        Only a presence stops us, since it is signed: otherwise a single peer could keep every validator from signing.
        """
        self._listen_until = max(self._listen_until, min(now_ms + LISTEN_MS, self._started + KEY_IN_USE_MS))
