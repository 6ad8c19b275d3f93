"""The node's side of its signer process: a `ConsensusSigner` over a socket, and the link that reconnects."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import Callable
from pathlib import Path

from node.chain.vote import Proposal, Vote, VoteKind, proposal_sign_bytes, vote_sign_bytes
from node.consensus.messages import Lock
from node.consensus.safety import HardState, SignedProposal, SignedVote, SigningRefused, extended
from node.crypto.addresses import to_text
from node.crypto.signing import is_signature
from node.daemon.signer_wire import (
    LENGTH_BYTES,
    REPLY_BYTES_MAX,
    VERSION,
    Floor,
    PresenceRequest,
    ProposalRequest,
    RaiseFloor,
    Refused,
    Reply,
    Request,
    SignedPresence,
    SignerHello,
    VoteRequest,
    Welcome,
    decode_reply,
    frame,
    kept,
)
from node.errors import Rejected
from node.log import log
from node.replica.signer import Promise, SignerAway

ANSWER_S = 2.0
"""A signer syncs its disk before it answers; a slower one counts as lost."""
RETRY_FIRST_S = 0.25
RETRY_MOST_S = 2.0


class Channel:
    """One connection of requests and replies. It is closed after any failure, so that a late reply is never taken for
    that to the next request."""

    def __init__(self, path: Path, answer_s: float = ANSWER_S) -> None:
        """Raises `SignerAway`."""
        self._answer_s = answer_s
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(answer_s)
        try:
            self._socket.connect(str(path))
        except OSError as error:
            self.close()
            raise SignerAway(f"nobody answers on {path} ({error.strerror or error})") from None

    def close(self) -> None:
        self._socket.close()

    def ask(self, request: Request) -> Reply:
        """Raises `SignerAway`."""
        deadline = time.monotonic() + self._answer_s
        try:
            self._socket.settimeout(self._answer_s)
            self._socket.sendall(frame(request))
            length = int.from_bytes(self._read(LENGTH_BYTES, deadline), "big")
            if length > REPLY_BYTES_MAX:
                raise SignerAway(f"it announced an answer of {length} bytes")
            return decode_reply(self._read(length, deadline))
        except SignerAway:
            self.close()
            raise
        except TimeoutError:
            self.close()
            raise SignerAway(f"it did not answer within {self._answer_s:g} s") from None
        except OSError as error:
            self.close()
            raise SignerAway(f"the connection is lost ({error.strerror or error})") from None
        except Rejected as error:
            self.close()
            raise SignerAway(f"its reply is malformed: {error}") from None

    def _read(self, count: int, deadline: float) -> bytes:
        buffer = bytearray(count)
        view, have = memoryview(buffer), 0
        while have < count:
            self._socket.settimeout(max(0.001, deadline - time.monotonic()))
            got = self._socket.recv_into(view[have:])
            if not got:
                raise SignerAway("it closed the connection")
            have += got
        return bytes(buffer)


def connect(path: Path, genesis_hash: bytes, answer_s: float = ANSWER_S) -> tuple[Channel, Welcome]:
    """Connect and exchange hellos. Blocks up to twice `answer_s`. Raises `SignerAway`, with the reason of a refusal."""
    channel = Channel(path, answer_s)
    reply = channel.ask(SignerHello(VERSION, genesis_hash))
    if isinstance(reply, Welcome) and reply.version == VERSION:
        return channel, reply
    channel.close()
    raise SignerAway(reply.why if isinstance(reply, Refused) else "it did not answer our hello")


class RemoteSigner:
    """Implements `ConsensusSigner` over one connection. Once that is lost it refuses everything; the next connection
    gets a new instance. `was_missing` and `state` are as of the last reply; `on_lost` is called once."""

    def __init__(
        self, channel: Channel, welcome: Welcome, genesis_hash: bytes, on_lost: Callable[[str], None] = lambda _: None
    ) -> None:
        self.address = welcome.address
        self.public = welcome.public
        self.state: HardState = welcome.state
        self.floor = welcome.floor
        self.was_missing = welcome.was_missing
        self.lost = ""
        self._channel = channel
        self._genesis_hash = genesis_hash
        self._on_lost = on_lost

    def close(self) -> None:
        self.lost = self.lost or "closed"
        self._channel.close()

    def sign_raw(self, message: bytes) -> bytes:
        reply = self._ask(PresenceRequest(message))
        if isinstance(reply, SignedPresence) and is_signature(self.public, message, reply.signature):
            return reply.signature
        raise self._wrong()

    def sign_vote(self, kind: VoteKind, height: int, round_: int, block_id: bytes, promise: Promise) -> Vote:
        reply = self._ask(VoteRequest(kind, height, round_, block_id, kept(promise)))
        if isinstance(reply, SignedVote):
            vote = reply.vote
            signed = vote_sign_bytes(self._genesis_hash, kind, height, round_, block_id)
            if vote == Vote(kind, height, round_, block_id, self.address, vote.signature):
                self._remember(reply, height, round_, promise, signed, vote.signature)
                return vote
        raise self._wrong()

    def sign_proposal(self, height: int, round_: int, block_id: bytes, valid_round: int, promise: Promise) -> Proposal:
        reply = self._ask(ProposalRequest(height, round_, block_id, valid_round, kept(promise)))
        if isinstance(reply, SignedProposal):
            proposal = reply.proposal
            signed = proposal_sign_bytes(self._genesis_hash, height, round_, block_id, valid_round)
            if proposal == Proposal(height, round_, block_id, valid_round, self.address, proposal.signature):
                self._remember(reply, height, round_, promise, signed, proposal.signature)
                return proposal
        raise self._wrong()

    def raise_floor(self, height: int) -> None:
        """Where the signer can't be told now, it is told at the next connection (`SigningDuty.attach`)."""
        if height <= self.floor:
            return
        self.floor = height
        with contextlib.suppress(SigningRefused):
            reply = self._ask(RaiseFloor(height))
            if not isinstance(reply, Floor) or reply.height < height:
                raise self._wrong()
            self.floor = reply.height

    def _remember(
        self,
        reply: SignedVote | SignedProposal,
        height: int,
        round_: int,
        promise: Promise,
        signed: bytes,
        signature: bytes,
    ) -> None:
        """Derive the hard state that the signer has on disk now."""
        if not is_signature(self.public, signed, signature):
            raise self._wrong()
        if reply not in self.state.messages:
            locked: Lock | None = promise.locked
            self.state = extended(
                self.state, height, round_, reply, locked, promise.valid, promise.polka, promise.bodies
            )
        self.was_missing = False

    def _ask(self, request: Request) -> Reply:
        """Raises `SigningRefused`."""
        if self.lost:
            raise SignerAway(f"signer unreachable: {self.lost}")
        try:
            reply = self._channel.ask(request)
        except SignerAway as error:
            raise self._lose(str(error)) from None
        if isinstance(reply, Refused):
            if reply.code == "signing":
                raise SigningRefused(reply.why)
            raise self._lose(reply.why)
        return reply

    def _wrong(self) -> SignerAway:
        return self._lose("its answer is not what was asked for")

    def _lose(self, why: str) -> SignerAway:
        self.lost = why
        self._channel.close()
        self._on_lost(why)
        return SignerAway(f"signer unreachable: {why}")


class SignerLink:
    """Connects to the signer, and reconnects after a loss. `problem`: why there is no connection now, or empty."""

    def __init__(self, path: Path, genesis_hash: bytes, on_connected: Callable[[RemoteSigner], None]) -> None:
        self.problem = "not connected yet"
        self.signer: RemoteSigner | None = None
        self._path = path
        self._genesis_hash = genesis_hash
        self._on_connected = on_connected
        self._lost = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None
        if self.signer is not None:
            self.signer.close()

    async def _run(self) -> None:
        retry_s = RETRY_FIRST_S
        while True:
            try:
                channel, welcome = await self._connect()
            except SignerAway as error:
                self._set_problem(str(error))
                await asyncio.sleep(retry_s)
                retry_s = min(2 * retry_s, RETRY_MOST_S)
                continue
            retry_s = RETRY_FIRST_S
            self._lost.clear()
            self.problem = ""
            self.signer = RemoteSigner(channel, welcome, self._genesis_hash, self._on_lost)
            log("signer_connected", "info", {"validator": to_text(welcome.address), "height": welcome.state.height})
            self._on_connected(self.signer)
            await self._lost.wait()
            await asyncio.sleep(retry_s)

    async def _connect(self) -> tuple[Channel, Welcome]:
        """In a thread: a signer that hangs must not block the event loop."""
        attempt = asyncio.get_running_loop().run_in_executor(None, connect, self._path, self._genesis_hash)
        try:
            return await asyncio.shield(attempt)
        except asyncio.CancelledError:
            attempt.add_done_callback(_disconnect)
            raise

    def _on_lost(self, why: str) -> None:
        self._set_problem(why)
        self._lost.set()

    def _set_problem(self, why: str) -> None:
        if why != self.problem:
            self.problem = why
            log("signer_away", "warning", {"why": why, "socket": str(self._path)})


def _disconnect(attempt: asyncio.Future[tuple[Channel, Welcome]]) -> None:
    """Close a connection that nobody waits for any more."""
    if not attempt.cancelled() and attempt.exception() is None:
        attempt.result()[0].close()
