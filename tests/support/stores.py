"""Chains in LevelDB folders, and what an attacker with all keys or with the disk can do to them."""

from __future__ import annotations

import shutil
from hashlib import sha256
from pathlib import Path

from msgspec.structs import replace

from node.chain.block import Block, Commit
from node.chain.vote import Evidence, Vote, vote_sign_bytes
from node.crypto.dev_keys import dev_key
from node.execution.block_run import BlockRun
from node.execution.block_validation import seal_block
from node.ledger.overlay import Ledger
from node.storage import schema
from node.storage.archive import write_archive
from node.storage.chain_store import ChainReader
from node.storage.leveldb import LevelStore
from node.txtypes.envelope import CheckedTx
from support.chain import Chain, address
from support.life import Life, accident, maintenance


class LaxRun(BlockRun):
    """Executes what no honest node would: no guard holds it back."""

    def judge(self, tx: CheckedTx) -> Ledger:
        ledger = super().judge(tx)
        ledger.unmet_guards.clear()
        return ledger


def lax_block(chain: Chain, *raws: bytes) -> Block:
    """A block around the transactions whatever their guards say; certified by all keys it looks like any other."""
    head = chain.store.head()
    run = LaxRun(chain.store.state, chain.store.tree, head, chain.genesis_hash, chain.now)
    for raw in raws:
        run.add(chain.check(raw))
    result = run.finish()
    last = chain.store.commit(head.height)
    assert last is not None
    block = seal_block(run, result, head, head.validators.proposer(head.height + 1, 0), (), last)
    chain.store.commit_block(block, result, chain.commit_for(block))
    chain.now += 1000
    return block


def life_chain(folder: Path) -> Chain:
    """The life of one car with all that happens to it, in a store; close it with `chain.store.kv.close()`."""
    life = Life(Chain(kv=LevelStore(folder))).to("handed_over")
    life.chain.do("workshop-berlin", maintenance(life.chain, 5_000))
    life.chain.do("workshop-berlin", accident(life.chain, 6_000, extent="structural"))
    return life.chain


def life_store(folder: Path) -> Path:
    """The folder of a closed store with the life of a car."""
    life_chain(folder / "store").store.kv.close()
    return folder / "store"


def copied(folder: Path, target: Path) -> Path:
    shutil.copytree(folder, target)
    return target


def tampered(folder: Path, target: Path, puts: dict[bytes, bytes], deletes: tuple[bytes, ...] = ()) -> Path:
    """A copy of a store with entries changed."""
    copied(folder, target)
    kv = LevelStore(target, create=False)
    kv.write(puts, list(deletes))
    kv.close()
    return target


def entries(folder: Path, scratch: Path) -> dict[bytes, bytes]:
    """Everything in a store, read from a copy."""
    kv = LevelStore(copied(folder, scratch), create=False)
    found = dict(kv.scan(b"", b"\xff" * 64))
    kv.close()
    shutil.rmtree(scratch)
    return found


def archive_of(folder: Path, path: Path, scratch: Path, first: int = 1, last: int = 0) -> Path:
    kv = LevelStore(copied(folder, scratch), create=False)
    reader = ChainReader(kv)
    genesis_hash = kv.get(schema.META_GENESIS)
    assert genesis_hash is not None
    write_archive(path, reader, first, last or reader.height(), genesis_hash)
    kv.close()
    shutil.rmtree(scratch)
    return path


def fingerprint(folder: Path) -> dict[str, bytes]:
    """Every file's name and content."""
    return {str(p.relative_to(folder)): sha256(p.read_bytes()).digest() for p in folder.rglob("*") if p.is_file()}


def with_signatures(commit: Commit, **by_place: bytes) -> Commit:
    """`s0=...`: the certificate with other signatures at these places."""
    signatures = list(commit.signatures)
    for place, signature in by_place.items():
        signatures[int(place[1:])] = signature
    return replace(commit, signatures=tuple(signatures))


def evidence(chain: Chain, name: str) -> Evidence:
    """Two votes of a validator for the head's height."""
    key, height = dev_key("consensus", name), chain.store.height()
    votes = [
        Vote("precommit", height, 0, ident, address(name),
             key.sign(vote_sign_bytes(chain.genesis_hash, "precommit", height, 0, ident)))
        for ident in (bytes(32), b"\x01" * 32)
    ]  # fmt: skip
    return Evidence(*votes)
