"""What a signer in a process of its own adds to each signature: medians in milliseconds, with and without a block.

    PYTHONPATH=scripts:tests python -m benchmarks.signer_latency [FOLDER]

The same votes and promises are signed in this process and by a real `bmw-node signer`, in turns, on the same disk
(below FOLDER, which has to be a real disk for the sync to mean something).
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from msgspec.structs import replace
from support.chain import Chain

from node.chain.dev_genesis import dev_genesis
from node.chain.genesis import genesis_hash
from node.cli.init import write_home
from node.consensus.messages import Lock
from node.crypto.addresses import address_of, to_text
from node.crypto.dev_keys import dev_key
from node.daemon.remote_signer import RemoteSigner, connect
from node.replica.doppelganger import presence_bytes
from node.replica.signer import NO_PROMISE, ConsensusSigner, LocalSigner, Promise, SignerAway
from node.storage.safety_store import SafetyFile

ROUNDS = 1_000
BLOCK = b"A" * 32
START_S = 20


def _locked() -> Promise:
    """On a block of a thousand transactions, about 300 KB."""
    lock = Lock(0, b"A" * 32)
    empty = Chain().build()
    block = replace(empty, transactions=tuple(bytes([i % 256]) * 300 for i in range(1_000)))
    return Promise(lock, lock, (), (block,))


def _compare(
    signers: dict[str, ConsensusSigner], rounds: int, sign: Callable[[ConsensusSigner, int], object]
) -> dict[str, float]:
    took: dict[str, list[float]] = {name: [] for name in signers}
    for height in range(1, rounds + 1):
        for name, signer in signers.items():
            started = time.perf_counter()
            sign(signer, height)
            took[name].append((time.perf_counter() - started) * 1_000)
    return {name: median(times) for name, times in took.items()}


def _told(what: str, found: dict[str, float]) -> None:
    here, there = found["here"], found["there"]
    print(f"{what:<38} here {here:7.3f} ms   signer {there:7.3f} ms   added {there - here:7.3f} ms")


def _connected(socket: Path, ident: bytes) -> RemoteSigner:
    deadline = time.monotonic() + START_S
    while True:
        try:
            return RemoteSigner(*connect(socket, ident), ident)
        except SignerAway:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def main() -> int:
    genesis = dev_genesis()
    ident = genesis_hash(genesis)
    key, address = dev_key("consensus", "bmw"), address_of(dev_key("account", "bmw").public)
    with tempfile.TemporaryDirectory(dir=sys.argv[1] if len(sys.argv) > 1 else None) as folder:
        home = write_home(Path(folder) / "s", genesis, {"consensus": key}, {"node.validator": to_text(address)})
        command = [sys.executable, "-m", "node.cli.node", "signer", "--home", str(home.path)]
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        try:
            remote = _connected(home.signer_socket, ident)
            here = LocalSigner(address, key, SafetyFile(Path(folder) / "here.state"), ident)
            signers: dict[str, ConsensusSigner] = {"here": here, "there": remote}
            presence = presence_bytes(ident, address, bytes(16), bytes(16), True)
            _told("a vote", _compare(signers, ROUNDS, lambda s, h: s.sign_vote("prevote", h, 0, BLOCK, NO_PROMISE)))
            promise = _locked()
            _told(
                "a vote, locked on a block of 300 KB",
                _compare(signers, ROUNDS, lambda s, h: s.sign_vote("precommit", ROUNDS + h, 0, BLOCK, promise)),
            )
            _told("a presence, which needs no disk", _compare(signers, ROUNDS, lambda s, _: s.sign_raw(presence)))
        finally:
            process.terminate()
            process.wait()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
