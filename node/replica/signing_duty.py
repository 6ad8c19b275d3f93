"""Signing duty: whether this node may sign now, its signatures, and its doppelganger protection."""

from __future__ import annotations

from node.chain.vote import Proposal, Vote, VoteKind, sign_bytes_of
from node.consensus.safety import SignedProposal, SignedVote, SigningRefused
from node.crypto.signing import is_signature
from node.errors import Rejected
from node.replica import events as e
from node.replica.catch_up import CatchUp
from node.replica.doppelganger import Doppelganger, Duty, is_genuine
from node.replica.messages import Presence
from node.replica.relay_limit import RelayLimit
from node.replica.signer import ConsensusSigner, Promise
from node.replica.step_context import StepContext
from node.storage.chain_store import ChainStore

PRESENCE_INTERVAL_MS = 300
"""Minimum interval between two presence messages of one process; others are ignored."""
INSTANCES_MAX = 4
"""Instances remembered per validator; a correct one has one."""
FLOOR_ABOVE_HEAD = 3
"""Without hard state we may have signed at head + 1 already, so signing starts at head + 3."""
CERTIFICATES_LOOKED_AT = 100
"""Certificates searched for our signature. One may lack it, having only the quorum its node saw; this many hardly."""


class SigningDuty:
    """`signer` is None for a follower."""

    def __init__(
        self, signer: ConsensusSigner | None, store: ChainStore, sync: CatchUp, context: StepContext, instance: bytes
    ) -> None:
        self.signer = signer
        self.doppelganger: Doppelganger | None = None
        self._store = store
        self._sync = sync
        self._context = context
        self._instance = instance
        self._heard: dict[bytes, dict[bytes, int]] = {}
        self._presences = RelayLimit()

    @property
    def address(self) -> bytes | None:
        """Our validator address at the next height; None for a follower, outside the set, and if the signer's key is
        not our consensus key on chain: its votes would count nowhere but here."""
        signer = self.signer
        entry = self._store.head().validators.get(signer.address) if signer is not None else None
        return entry.address if signer is not None and entry and entry.consensus_key == signer.public else None

    def start(self) -> None:
        """Start listening for a doppelganger."""
        signer, head = self.signer, self._store.head()
        if signer is None:
            return
        if self._has_lost_state(signer, head.height):
            signer.raise_floor(head.height + FLOOR_ABOVE_HEAD)
            self._context.notice("signing_state_lost", "warning", floor=signer.floor)
        self.doppelganger = Doppelganger(
            signer, self._instance, self._store.genesis_hash, self._context.now_ms, self.has_signed_at(head.height + 1)
        )

    def has_signed_at(self, height: int) -> bool:
        """Whether hard state has a message that we signed at this height; after reset-signing it is empty."""
        return bool(self.signed_at(height))

    def attach(self, signer: ConsensusSigner) -> None:
        """A remote signer connected or reconnected: `start` with it, keeping floor and stop of the same key.

        We listen again: a process that started with our key meanwhile could not have heard us.
        """
        before, doppelganger = self.signer, self.doppelganger
        self.signer = signer
        is_same_key = before is not None and before.public == signer.public
        if before is not None and is_same_key:
            signer.raise_floor(before.floor)
        self.start()
        was_stopped = doppelganger is not None and doppelganger.duty is Duty.STOPPED
        if is_same_key and doppelganger is not None and was_stopped and self.doppelganger is not None:
            self.doppelganger.stop(doppelganger.why)

    def caught_up_to(self, height: int) -> None:
        """A delivered block may have a signature of ours from before our signing state was lost."""
        if self.signer is not None:
            self._raise_floor_at(height)

    def _has_lost_state(self, signer: ConsensusSigner, head: int) -> bool:
        """Whether hard state is missing though we may have signed, or older than a certificate with our signature."""
        if signer.was_missing and signer.address in self._store.head().validators:
            return True
        if self._store.is_at_start:
            return False
        oldest, first = max(signer.state.height, head - CERTIFICATES_LOOKED_AT), self._store.first_height()
        is_cut = oldest + 1 < first and first > self._store.start_height + 1
        if is_cut and signer.address in self._store.head().validators:
            # Certificates before a snapshot or pruned ones are missing: any of them may have our signature.
            return True
        return any(self._has_our_signature(height) for height in range(head, max(oldest, first - 1), -1))

    def _raise_floor_at(self, height: int) -> None:
        assert self.signer is not None, "only with a signer"
        if self.signer.state.height < height and self._has_our_signature(height):
            self.signer.raise_floor(height + FLOOR_ABOVE_HEAD)

    def _has_our_signature(self, height: int) -> bool:
        """Whether this key signed the height's certificate. A signature of an earlier key is no lost state."""
        commit, validators = self._store.commit(height), self._store.validators(height)
        assert self.signer is not None and commit is not None, "only for committed heights"
        entry = validators.get(self.signer.address)
        if entry is None or entry.consensus_key != self.signer.public:
            return False
        return bool(commit.signatures[validators.index(entry.address)])

    # --- permission ---
    def may_sign(self) -> bool:
        """Whether we are in the set with this key, not listening, not stopped, and not syncing."""
        return (
            self.address is not None
            and self.doppelganger is not None
            and self.doppelganger.duty is Duty.SIGNING
            and not self._sync.is_catching_up(self._store.height(), self._context.now_ms)
        )

    @property
    def is_listening(self) -> bool:
        return self.doppelganger is not None and self.doppelganger.duty is Duty.LISTENING

    # --- signing ---
    def vote(self, kind: VoteKind, height: int, round_: int, block_id: bytes, promise: Promise) -> Vote | None:
        """The signed vote, on disk; None if the signer refuses."""
        assert self.signer is not None, "only a signer votes"
        try:
            return self.signer.sign_vote(kind, height, round_, block_id, promise)
        except SigningRefused as error:
            self._context.notice("signing_refused", "warning", why=str(error))
            return None

    def propose(self, height: int, round_: int, block_id: bytes, valid_round: int, promise: Promise) -> Proposal | None:
        """The signed proposal, on disk with its body; None if the signer refuses."""
        assert self.signer is not None, "only a signer proposes"
        try:
            return self.signer.sign_proposal(height, round_, block_id, valid_round, promise)
        except SigningRefused as error:
            self._context.notice("signing_refused", "warning", why=str(error))
            return None

    def signed_at(self, height: int) -> list[Proposal | Vote]:
        """Own messages of `height` in hard state, in the order of signing."""
        signer = self.signer
        if signer is None or signer.state.height != height or self.address is None:
            return []
        messages = [m.proposal if isinstance(m, SignedProposal) else m.vote for m in signer.state.messages]
        return [m for m in messages if signer.address == (m.proposer if isinstance(m, Proposal) else m.validator)]

    # --- doppelganger protection ---
    def deadline_ms(self) -> int | None:
        return self.doppelganger.deadline_ms() if self.doppelganger is not None else None

    def on_time(self) -> None:
        """Broadcast our presence when due; end listening when its period is over."""
        if self.doppelganger is None:
            return
        before = self.doppelganger.duty
        is_alone = len(self._store.head().validators) == 1
        message = self.doppelganger.on_tick(self._context.now_ms, bool(self._sync.peers), is_alone)
        if message is not None:
            self._context.broadcast(message)
        self._tell_change(before)

    def key_in_use(self) -> None:
        if self.doppelganger is not None:
            self.doppelganger.key_is_connected_elsewhere(self._context.now_ms)

    def saw(self, vote: Vote) -> None:
        """Check a vote from a peer under our own address. Raises `Rejected` if its signature does not verify."""
        signer = self.signer
        if signer is None or self.doppelganger is None or vote.validator != signer.address:
            return
        if vote.height < signer.floor or any(
            isinstance(own, SignedVote) and own.vote == vote for own in signer.state.messages
        ):
            return
        if not is_signature(signer.public, sign_bytes_of(vote, self._store.genesis_hash), vote.signature):
            if self.address is None or vote.height != self._store.height() + 1:
                return  # may be valid with an earlier or later consensus key of ours, which we can't verify
            raise Rejected("a vote's signature does not verify")
        before = self.doppelganger.duty
        self.doppelganger.saw_vote(vote)
        self._tell_change(before)

    def on_presence(self, peer: e.PeerId, message: Presence) -> None:
        """Relay a presence message, and answer one under our own key.

        A bad signature is not the peer's fault: at another height it may know another key of that validator.
        """
        entry = self._store.head().validators.get(message.validator)
        is_own = self.signer is not None and message.validator == self.signer.address
        key = self.signer.public if self.signer is not None and is_own else entry.consensus_key if entry else b""
        now = self._context.now_ms
        heard_ms = self._heard.setdefault(message.validator, {}) if key else {}
        if not key or heard_ms.get(message.instance, -PRESENCE_INTERVAL_MS) + PRESENCE_INTERVAL_MS > now:
            return
        if not is_genuine(message, key, self._store.genesis_hash):
            return
        heard_ms.pop(message.instance, None)
        heard_ms[message.instance] = now
        if len(heard_ms) > INSTANCES_MAX:
            heard_ms.pop(next(iter(heard_ms)))
        if self._presences.may(message.validator, now):
            self._context.broadcast(message, besides=peer)
        if is_own and self.doppelganger is not None:
            before = self.doppelganger.duty
            answer = self.doppelganger.heard(message)
            if answer is not None:
                self._context.broadcast(answer)
            self._tell_change(before)

    def _tell_change(self, before: Duty) -> None:
        double = self.doppelganger
        if double is not None and double.duty is not before:
            level = "error" if double.duty is Duty.STOPPED else "info"
            self._context.notice("duty", level, duty=str(double.duty), why=double.why)
