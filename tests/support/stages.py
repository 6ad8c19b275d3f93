"""A car brought to a stage once, then copied for every test; and state put in place that no transaction makes yet."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from hashlib import sha256

import pytest
from msgspec.structs import replace

from node.codec import encode
from node.crypto.signing import PrivateKey
from node.crypto.state_tree import StateTree, bucket_of, changed_bucket, slot_of
from node.ledger.body import TransactionBody
from node.ledger.overlay import BlockContext, BlockOverlay, Ledger
from node.storage import schema
from node.storage.chain_store import ChainStore
from node.txtypes.identity.quota import QUOTA, Acts, Quota
from node.txtypes.members.conduct import CONDUCT, NO_CONDUCT
from node.txtypes.rulesets import RULESETS
from support.chain import DAY_MS, HOUR_MS, Chain
from support.life import Life
from support.signing import sign_transaction


@cache
def _grown(stage: str) -> Life:
    life = Life(Chain())
    return life.to(stage) if stage else life


def at(stage: str) -> Life:
    """A life of its own at `stage`; the empty string is a chain without a car."""
    life = _grown(stage)
    return Life(fork(life.chain), life.listing, life.order, life.payment)


def fork(chain: Chain) -> Chain:
    copy = Chain(chain.genesis, chain.store.kv.snapshot())
    copy.now = chain.now
    return copy


def force(chain: Chain, family, ident, value) -> None:
    """Put one state value in place, tree and head included, as if a block had done it."""
    store, key, raw = chain.store, family.key(ident), None if value is None else encode(value)
    slot = slot_of(key)
    number = bucket_of(slot, store.tree.depth)
    bucket = changed_bucket(store.state.bucket(number), slot, None if raw is None else sha256(raw).digest())
    root = store.tree.change({number: bucket}).root
    head = store.head()
    puts = {schema.META_HEAD: encode([head.height, head.block_id, head.time_ms, root])}
    gone = []
    for stored, given in ((schema.bucket_key(number), bucket), (schema.state_key(key), raw)):
        if given:
            puts[stored] = given
        else:
            gone.append(stored)
    if family.name == "validators":
        puts[schema.validators_key(head.height + 1)] = encode(value.entries)
    store.kv.write(puts, gone)
    chain.store = ChainStore(store.kv, chain.genesis)


def change(chain: Chain, family, ident, **changes) -> None:
    """Fields of one state value, put in place."""
    force(chain, family, ident, replace(chain.state(family, ident), **changes))


def put_on_hold(chain: Chain, author: bytes) -> None:
    """For a day from now."""
    force(chain, CONDUCT, author, replace(NO_CONDUCT, hold_until_ms=chain.now + DAY_MS))


def use_up_acts(chain: Chain, account: bytes, kind: str, count: int) -> None:
    """The account has done `count` acts of a kind today, and used nothing else."""
    force(chain, QUOTA, account, Quota(chain.now // DAY_MS, 0, 0, (Acts(kind, count),)))


def ledger_of(chain: Chain, sender: bytes = b"") -> Ledger:
    """What a transaction by `sender` would see in the next block."""
    rules = RULESETS[chain.store.head().params.ruleset]
    block = BlockContext(chain.genesis_hash, chain.store.height() + 1, chain.now, rules)
    return Ledger(BlockOverlay(chain.store.state), block, bytes(32), sender)


def signed(
    chain: Chain,
    sender: bytes,
    body: TransactionBody,
    *signers: tuple[bytes, PrivateKey],
    salt: int = 7,
    lifetime_ms: int = HOUR_MS,
) -> bytes:
    """Signed by exactly `signers`, each (address, key)."""
    return sign_transaction(
        sender, body, list(signers), chain.genesis_hash, salt=salt, expires_at_ms=chain.now + lifetime_ms
    )


def state_root_of(entries: dict[bytes, bytes], depth: int) -> bytes:
    """The root over (state key, value) computed afresh."""
    buckets: dict[int, list[tuple[bytes, bytes]]] = {}
    for key, value in entries.items():
        slot = sha256(b"bmw/slot\x00" + key).digest()
        number = int.from_bytes(slot, "big") >> (256 - depth)
        buckets.setdefault(number, []).append((slot, sha256(value).digest()))
    joined = {number: b"".join(slot + digest for slot, digest in sorted(found)) for number, found in buckets.items()}
    return StateTree(depth, joined.items()).root


@dataclass(frozen=True)
class Case:
    """At `stage`, after `before`, `sender` tries `body`: exactly `codes` are unmet."""

    name: str
    stage: str
    sender: str
    body: Callable[[Life], TransactionBody]
    codes: tuple[str, ...] = ()
    cosigners: tuple[str, ...] = ()
    before: Callable[[Life], object] = lambda life: None

    def placed(self) -> tuple[Chain, bytes]:
        """The chain that the transaction is judged over, and its signed bytes."""
        life = at(self.stage)
        self.before(life)
        return life.chain, life.chain.sign(self.sender, self.body(life), *self.cosigners)

    def run(self) -> tuple[str, ...]:
        chain, raw = self.placed()
        return tuple(chain.unmet(raw))


def table(*cases: Case):
    """One test per case; the test takes `case`."""
    assert len({case.name for case in cases}) == len(cases), "two cases have the same name"
    return pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in cases])
