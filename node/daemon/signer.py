"""The process that has a validator's consensus key and its hard state, and signs what a node requests.

The signing rules, and the order sign -> persist (synced) -> answer, are those of `LocalSigner`, which runs here. So
neither a bug in the node nor an intruder there can obtain two different signatures for one step.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import stat
from pathlib import Path

from node.consensus.safety import SignedProposal, SignedVote, SigningRefused
from node.daemon.signer_wire import (
    HELLO_BYTES_MAX,
    LENGTH_BYTES,
    REQUEST_BYTES_MAX,
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
    decode_hello,
    decode_request,
    frame,
    promise_of,
)
from node.errors import Busy, Malformed, OperatorError, Rejected, TooLarge
from node.log import log
from node.replica.signer import LocalSigner

HELLO_S = 2.0
FRAME_S = 5.0
"""Time for the rest of a frame after its length."""
CONNECTIONS_MAX = 8
"""The connected node, and connections before their hello."""
SOCKET_PATH_BYTES_MAX = 100
READ_AHEAD_BYTES = 1024 * 1024


class _Disconnect(Exception):
    """Reply with this refusal and disconnect."""

    def __init__(self, refused: Refused) -> None:
        super().__init__(refused.why)
        self.refused = refused


class SignerService:
    """Serves one node at a time. `failure`: the error that ended it; None where it was asked to stop."""

    def __init__(self, signer: LocalSigner, genesis_hash: bytes, path: Path, group: int | None = None) -> None:
        """`group`: id of a group whose members may connect too; without, only the socket's owner may."""
        self._signer = signer
        self._genesis_hash = genesis_hash
        self._path = path
        self._group = group
        self._presence_head = b"bmw/presence\x00" + genesis_hash
        self._server: asyncio.Server | None = None
        self._open: dict[asyncio.StreamWriter, asyncio.Task[None] | None] = {}
        self._served: asyncio.StreamWriter | None = None
        self._stopped = asyncio.Event()
        self.failure: BaseException | None = None

    # --- start and stop ---
    async def start(self) -> None:
        """Listen. Raises `OperatorError` where the path can't be a socket, `Busy` where a signer listens there."""
        listening = _bound(self._path, self._group)
        self._server = await asyncio.start_unix_server(self._serve, sock=listening, limit=READ_AHEAD_BYTES)

    async def wait_stopped(self) -> None:
        """Until `request_stop` is called or the disk fails."""
        await self._stopped.wait()

    def request_stop(self) -> None:
        self._stopped.set()

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
            with contextlib.suppress(FileNotFoundError):
                self._path.unlink()
        tasks = [task for task in self._open.values() if task is not None]
        for writer in self._open:
            writer.transport.abort()
        if tasks:
            await asyncio.wait(tasks)

    # --- one connection ---
    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open[writer] = asyncio.current_task()
        try:
            await self._talk(reader, writer)
        except _Disconnect as refusal:
            await self._refuse(writer, refusal.refused)
        except Rejected as error:
            await self._refuse(writer, Refused("malformed", str(error)))
        except (OSError, EOFError, TimeoutError) as error:
            log("connection_lost", "info", {"why": str(error) or type(error).__name__})
        except Exception as error:
            # The disk, or our own fault: promises may not be on disk, so nothing more is signed.
            self.failure = error
            self._stopped.set()
        finally:
            if self._served is writer:
                self._served = None
                log("node_gone", "warning", {})
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
            del self._open[writer]

    async def _refuse(self, writer: asyncio.StreamWriter, refused: Refused) -> None:
        log("connection_refused", "warning", {"code": refused.code, "why": refused.why})
        with contextlib.suppress(OSError):
            writer.write(frame(refused))
            await asyncio.wait_for(writer.drain(), HELLO_S)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._open) > CONNECTIONS_MAX:
            raise _Disconnect(Refused("busy", "too many connections have not said hello"))
        async with asyncio.timeout(HELLO_S):
            hello = decode_hello(await _read(reader, HELLO_BYTES_MAX))
        self._check_hello(hello)
        self._served = writer
        log("node_connected", "info", {"height": self._signer.state.height, "round": self._signer.state.round})
        await self._answer(writer, self.welcome())
        while True:
            request = decode_request(await _read(reader, REQUEST_BYTES_MAX))
            await self._answer(writer, self.reply(request))

    async def _answer(self, writer: asyncio.StreamWriter, reply: Reply) -> None:
        writer.write(frame(reply))
        await writer.drain()

    def _check_hello(self, hello: SignerHello) -> None:
        if hello.version != VERSION:
            raise _Disconnect(Refused("version", f"this signer speaks version {VERSION}, not {hello.version}"))
        if hello.genesis_hash != self._genesis_hash:
            raise _Disconnect(
                Refused(
                    "wrong_chain",
                    f"this signer signs for the chain {self._genesis_hash.hex()}, not for {hello.genesis_hash.hex()}",
                )
            )
        if self._served is not None:
            raise _Disconnect(Refused("busy", "another node is connected to this signer"))

    # --- requests ---
    def welcome(self) -> Welcome:
        signer = self._signer
        return Welcome(VERSION, signer.address, signer.public, signer.was_missing, signer.floor, signer.state)

    def reply(self, request: Request) -> Reply:
        """What is signed is on disk, synced, when this returns. Raises `OperatorError` where the disk fails."""
        signer = self._signer
        try:
            match request:
                case VoteRequest(kind, height, round_, block_id, promise):
                    return SignedVote(signer.sign_vote(kind, height, round_, block_id, promise_of(promise)))
                case ProposalRequest(height, round_, block_id, valid_round, promise):
                    given = promise_of(promise)
                    return SignedProposal(signer.sign_proposal(height, round_, block_id, valid_round, given))
                case PresenceRequest(message):
                    if not message.startswith(self._presence_head):
                        raise Malformed("only a presence of this chain is signed without a promise")
                    return SignedPresence(signer.sign_raw(message))
                case RaiseFloor(height):
                    signer.raise_floor(height)
                    return Floor(signer.floor)
                case SignerHello():
                    raise Malformed("a second hello")
        except SigningRefused as error:
            log("signing_refused", "warning", {"why": str(error)})
            return Refused("signing", str(error))


async def _read(reader: asyncio.StreamReader, limit: int) -> bytes:
    """The content of the next frame. Raises `TooLarge` before it is read, `EOFError` or `TimeoutError`."""
    length = int.from_bytes(await reader.readexactly(LENGTH_BYTES), "big")
    if length > limit:
        raise TooLarge(f"a frame of {length} bytes, at most {limit} are allowed")
    async with asyncio.timeout(FRAME_S):
        return await reader.readexactly(length)


def _bound(path: Path, group: int | None) -> socket.socket:
    """A socket bound to `path`, with the right mode from its first moment."""
    if len(os.fsencode(path)) > SOCKET_PATH_BYTES_MAX:
        raise OperatorError(
            f"the socket's path {path} is longer than {SOCKET_PATH_BYTES_MAX} bytes: name a shorter one with --socket"
        )
    _remove_left_over(path)
    listening = socket.socket(socket.AF_UNIX)
    before = os.umask(0o177)
    try:
        listening.bind(str(path))
        if group is not None:
            os.chown(path, -1, group)
            path.chmod(0o660)
    except OSError as error:
        listening.close()
        raise OperatorError(
            f"the socket {path} can't be made ({error.strerror}): check the path and its owner"
        ) from None
    finally:
        os.umask(before)
    return listening


def _remove_left_over(path: Path) -> None:
    """Remove the socket of a killed signer. Raises `Busy` where a signer still answers."""
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise OperatorError(f"{path} exists and is no socket: name another path with --socket")
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
        else:
            raise Busy(f"another signer listens on {path}: stop it, or name another path with --socket")
