"""The node's side of its signer: what it remembers, what it does not believe, and that it comes back by itself."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from pathlib import Path

import pytest
from support.chain import Chain, address

from node.chain.block import block_id_of
from node.chain.vote import Vote, vote_sign_bytes
from node.consensus.messages import Lock
from node.consensus.safety import EMPTY, SignedVote, SigningRefused, decode_hard_state
from node.crypto.dev_keys import dev_key
from node.daemon.remote_signer import RemoteSigner, SignerLink, connect
from node.daemon.signer import SignerService
from node.daemon.signer_wire import REPLY_BYTES_MAX, VERSION, Floor, Refused, SignedPresence, Welcome, frame
from node.errors import OperatorError
from node.replica.signer import NO_PROMISE, LocalSigner, Promise, SignerAway
from node.storage.safety_store import SafetyFile

GENESIS = b"G" * 32
KEY = dev_key("consensus", "bmw")
ADDRESS = address("bmw")
BLOCK_A = b"A" * 32
WELCOME = Welcome(VERSION, ADDRESS, KEY.public, True, 1, EMPTY)


def service_at(folder: Path) -> SignerService:
    signer = LocalSigner(ADDRESS, KEY, SafetyFile(folder / "signing.state"), GENESIS)
    return SignerService(signer, GENESIS, folder / "s.sock")


@contextlib.asynccontextmanager
async def running(folder: Path):
    service = service_at(folder)
    await service.start()
    try:
        yield service
    finally:
        await service.stop()


def vote(block_id: bytes, height: int = 5, round_: int = 0) -> Vote:
    signed = vote_sign_bytes(GENESIS, "prevote", height, round_, block_id)
    return Vote("prevote", height, round_, block_id, ADDRESS, KEY.sign(signed))


# --- what it remembers ---------------------------------------------------------------------------------
def test_the_stand_in_remembers_what_is_on_the_signers_disk(tmp_path: Path) -> None:
    """Through proposals, promises with bodies and polkas, new rounds, new heights and repetitions."""
    chain = Chain()
    block = chain.build()
    block_id = block_id_of(block.header, chain.genesis_hash)
    lock = Lock(0, block_id)
    polka = tuple(vote(block_id, 1) for _ in range(3))
    disk = SafetyFile(tmp_path / "signing.state")

    def play() -> None:
        channel, welcome = connect(tmp_path / "s.sock", GENESIS)
        remote = RemoteSigner(channel, welcome, GENESIS)
        asks = [
            lambda: remote.sign_proposal(1, 0, block_id, -1, Promise(None, None, (), (block,))),
            lambda: remote.sign_vote("prevote", 1, 0, block_id, Promise(None, None, (), (block,))),
            lambda: remote.sign_vote("prevote", 1, 0, block_id, NO_PROMISE),
            lambda: remote.sign_vote("precommit", 1, 0, block_id, Promise(lock, lock, polka, (block,))),
            lambda: remote.sign_vote("prevote", 1, 1, block_id, Promise(lock, lock, polka, (block,))),
            lambda: remote.sign_vote("precommit", 1, 2, b"", Promise(lock, lock, polka, (block,))),
            lambda: remote.sign_vote("prevote", 2, 0, BLOCK_A, NO_PROMISE),
        ]
        for number, ask in enumerate(asks):
            ask()
            raw = disk.load()
            assert raw is not None
            assert decode_hard_state(raw) == remote.state, number
        assert not remote.was_missing
        remote.close()

    async def with_service() -> None:
        async with running(tmp_path):
            await asyncio.to_thread(play)

    asyncio.run(with_service())


def test_a_signer_whose_disk_fails_answers_nothing_and_ends(tmp_path: Path) -> None:
    def play() -> None:
        channel, welcome = connect(tmp_path / "s.sock", GENESIS)
        remote = RemoteSigner(channel, welcome, GENESIS)
        (tmp_path / "signing.tmp").mkdir()
        with pytest.raises(SignerAway):
            remote.sign_vote("prevote", 1, 0, BLOCK_A, NO_PROMISE)
        assert (EMPTY, True) == (remote.state, remote.was_missing)

    async def with_service() -> None:
        async with running(tmp_path) as service:
            await asyncio.to_thread(play)
            await asyncio.wait_for(service.wait_stopped(), 5)
            assert isinstance(service.failure, OperatorError)

    asyncio.run(with_service())


# --- what it does not believe --------------------------------------------------------------------------
@contextlib.contextmanager
def answering(path: Path, *answers: bytes):
    """Somebody on the signer's socket who says this, one for each frame, whatever is asked; then silence."""
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()
        done = threading.Event()

        def serve() -> None:
            with listening.accept()[0] as link:
                for answer in answers:
                    link.recv(65_536)
                    link.sendall(answer)
                done.wait(10)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()


LIES = {
    "another block": frame(SignedVote(vote(b"B" * 32))),
    "another round": frame(SignedVote(vote(BLOCK_A, round_=1))),
    "a signature of another key": frame(
        SignedVote(Vote("prevote", 5, 0, BLOCK_A, ADDRESS, dev_key("node", "bmw").sign(b"")))
    ),
    "another kind of answer": frame(SignedPresence(bytes(64))),
    "a refusal that ends it": frame(Refused("malformed", "what?")),
    "not a value": (3).to_bytes(4, "big") + b"\xc1\xc1\xc1",
    "too long": (REPLY_BYTES_MAX + 1).to_bytes(4, "big"),
    "half of it": frame(SignedVote(vote(BLOCK_A)))[:-1],
    "nothing": b"",
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
def test_an_answer_that_is_wrong_or_does_not_come_ends_the_connection(tmp_path: Path, lie: bytes) -> None:
    lost: list[str] = []
    with answering(tmp_path / "s.sock", frame(WELCOME), lie):
        channel, welcome = connect(tmp_path / "s.sock", GENESIS, 0.3)
        remote = RemoteSigner(channel, welcome, GENESIS, lost.append)
        for _ in range(2):
            with pytest.raises(SignerAway, match="signer unreachable: "):
                remote.sign_vote("prevote", 5, 0, BLOCK_A, NO_PROMISE)
        with pytest.raises(SignerAway):
            remote.sign_raw(b"bmw/presence\x00" + GENESIS)
    assert [remote.lost] == lost
    assert EMPTY == remote.state


def test_a_refusal_to_sign_goes_on_with_the_same_connection(tmp_path: Path) -> None:
    answers = frame(WELCOME), frame(Refused("signing", "already past it")), frame(SignedVote(vote(BLOCK_A)))
    with answering(tmp_path / "s.sock", *answers):
        channel, welcome = connect(tmp_path / "s.sock", GENESIS, 5)
        remote = RemoteSigner(channel, welcome, GENESIS)
        with pytest.raises(SigningRefused, match="already past it") as refused:
            remote.sign_vote("prevote", 5, 0, BLOCK_A, NO_PROMISE)
        assert not isinstance(refused.value, SignerAway)
        assert vote(BLOCK_A) == remote.sign_vote("prevote", 5, 0, BLOCK_A, NO_PROMISE)
        remote.close()


@pytest.mark.parametrize("answer", [Floor(5), Refused("busy", "no"), Welcome(2, ADDRESS, KEY.public, True, 1, EMPTY)])
def test_whoever_does_not_welcome_us_is_not_our_signer(tmp_path: Path, answer) -> None:
    with answering(tmp_path / "s.sock", frame(answer)), pytest.raises(SignerAway):
        connect(tmp_path / "s.sock", GENESIS, 5)


def test_a_floor_stays_known_where_the_signer_could_not_be_told(tmp_path: Path) -> None:
    with answering(tmp_path / "s.sock", frame(WELCOME)):
        channel, welcome = connect(tmp_path / "s.sock", GENESIS, 0.1)
        remote = RemoteSigner(channel, welcome, GENESIS)
        remote.raise_floor(9)
    assert "did not answer" in remote.lost
    remote.raise_floor(3)
    assert 9 == remote.floor


# --- that it comes back --------------------------------------------------------------------------------
def test_the_link_is_there_whenever_the_signer_is(tmp_path: Path) -> None:
    async def play() -> None:
        came: asyncio.Queue[RemoteSigner] = asyncio.Queue()
        link = SignerLink(tmp_path / "s.sock", GENESIS, came.put_nowait)
        link.start()
        try:
            async with running(tmp_path):
                first = await asyncio.wait_for(came.get(), 10)
                assert "" == link.problem
                signed = await asyncio.to_thread(first.sign_vote, "prevote", 5, 0, BLOCK_A, NO_PROMISE)
            with pytest.raises(SignerAway):
                first.sign_vote("prevote", 5, 1, BLOCK_A, NO_PROMISE)
            assert link.problem
            async with running(tmp_path):
                second = await asyncio.wait_for(came.get(), 10)
                assert "" == link.problem
                assert (SignedVote(signed),) == second.state.messages
                with pytest.raises(SignerAway):
                    first.sign_vote("prevote", 5, 1, BLOCK_A, NO_PROMISE)
                await link.stop()
        finally:
            await link.stop()
        assert came.empty()

    asyncio.run(play())


def test_messages_have_one_encoding() -> None:
    """Golden: another implementation of a signer speaks these bytes."""
    assert "0000000892a5666c6f6f7209" == frame(Floor(9)).hex()
    assert "0000000f93a772656675736564a462757379a0" == frame(Refused("busy", "")).hex()
