"""A validator whose consensus key lives in a process of its own: real processes, `kill -9`, and clients that cheat."""

from __future__ import annotations

import contextlib
import grp
import os
import signal
import socket
import stat
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from support.commands import run
from support.processes import Ear, check_no_fork, running_network, started, wait_for, wait_height

from node.chain.dev_genesis import dev_genesis
from node.chain.genesis import genesis_hash
from node.chain.vote import NIL, vote_sign_bytes
from node.cli.init import write_home
from node.codec import encode
from node.consensus.safety import SigningRefused
from node.crypto.addresses import address_of, to_text
from node.crypto.dev_keys import dev_key
from node.crypto.signing import is_signature
from node.daemon.home import Home
from node.daemon.remote_signer import RemoteSigner, connect
from node.daemon.signer_wire import (
    HELLO_BYTES_MAX,
    REQUEST_BYTES_MAX,
    VERSION,
    Floor,
    PresenceRequest,
    RaiseFloor,
    Refused,
    SignedPresence,
    SignerHello,
    Welcome,
    decode_reply,
    frame,
)
from node.replica.doppelganger import presence_bytes
from node.replica.signer import NO_PROMISE, SignerAway

GENESIS = genesis_hash(dev_genesis())
KEY = dev_key("consensus", "bmw")
ADDRESS = address_of(dev_key("account", "bmw").public)
BLOCK_A, BLOCK_B = b"A" * 32, b"B" * 32


class SignerProcess:
    """`bmw-node signer` of one home; whatever happens, no process is left."""

    def __init__(self, home: Path) -> None:
        self.home = Home(home)
        self.socket = self.home.signer_socket
        self.log_file = home / "signer.log"
        self._process: subprocess.Popen[bytes] | None = None

    def log(self) -> str:
        return self.log_file.read_text() if self.log_file.exists() else ""

    def start(self, *arguments: str) -> None:
        before = self.log().count(" listening ")
        with self.log_file.open("ab") as log:
            self._process = started(
                [sys.executable, "-m", "node.cli.node", "signer", "--home", str(self.home.path), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        wait_for(lambda: self.log().count(" listening ") > before, 20, "a signer that listens")

    def send(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def wait(self) -> int:
        assert self._process is not None
        return self._process.wait(10)

    def is_alive(self) -> bool:
        return self._process is not None and self._process.poll() is None


@pytest.fixture
def signer(tmp_path: Path):
    home = write_home(tmp_path / "s", dev_genesis(), {"consensus": KEY}, {"node.validator": to_text(ADDRESS)})
    process = SignerProcess(home.path)
    process.start()
    try:
        yield process
    finally:
        process.kill()


@contextlib.contextmanager
def client(signer: SignerProcess):
    """What a node has of its signer."""
    channel, welcome = connect(signer.socket, GENESIS)
    remote = RemoteSigner(channel, welcome, GENESIS)
    try:
        yield remote
    finally:
        remote.close()


@contextlib.contextmanager
def stranger(signer: SignerProcess):
    """A bare socket."""
    with socket.socket(socket.AF_UNIX) as bare:
        bare.settimeout(10)
        bare.connect(str(signer.socket))
        yield bare


def answer(bare: socket.socket):
    """The next reply; None where the signer has hung up."""
    head = _exactly(bare, 4)
    return decode_reply(_exactly(bare, int.from_bytes(head, "big"))) if head else None


def _exactly(bare: socket.socket, count: int) -> bytes:
    found = b""
    while len(found) < count:
        try:
            part = bare.recv(count - len(found))
        except ConnectionResetError:
            return b""
        if not part:
            return b""
        found += part
    return found


def say(bare: socket.socket, message):
    bare.sendall(frame(message))
    return answer(bare)


# --- on a network ---------------------------------------------------------------------------------------
@pytest.mark.network
def test_a_validator_signs_through_its_signer_whoever_of_the_two_is_killed(tmp_path: Path) -> None:
    with (
        running_network(tmp_path / "n", start=False, consensus__block_interval_empty_ms=300) as network,
        contextlib.ExitStack() as stack,
    ):
        node = network.nodes[1]
        account = Home(node.home.path).read_key("account")
        moved = run("bmw-node", "signer", "--home", tmp_path / "s", "--take", node.home.path)
        assert 0 == moved.code, moved.err
        signer = SignerProcess(tmp_path / "s")
        stack.callback(signer.kill)
        settings = node.home.config.read_text()
        assert '# signer_socket = ""' in settings
        node.home.config.write_text(settings.replace('# signer_socket = ""', f'signer_socket = "{signer.socket}"'))

        network.start()
        ear = stack.enter_context(Ear(network.nodes, genesis_hash(network.genesis)))

        def duty() -> str:
            return str(node.get("/v1/status")["signing"])

        def votes_from(height: int) -> bool:
            return any(v == address_of(account.public) and h >= height for v, h, _, _ in list(ear.votes))

        def follows_without(why: str) -> None:
            wait_for(lambda: duty().startswith(f"signer unreachable: {why}"), 15, f"a node that says: {why}")
            wait_height([node], node.height() + 3)
            assert "signer_away" in node.log.read_text()

        def signs_again() -> None:
            wait_for(lambda: duty() == "signing", 20, "signing")
            reached = node.height() + 1
            wait_for(lambda: votes_from(reached), 20, "votes on the wire")

        follows_without("nobody answers on")
        assert not votes_from(0)
        signer.start()
        signs_again()

        signer.kill()
        follows_without("nobody answers on")
        signer.start()
        signs_again()

        node.kill()
        others = [other for other in network.nodes if other is not node]
        wait_height(others, others[0].height() + 2)
        node.start()
        network.wait_ready()
        signs_again()

        signer.send(signal.SIGSTOP)
        follows_without("it did not answer within")
        signer.send(signal.SIGCONT)
        signs_again()

        assert [] == ear.contradictions
        height = check_no_fork(network)
        assert {()} == {tuple(node.get(f"/v1/blocks/{at}")["evidence"]) for at in range(1, height + 1)}
        assert not node.home.key_file("consensus").exists()
        assert not node.home.hard_state.exists()


# --- a client that cheats ------------------------------------------------------------------------------
def test_the_second_vote_of_one_step_is_refused_also_after_a_restart(signer: SignerProcess) -> None:
    with client(signer) as remote:
        assert (ADDRESS, KEY.public) == (remote.address, remote.public)
        assert not remote.was_missing, "its key is new"
        vote = remote.sign_vote("prevote", 5, 0, BLOCK_A, NO_PROMISE)
        assert is_signature(KEY.public, vote_sign_bytes(GENESIS, "prevote", 5, 0, BLOCK_A), vote.signature)
        for other in (BLOCK_B, NIL):
            with pytest.raises(SigningRefused, match="another prevote was signed"):
                remote.sign_vote("prevote", 5, 0, other, NO_PROMISE)
    signer.kill()
    signer.start()
    with client(signer) as remote:
        assert [vote] == [message.vote for message in remote.state.messages]
        assert not remote.was_missing
        assert vote == remote.sign_vote("prevote", 5, 0, BLOCK_A, NO_PROMISE)
        with pytest.raises(SigningRefused, match="another prevote was signed"):
            remote.sign_vote("prevote", 5, 0, BLOCK_B, NO_PROMISE)
        with pytest.raises(SigningRefused, match="already past it"):
            remote.sign_proposal(5, 0, BLOCK_B, -1, NO_PROMISE)
        with pytest.raises(SigningRefused, match="signing starts at height 5"):
            remote.sign_vote("precommit", 4, 7, BLOCK_B, NO_PROMISE)


def test_the_floor_is_only_ever_raised(signer: SignerProcess) -> None:
    with stranger(signer) as bare:
        assert isinstance(say(bare, SignerHello(VERSION, GENESIS)), Welcome)
        assert [Floor(9), Floor(9), Floor(9)] == [say(bare, RaiseFloor(height)) for height in (9, 3, 0)]
    with client(signer) as remote:
        assert 9 == remote.floor
        with pytest.raises(SigningRefused, match="signing starts at height 9"):
            remote.sign_vote("prevote", 8, 0, BLOCK_A, NO_PROMISE)
        remote.sign_vote("prevote", 9, 0, BLOCK_A, NO_PROMISE)


def test_only_a_presence_of_this_chain_is_signed_without_a_promise(signer: SignerProcess) -> None:
    presence = presence_bytes(GENESIS, ADDRESS, bytes(16), bytes(16), True)
    with stranger(signer) as bare:
        say(bare, SignerHello(VERSION, GENESIS))
        signed = say(bare, PresenceRequest(presence))
        assert isinstance(signed, SignedPresence)
        assert is_signature(KEY.public, presence, signed.signature)
    for message in (
        vote_sign_bytes(GENESIS, "prevote", 1, 0, BLOCK_A),
        presence_bytes(bytes(32), ADDRESS, bytes(16), bytes(16), True),
        b"",
    ):
        with stranger(signer) as bare:
            say(bare, SignerHello(VERSION, GENESIS))
            refused = say(bare, PresenceRequest(message))
            assert isinstance(refused, Refused) and refused.code == "malformed"
            assert answer(bare) is None


# --- who may talk --------------------------------------------------------------------------------------
def test_a_second_node_is_refused_with_the_reason_until_the_first_is_gone(signer: SignerProcess) -> None:
    with client(signer) as first:
        with pytest.raises(SignerAway, match="another node is connected"):
            connect(signer.socket, GENESIS)
        first.sign_vote("prevote", 1, 0, BLOCK_A, NO_PROMISE)

    def served() -> bool:
        try:
            connect(signer.socket, GENESIS)[0].close()
        except SignerAway:
            return False
        return True

    wait_for(served, 10, "a free place")


def test_another_chain_and_another_version_are_refused(signer: SignerProcess) -> None:
    with pytest.raises(SignerAway, match=f"signs for the chain {GENESIS.hex()}"):
        connect(signer.socket, bytes(32))
    with stranger(signer) as bare:
        refused = say(bare, SignerHello(VERSION + 1, GENESIS))
        assert isinstance(refused, Refused) and refused.code == "version"
        assert answer(bare) is None
    with client(signer) as remote:
        remote.sign_vote("prevote", 1, 0, BLOCK_A, NO_PROMISE)


def test_the_socket_is_for_its_owner_alone_and_goes_with_the_signer(signer: SignerProcess) -> None:
    mode = signer.socket.lstat().st_mode
    assert stat.S_ISSOCK(mode)
    assert 0o600 == stat.S_IMODE(mode)
    signer.send(signal.SIGTERM)
    assert 0 == signer.wait()
    assert not signer.socket.exists()


def test_a_group_may_be_let_in(signer: SignerProcess) -> None:
    signer.kill()
    signer.start("--group", grp.getgrgid(os.getgid()).gr_name)
    found = signer.socket.lstat()
    assert (0o660, os.getgid()) == (stat.S_IMODE(found.st_mode), found.st_gid)


def test_a_signer_that_listens_on_the_same_path_is_left_alone(signer: SignerProcess, tmp_path: Path) -> None:
    other = write_home(tmp_path / "o", dev_genesis(), {"consensus": KEY}, {"node.validator": to_text(ADDRESS)})
    done = run("bmw-node", "signer", "--home", other.path, "--socket", signer.socket)
    assert 3 == done.code
    assert "another signer listens on" in done.err
    with client(signer) as remote:
        remote.sign_vote("prevote", 1, 0, BLOCK_A, NO_PROMISE)


def test_nobody_else_signs_with_a_home_that_is_in_use(signer: SignerProcess) -> None:
    home = signer.home.path
    run("bmw-node", "signer", "--home", home).refused(3, "signs with the key of", "stop it first")
    run("bmw-node", "reset-signing", "--home", home, "--height", "9", "--yes").refused(3, "stop it first")
    with client(signer) as remote:
        assert 1 == remote.floor


def test_reset_signing_works_on_a_signers_home(signer: SignerProcess) -> None:
    signer.kill()
    signer.home.hard_state.write_bytes(b"garbage")
    run("bmw-node", "signer", "--home", signer.home.path).refused(3, "damaged", "reset-signing")
    assert 0 == run("bmw-node", "reset-signing", "--home", signer.home.path, "--height", "9", "--yes").code
    signer.start()
    with client(signer) as remote:
        assert 9 == remote.floor
        with pytest.raises(SigningRefused, match="signing starts at height 9"):
            remote.sign_vote("prevote", 8, 0, BLOCK_A, NO_PROMISE)


# --- frames that are none ------------------------------------------------------------------------------
def _length(count: int) -> bytes:
    return struct.pack(">I", count)


BAD_HELLOS = {
    "garbage": _length(5) + b"\xc1\xff\x00\x01\x02",
    "empty": _length(0),
    "oversized": _length(HELLO_BYTES_MAX + 1),
    "huge": _length(2**32 - 1),
    "no hello": frame(RaiseFloor(5)),
    "not canonical": _length(44) + b"\x93\xd9\x05hello\xcc\x01\xc4\x20" + GENESIS,
    "short hash": _length(len(encode(["hello", 1, bytes(31)]))) + encode(["hello", 1, bytes(31)]),
}
BAD_REQUESTS = {
    "garbage": _length(3) + b"\xc1\x00\x00",
    "oversized": _length(REQUEST_BYTES_MAX + 1),
    "unknown": _length(len(encode(["steal", 1]))) + encode(["steal", 1]),
    "second hello": frame(SignerHello(VERSION, GENESIS)),
    "height below zero": _length(len(encode(["floor", -1]))) + encode(["floor", -1]),
    "height of a float": _length(len(encode(["floor", 1.0]))) + encode(["floor", 1.0]),
    "vote without promise": _length(len(encode(["vote", "prevote", 1, 0, b""])))
    + encode(["vote", "prevote", 1, 0, b""]),
}


def test_a_bad_frame_is_refused_and_the_signer_lives(signer: SignerProcess) -> None:
    for name, raw in BAD_HELLOS.items():
        with stranger(signer) as bare:
            bare.sendall(raw)
            refused = answer(bare)
            assert isinstance(refused, Refused) and refused.code == "malformed", name
            assert answer(bare) is None, name
    for name, raw in BAD_REQUESTS.items():
        with stranger(signer) as bare:
            assert isinstance(say(bare, SignerHello(VERSION, GENESIS)), Welcome), name
            bare.sendall(raw)
            refused = answer(bare)
            assert isinstance(refused, Refused) and refused.code == "malformed", name
            assert answer(bare) is None, name
    assert signer.is_alive()
    with client(signer) as remote:
        assert (1, ()) == (remote.floor, remote.state.messages)
        remote.sign_vote("prevote", 1, 0, BLOCK_A, NO_PROMISE)


@pytest.mark.parametrize("cut", [1, 4, 20])
def test_a_frame_that_is_cut_off_ends_its_connection_only(signer: SignerProcess, cut: int) -> None:
    with client(signer) as remote:
        with stranger(signer) as bare:
            bare.sendall(frame(SignerHello(VERSION, GENESIS))[:cut])
            bare.shutdown(socket.SHUT_WR)
            assert answer(bare) is None
        remote.sign_vote("prevote", 1, 0, BLOCK_A, NO_PROMISE)
    assert signer.is_alive()


def test_whoever_says_nothing_is_hung_up_on_and_is_in_nobodys_way(signer: SignerProcess) -> None:
    with stranger(signer) as silent, client(signer) as remote:
        remote.sign_vote("prevote", 1, 0, BLOCK_A, NO_PROMISE)
        assert answer(silent) is None
    assert signer.is_alive()


@pytest.mark.slow
def test_a_signer_is_switched_to_its_next_key_between_two_runs(signer: SignerProcess) -> None:
    with client(signer) as remote:
        remote.sign_vote("prevote", 5, 0, BLOCK_A, NO_PROMISE)
    rotate = ("keys", "rotate", "--home", signer.home.path)
    told = run("bmw-node", *rotate, "--json").json
    run("bmw-node", *rotate, "--switch").refused(3, "stop it first")
    with client(signer) as remote:
        assert KEY.public == remote.public, "the present key goes on"
        remote.sign_vote("prevote", 6, 0, BLOCK_A, NO_PROMISE)
    signer.send(signal.SIGTERM)
    assert 0 == signer.wait()
    assert 0 == run("bmw-node", *rotate, "--switch").code
    signer.start()
    with client(signer) as remote:
        assert (told["consensus_key"], False) == (remote.public.hex(), remote.was_missing)
        vote = remote.sign_vote("prevote", 7, 0, BLOCK_A, NO_PROMISE)
        assert is_signature(remote.public, vote_sign_bytes(GENESIS, "prevote", 7, 0, BLOCK_A), vote.signature)
        with pytest.raises(SigningRefused):
            remote.sign_vote("prevote", 7, 0, BLOCK_B, NO_PROMISE)
