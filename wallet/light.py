"""Light client: a state value is believed when its proof leads to a header that the chain's validators have decided.

From a trust root (genesis, or the newest header verified before) to the head: a header's certificate needs more than
two thirds of its own validator set, and more than a third of the set trusted so far must have signed it, so that at
least one correct validator stands for it. Where the sets have moved too far apart, headers between are verified first.
A set may come from anywhere: the header holds its hash. docs/PROTOCOL.md, Catching up, trust.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import msgspec

from node.chain.block import Commit, Committed, Header, block_id_of, decode_commit, decode_header, verify_commit
from node.chain.genesis import Genesis, genesis_hash
from node.chain.validators import ValidatorSet
from node.codec import Decoder, encode
from node.crypto.state_tree import verify_state_proof
from node.errors import InvalidCertificate, Malformed, OperatorError, Rejected
from node.txtypes.schema import time_to_text
from node.txtypes.validators import VALIDATORS, ValidatorEntry
from wallet.client import NodeRefused, StateAnswer

DAY_MS: Final = 24 * 3_600_000

TRUSTING_PERIOD_MS: Final = 180 * DAY_MS
"""Keys of validators removed long ago can sign a false branch: an older root is refused unless asked for."""

CLOCK_AHEAD_MAX_MS: Final = 3_600_000
"""How far a header may lie above our own clock: clocks off by an hour still verify. Above: refused."""

FETCHES_MAX: Final = 4_096
"""Headers asked for between root and head. Above: refused; a chain that moves its sets that often needs a new root."""

STORE_BYTES_MAX: Final = 256 * 1024

_decode_entries: Decoder[tuple[ValidatorEntry, ...]] = Decoder(tuple[ValidatorEntry, ...], 64 * 1024, "validator set")


class Conflict(Rejected):
    """Two different headers of one height: what was verified before, and what a node shows now."""

    code = "conflict"


class RootTooOld(Rejected):
    """The trust root is older than the trusting period."""

    code = "root_too_old"


class BehindTrust(OperatorError):
    """The node's head is below what was verified before."""


@dataclass(frozen=True)
class Trust:
    """The newest point that counts as verified. `validators` decide the height above it; no header at genesis."""

    height: int
    block_id: bytes
    time_ms: int
    validators: ValidatorSet
    header: Header | None


@dataclass(frozen=True)
class LightBlock:
    """A header and the certificate that is claimed to decide it."""

    header: Header
    commit: Commit


class Source(Protocol):
    """Where headers and sets come from; nothing it says is believed unverified. `NodeClient` is one."""

    def committed(self, height: int) -> Committed: ...

    def validators(self, height: int) -> tuple[ValidatorEntry, ...]: ...

    def state(self, key: bytes) -> StateAnswer: ...


@dataclass(frozen=True)
class Verified:
    """How a value was verified: from which root, how old that is, and how often the set changed on the way."""

    header: Header
    root_height: int
    root_id: bytes
    root_age_ms: int
    set_changes: int


# --- pure rules --------------------------------------------------------------------------------------
def genesis_trust(genesis: Genesis) -> Trust:
    """The trust root that needs nothing but the genesis document."""
    entries = [
        ValidatorEntry(a.address, a.member.validator.consensus_key, a.member.validator.power)
        for a in genesis.accounts
        if a.member is not None and a.member.validator is not None
    ]
    ordered = tuple(sorted(entries, key=lambda entry: entry.address))
    return Trust(0, genesis_hash(genesis), genesis.time_ms, ValidatorSet(ordered), None)


def check_root_age(trust: Trust, now_ms: int, accept_old_root: bool) -> None:
    """Raises `RootTooOld`."""
    age = now_ms - trust.time_ms
    if age > TRUSTING_PERIOD_MS and not accept_old_root:
        raise RootTooOld(
            f"the trust root, height {trust.height} of {time_to_text(trust.time_ms)}, is {age // DAY_MS} days old and "
            f"removed validators could have signed a false branch since: compare block id {trust.block_id.hex()} "
            "with somebody you trust, then use --accept-old-root"
        )


def check_certificate(block: LightBlock, genesis: bytes, validators: ValidatorSet) -> None:
    """The header's own set has decided it. Raises `InvalidCertificate`."""
    header, commit = block.header, block.commit
    if header.validators_hash != validators.hash:
        raise InvalidCertificate(f"height {header.height}: the validator set is not the one the header names")
    if commit.height != header.height or commit.block_id != block_id_of(header, genesis):
        raise InvalidCertificate(f"height {header.height}: the certificate is for another block")
    verify_commit(commit, genesis, validators)


def trusted_power(trust: Trust, block: LightBlock, validators: ValidatorSet) -> int:
    """Power, in the set trusted so far, of those who signed the certificate with the keys they had there."""
    pairs = zip(validators.entries, block.commit.signatures, strict=True)
    signed = {(entry.address, entry.consensus_key) for entry, signature in pairs if signature}
    return sum(e.power for e in trust.validators.entries if (e.address, e.consensus_key) in signed)


def can_follow(trust: Trust, block: LightBlock, validators: ValidatorSet) -> bool:
    """Whether a header whose certificate holds may be trusted from here. Raises `InvalidCertificate`, `Conflict`."""
    header = block.header
    if header.height <= trust.height or header.time_ms <= trust.time_ms:
        raise InvalidCertificate(f"height {header.height} does not lie after height {trust.height}, as it claims")
    if header.height == trust.height + 1:
        if header.parent_id != trust.block_id:
            raise Conflict(f"height {header.height} does not build on the block that was verified at {trust.height}")
        if header.validators_hash != trust.validators.hash:
            raise InvalidCertificate(f"height {header.height}: not decided by the set that height {trust.height} names")
        return True
    return 3 * trusted_power(trust, block, validators) > trust.validators.total


class SetBook:
    """Validator sets by hash: those known, and those a source is asked for."""

    def __init__(self, source: Source, *known: ValidatorSet) -> None:
        self._source = source
        self._known = {one.hash: one for one in known}

    def get(self, wanted: bytes, height: int) -> ValidatorSet:
        """The set with hash `wanted`, which decides `height`. Raises `InvalidCertificate` where nobody has it."""
        for offer in (self._from_state, lambda: self._source.validators(height)):
            if wanted in self._known:
                break
            with contextlib.suppress(Malformed, NodeRefused):
                found = ValidatorSet(offer())
                self._known[found.hash] = found
        if wanted not in self._known:
            raise InvalidCertificate(f"height {height}: the node does not give the validator set that the header names")
        return self._known[wanted]

    def _from_state(self) -> tuple[ValidatorEntry, ...]:
        value = self._source.state(VALIDATORS.key("set")).value
        if value is None:
            raise Malformed("no validator set in the state")
        try:
            return msgspec.msgpack.decode(value, type=VALIDATORS.kind).entries
        except (msgspec.ValidationError, msgspec.DecodeError) as error:
            raise Malformed(f"validator set: {error}") from None


def advance(trust: Trust, target: LightBlock, source: Source, genesis: bytes) -> tuple[Trust, int]:
    """Trust at `target`, and how many changes of the set were met. Raises `InvalidCertificate` or `Conflict`."""
    book = SetBook(source, trust.validators)
    changes, fetched = 0, 0
    waiting = [target]
    while waiting:
        block = waiting[-1]
        header = block.header
        validators = book.get(header.validators_hash, header.height)
        check_certificate(block, genesis, validators)
        if can_follow(trust, block, validators):
            following = book.get(header.next_validators_hash, header.height + 1)
            changes += (validators.hash != trust.validators.hash) + (following.hash != validators.hash)
            trust = Trust(header.height, block.commit.block_id, header.time_ms, following, header)
            waiting.pop()
            continue
        fetched += 1
        if fetched > FETCHES_MAX:
            raise InvalidCertificate(f"more than {FETCHES_MAX} changes of the validator set: start from a newer root")
        middle = (trust.height + header.height) // 2
        committed = source.committed(middle)
        if committed.block.header.height != middle:
            raise InvalidCertificate(f"asked for height {middle}, the node gives another")
        waiting.append(LightBlock(committed.block.header, committed.commit))
    return trust, changes


def decode_light_block(answer: StateAnswer) -> LightBlock:
    """Raises `Malformed`."""
    return LightBlock(decode_header(answer.header), decode_commit(answer.commit))


# --- what is kept ------------------------------------------------------------------------------------
class TrustStore:
    """The newest verified header, one file for each chain. Never goes back."""

    def __init__(self, path: Path, genesis: bytes) -> None:
        self._path = path
        self._genesis = genesis

    def load(self) -> Trust | None:
        """None where nothing was verified yet. Raises `OperatorError` for a file that is not ours."""
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
            raise OperatorError(
                f"{self._path} is broken ({error}): delete it, and the next verification starts from genesis"
            ) from None
        return Trust(header.height, block_id_of(header, self._genesis), header.time_ms, validators, header)

    def keep(self, trust: Trust) -> None:
        """Keeps `trust` unless a newer one is there. Raises `Conflict`, or `OperatorError` naming the mend."""
        assert trust.header is not None, "genesis needs no file"
        document = {
            "genesis_hash": self._genesis.hex(),
            "height": trust.height,
            "header": encode(trust.header).hex(),
            "validators": encode(trust.validators.entries).hex(),
        }
        temporary = self._path.with_suffix(".tmp")
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with self._path.with_suffix(".lock").open("a") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                kept = self.load()
                if kept is not None and kept.height >= trust.height:
                    if kept.height == trust.height and kept.block_id != trust.block_id:
                        raise Conflict(conflict_text(kept, trust.block_id))
                    return
                with temporary.open("w") as stream:
                    json.dump(document, stream)
                    stream.flush()
                    os.fsync(stream.fileno())
                os.replace(temporary, self._path)
        except OSError as error:
            raise OperatorError(f"cannot write {self._path} ({error.strerror}): check its folder") from None


def conflict_text(kept: Trust, block_id: bytes) -> str:
    return (
        f"height {kept.height} was verified with block id {kept.block_id.hex()}, the node shows {block_id.hex()}: "
        "this is a fork or a false node; ask another node and the operators"
    )


class LightClient:
    """Verified reads. Keeps its newest verified header in `store_path` and accepts nothing that conflicts."""

    def __init__(
        self,
        genesis: Genesis,
        store_path: Path,
        client: Source,
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

    def verified_state(self, key: bytes) -> tuple[bytes | None, Header]:
        """The value under `key` (None: proven to be absent) and the header it was verified at.

        Raises `InvalidProof`, `InvalidCertificate`, `Conflict`, `RootTooOld`, `Malformed`; `BehindTrust`.
        """
        check_root_age(self._trust, self._now_ms(), self._accept_old_root)
        answer = self._client.state(key)
        block = decode_light_block(answer)
        self._follow(block)
        verify_state_proof(key, answer.value, answer.proof, block.header.state_root, self._depth)
        return answer.value, block.header

    def report(self) -> Verified:
        """How the newest header was reached. Only after `verified_state`."""
        assert self._trust.header is not None, "nothing was verified yet"
        age = max(0, self._now_ms() - self._root.time_ms)
        return Verified(self._trust.header, self._root.height, self._root.block_id, age, self._set_changes)

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
            if block_id_of(header, self._genesis_hash) != trust.block_id:
                raise Conflict(conflict_text(trust, block_id_of(header, self._genesis_hash)))
            return
        self._trust, changes = advance(trust, block, self._client, self._genesis_hash)
        self._set_changes += changes
        self._store.keep(self._trust)
