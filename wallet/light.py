"""Light client: a state value is verified when its proof leads to a header that the chain's validators have decided.

`node.chain.trust` follows the chain from the trust root to that header. This module fetches headers and proofs from a
node, verifies the proofs, and keeps the newest verified header as the next trust root.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final, Protocol, TypeVar

import msgspec

from node import limits
from node.chain.block import Block, Committed, Header, block_id_of, check_contents, decode_commit, decode_header
from node.chain.genesis import Genesis, genesis_hash
from node.chain.trust import (
    Conflict,
    LightBlock,
    Trust,
    advance,
    check_certificate,
    check_root_age,
    genesis_trust,
)
from node.chain.validators import ValidatorSet
from node.codec import Decoder, encode
from node.crypto.state_tree import verify_state_proof
from node.errors import Corrupted, InvalidCertificate, InvalidProof, Malformed, OperatorError, Rejected
from node.ledger.family import AsOf, GivenReader, MissingKey, Reader
from node.ledger.fields import Time
from node.ledger.json_form import time_to_text
from node.ledger.params import CHAIN, PARAMS_KEY
from node.limits import DAY_MS
from node.txtypes.chain.validator_set import VALIDATORS, ValidatorEntry
from node.txtypes.rulesets import RULESETS, unknown_rules, unknown_ruleset
from wallet.client import NodeRefused, StateAnswer
from wallet.files import write_file

T = TypeVar("T")

CLOCK_AHEAD_MAX_MS: Final = 3_600_000
"""How far a header's time may be ahead of this computer's clock, which may be wrong by an hour. Above: refused."""

STORE_BYTES_MAX: Final = 256 * 1024

MOVES_MAX: Final = 10
"""How often a block may be made between the requests for the values of one height. Above: refused."""

ANCESTORS_MAX: Final = 100
"""How far below the newest verified height a block is verified, over the parents in between. Above: refused."""

_decode_entries: Decoder[tuple[ValidatorEntry, ...]] = Decoder(tuple[ValidatorEntry, ...], 64 * 1024, "validator set")


class BehindTrust(OperatorError):
    """The node's head is below the newest verified height."""


class Node(Protocol):
    """Untrusted source of headers, validator sets and proofs. `NodeClient` implements it."""

    def committed(self, height: int) -> Committed: ...

    def validators(self, height: int) -> tuple[ValidatorEntry, ...]: ...

    def states(self, keys: Sequence[bytes], height: int = 0) -> StateAnswer: ...


class _NodeSource:
    """A node as `trust.HeaderSource`: candidates are the set in its state, then its answer for the height."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self.committed = node.committed

    def validators(self, height: int) -> Iterator[tuple[ValidatorEntry, ...]]:
        with contextlib.suppress(Malformed, NodeRefused, Corrupted):
            for entry in self._node.states((VALIDATORS.key("set"),)).entries:
                if entry.value is not None:
                    yield VALIDATORS.decode(entry.value).entries
        yield self._node.validators(height)


class Verified(msgspec.Struct, frozen=True):
    """The newest verified header, the trust root, and how often the validator set changed between them."""

    height: int
    time_ms: Time
    root_height: int
    root_id: bytes
    root_age_days: int
    set_changes: int


# --- trust store --------------------------------------------------------------------------------------
class TrustStore:
    """File with the newest verified header of one chain. Its height only increases."""

    def __init__(self, path: Path, genesis: bytes) -> None:
        self._path = path
        self._genesis = genesis

    def load(self) -> Trust | None:
        """The kept trust, None if nothing was verified yet. Raises `OperatorError` for a damaged or foreign file."""
        try:
            with self._path.open("rb") as stream:
                raw = stream.read(STORE_BYTES_MAX + 1)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise OperatorError(f"cannot read {self._path} ({error.strerror}): check its owner and mode") from None
        try:
            kept = json.loads(raw)
            header = decode_header(bytes.fromhex(kept["header"]))
            validators = ValidatorSet(_decode_entries(bytes.fromhex(kept["validators"])))
            if bytes.fromhex(kept["genesis_hash"]) != self._genesis:
                raise Malformed("it belongs to another chain")
            if validators.hash != header.next_validators_hash:
                raise Malformed("header and validators do not belong together")
        except (ValueError, KeyError, TypeError, Rejected) as error:
            raise OperatorError(f"{self._path} is broken ({error}): delete it to start from genesis again") from None
        return Trust(header.height, block_id_of(header, self._genesis), header.time_ms, validators, header)

    def keep(self, trust: Trust) -> None:
        """Store `trust` unless the file has a newer one. Raises `Conflict` or `OperatorError`."""
        assert trust.header is not None, "genesis needs no file"
        document = {
            "genesis_hash": self._genesis.hex(),
            "height": trust.height,
            "header": encode(trust.header).hex(),
            "validators": encode(trust.validators.entries).hex(),
        }
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with self._path.with_suffix(".lock").open("a") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                kept = self.load()
                if kept is not None and kept.height >= trust.height:
                    if kept.height == trust.height and kept.block_id != trust.block_id:
                        raise _conflict(kept, trust.block_id)
                    return
                write_file(self._path, json.dumps(document).encode())
        except OSError as error:
            raise OperatorError(f"cannot write {self._path} ({error.strerror}): check its folder") from None


def _conflict(kept: Trust, block_id: bytes) -> Conflict:
    return Conflict(
        f"height {kept.height} was verified with block id {kept.block_id.hex()}, the node shows {block_id.hex()}: "
        "this is a fork or a false node; ask another node and the operators"
    )


class LightClient:
    """Verified reads. Keeps the newest verified header in `store_path` and rejects headers that conflict with it."""

    def __init__(
        self,
        genesis: Genesis,
        store_path: Path,
        client: Node,
        *,
        accept_old_root: bool = False,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self._depth = genesis.tree_depth
        self._genesis_hash = genesis_hash(genesis)
        self._client = client
        self._accept_old_root = accept_old_root
        self._now_ms = now_ms
        self._store = TrustStore(store_path, self._genesis_hash)
        self._trust = self._store.load() or genesis_trust(genesis)
        self._root = self._trust
        self._set_changes = 0

    def verified_states(self, keys: Sequence[bytes], height: int = 0) -> tuple[dict[bytes, bytes | None], Header]:
        """The values of `keys`, None for a proven absence, and the header that they were verified at: of `height`, or
        with 0 of the node's head. Raises `InvalidProof`, `InvalidCertificate`, `Conflict`, `RootTooOld`, `Malformed`;
        `BehindTrust` (of the head alone); and `OperatorError` if this software does not know the ruleset, so that it
        cannot read the values, and more than `ANCESTORS_MAX` heights below the newest verified one where another set of
        validators has decided."""
        check_root_age(self._trust, self._now_ms(), self._accept_old_root)
        answer = self._client.states(keys, height)
        block = LightBlock(decode_header(answer.header), decode_commit(answer.commit))
        if height:
            self._check_decided(block, height)
        else:
            self._follow(block)
        if unknown := unknown_ruleset(block.header.height, block.header.ruleset_hash):
            raise OperatorError(unknown)
        if [entry.key for entry in answer.entries] != list(keys):
            raise Malformed("the node answers other state keys than were asked for")
        for entry in answer.entries:
            verify_state_proof(entry.key, entry.value, entry.proof, block.header.state_root, self._depth)
        return {entry.key: entry.value for entry in answer.entries}, block.header

    def verified_view(self, compute: Callable[[Reader, AsOf], T], keys: Sequence[bytes] = (), at: int = 0) -> T:
        """The result of `compute` over proven values of one height, as of that height's time and ruleset. Running it
        finds the keys: whenever it reads a key that is not proven yet, that is requested. `keys`: those that are known
        beforehand. `at`: the height, 0 for the node's head. A request has as many keys as a node answers; where a block
        is made between two, those of before it are asked for again. Raises as `verified_states`, and `OperatorError` if
        that happens too often."""
        wanted, values = list(dict.fromkeys((PARAMS_KEY, *keys))), dict[bytes, bytes | None]()
        height, moves = 0, 0
        while True:
            while lacking := [key for key in wanted if key not in values]:
                portion, header = self.verified_states(lacking[: limits.RPC_KEYS_MAX], at)
                if values and header.height != height:
                    values, moves = {}, moves + 1
                    if moves > MOVES_MAX:
                        raise OperatorError(f"blocks are made faster than {len(wanted)} values can be asked for")
                values, height = values | portion, header.height
            raw = values[PARAMS_KEY]
            if raw is None:
                raise InvalidProof("the state has no chain parameters")
            params = CHAIN.decode(raw)
            if unknown := unknown_rules(params, header.height):
                raise OperatorError(unknown)
            try:
                return compute(GivenReader(values), AsOf(header.time_ms, RULESETS[params.ruleset]))
            except MissingKey as missing:
                wanted.append(missing.key)

    def verified_head(self) -> Header:
        """The node's head. Raises as `verified_states`."""
        return self.verified_states((PARAMS_KEY,))[1]

    def verified_block(self, height: int) -> Block:
        """The decided block of a height with all its contents. Above the newest verified height its certificate is
        verified, below it the way over the parents. Raises as `verified_states`, but for `BehindTrust`; `OperatorError`
        more than `ANCESTORS_MAX` heights below."""
        check_root_age(self._trust, self._now_ms(), self._accept_old_root)
        if self._trust.height - height > ANCESTORS_MAX:
            raise self._too_far_below(height)
        committed = self._client.committed(height)
        check_contents(committed.block)
        self._check_decided(LightBlock(committed.block.header, committed.commit), height)
        return committed.block

    def _too_far_below(self, height: int, why: str = "") -> OperatorError:
        below = self._trust.height - height
        return OperatorError(
            f"height {height} is {below} below the newest verified one{why}, at most {ANCESTORS_MAX} are"
        )

    def _check_decided(self, block: LightBlock, height: int) -> None:
        """`block` is the decided one of `height`. Of one below the newest verified height the way over the parents is
        verified; where they are too many, that the validators who are trusted with the next height have decided it."""
        header, newest, validators = block.header, self._trust.header, self._trust.validators
        if header.height != height:
            raise Malformed(f"asked for height {height}, the node gives another")
        if height >= self._trust.height or newest is None:
            self._follow(block)
        elif self._trust.height - height > ANCESTORS_MAX:
            if header.validators_hash != validators.hash:
                raise self._too_far_below(height, " and was decided by other validators than now")
            check_certificate(block, self._genesis_hash, validators)
        elif block_id_of(header, self._genesis_hash) != self._id_of_ancestor(newest, height):
            raise InvalidProof(f"the block that the node shows for height {height} is not the one that was decided")

    def _id_of_ancestor(self, descendant: Header, height: int) -> bytes:
        """The id of the block at `height`, reached from a verified header by following parent ids."""
        parent_id = descendant.parent_id
        for between in range(descendant.height - 1, height, -1):
            parent = self._client.committed(between).block.header
            if block_id_of(parent, self._genesis_hash) != parent_id:
                raise InvalidProof(
                    f"the block that the node shows for height {between} is not the one that was decided"
                )
            parent_id = parent.parent_id
        return parent_id

    @property
    def proven_ms(self) -> int:
        """The time of the newest verified header, or of genesis."""
        return self._trust.time_ms

    def report(self) -> Verified:
        """How the newest header was verified. Only after `verified_states`."""
        header, root = self._trust.header, self._root
        assert header is not None, "nothing was verified yet"
        age_days = max(0, self._now_ms() - root.time_ms) // DAY_MS
        return Verified(header.height, header.time_ms, root.height, root.block_id, age_days, self._set_changes)

    def _follow(self, block: LightBlock) -> None:
        header = block.header
        if header.time_ms > self._now_ms() + CLOCK_AHEAD_MAX_MS:
            raise InvalidCertificate(
                f"height {header.height} is of {time_to_text(header.time_ms)}, which is ahead: check this clock"
            )
        trust = self._trust
        if header.height < trust.height:
            raise BehindTrust(
                f"the node is at height {header.height}, and {trust.height} was verified before: "
                "wait until it has caught up, or name another with --node"
            )
        if header.height == trust.height:
            if (block_id := block_id_of(header, self._genesis_hash)) != trust.block_id:
                raise _conflict(trust, block_id)
            return
        self._trust, changes = advance(trust, block, _NodeSource(self._client), self._genesis_hash)
        self._set_changes += changes
        self._store.keep(self._trust)
