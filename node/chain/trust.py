"""Light client: follows a chain from a trusted point without executing it (docs/PROTOCOL.md, Catching up, trust).

A later header is trusted if more than two thirds of its own validator set, and more than a third of the set trusted so
far, have signed its certificate: so at least one correct validator of the trusted set has. If the sets differ too much,
headers in between are verified first (bisection). Validator sets may come from any source: headers have their hashes.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Protocol

from node.chain.block import Commit, Committed, Header, block_id_of, verify_commit
from node.chain.genesis import Genesis, genesis_hash, genesis_set, start_height
from node.chain.validators import ValidatorSet
from node.codec import Value
from node.errors import InvalidCertificate, Rejected
from node.ledger.json_form import time_to_text
from node.limits import DAY_MS
from node.txtypes.chain.validator_set import ValidatorEntry

TRUSTING_PERIOD_MS: Final = 180 * DAY_MS
"""Removed validators can sign a false branch (long-range attack): an older root needs --accept-old-root."""

FETCHES_MAX: Final = 4_096
"""Headers requested between root and head. Above: rejected; after so many set changes a newer root is needed."""


class Conflict(Rejected):
    """Two different headers of one height: a verified one, and one that a node shows."""

    code = "conflict"


class RootTooOld(Rejected):
    """The trust root is older than the trusting period."""

    code = "root_too_old"


@dataclass(frozen=True)
class Trust:
    """The newest verified point. `validators` decide the next height; `header` is None at genesis."""

    height: int
    block_id: bytes
    time_ms: int
    validators: ValidatorSet
    header: Header | None


class LightBlock(Value, frozen=True):
    """A header and its claimed certificate: a decided block without its contents."""

    header: Header
    commit: Commit


class HeaderSource(Protocol):
    """Untrusted source of headers and validator sets."""

    def committed(self, height: int) -> Committed:
        """The block of that height with its certificate."""
        ...

    def validators(self, height: int) -> Iterable[tuple[ValidatorEntry, ...]]:
        """Candidates for the validator set that decides `height`, fetched lazily."""
        ...


def genesis_trust(genesis: Genesis) -> Trust:
    """The trust root of a genesis document."""
    return Trust(start_height(genesis), genesis_hash(genesis), genesis.time_ms, genesis_set(genesis), None)


def check_root_age(trust: Trust, now_ms: int, accept_old_root: bool) -> None:
    """Raises `RootTooOld` if the root is older than the trusting period, unless `accept_old_root`."""
    age = now_ms - trust.time_ms
    if age > TRUSTING_PERIOD_MS and not accept_old_root:
        raise RootTooOld(
            f"the trust root, height {trust.height} of {time_to_text(trust.time_ms)}, is {age // DAY_MS} days old and "
            f"removed validators could have signed a false branch since: compare block id {trust.block_id.hex()} "
            "with somebody you trust, then use --accept-old-root"
        )


def check_certificate(block: LightBlock, genesis: bytes, validators: ValidatorSet) -> None:
    """Check that the header's own validator set has decided it. Raises `InvalidCertificate`."""
    header, commit = block.header, block.commit
    if header.validators_hash != validators.hash:
        raise InvalidCertificate(f"height {header.height}: the validator set is not the one the header names")
    if commit.height != header.height or commit.block_id != block_id_of(header, genesis):
        raise InvalidCertificate(f"height {header.height}: the certificate is for another block")
    verify_commit(commit, genesis, validators)


def trusted_power(trust: Trust, block: LightBlock, validators: ValidatorSet) -> int:
    """Power in the trusted set of the validators that signed the certificate with the same keys."""
    pairs = zip(validators.entries, block.commit.signatures, strict=True)
    signed = {(entry.address, entry.consensus_key) for entry, signature in pairs if signature}
    return sum(e.power for e in trust.validators.entries if (e.address, e.consensus_key) in signed)


def can_follow(trust: Trust, block: LightBlock, validators: ValidatorSet) -> bool:
    """Whether a header with a valid certificate can be trusted now. Raises `InvalidCertificate` or `Conflict`."""
    header = block.header
    if header.height <= trust.height or header.time_ms <= trust.time_ms:
        raise InvalidCertificate(f"height {header.height} is not later than height {trust.height}")
    if header.height == trust.height + 1:
        if header.parent_id != trust.block_id:
            raise Conflict(f"height {header.height} does not build on the block that was verified at {trust.height}")
        if header.validators_hash != trust.validators.hash:
            raise InvalidCertificate(f"height {header.height}: not decided by the set that height {trust.height} names")
        return True
    return 3 * trusted_power(trust, block, validators) > trust.validators.total


class SetBook:
    """Validator sets by hash, fetched from a source as needed."""

    def __init__(self, source: HeaderSource, *validator_sets: ValidatorSet) -> None:
        self._source = source
        self._sets = {each.hash: each for each in validator_sets}

    def get(self, wanted: bytes, height: int) -> ValidatorSet:
        """The set with hash `wanted`, which decides `height`. Raises `InvalidCertificate` if the source lacks it."""
        if wanted not in self._sets:
            with contextlib.suppress(Rejected):
                for entries in self._source.validators(height):
                    candidate = ValidatorSet(entries)
                    self._sets[candidate.hash] = candidate
                    if candidate.hash == wanted:
                        break
        if wanted not in self._sets:
            raise InvalidCertificate(f"height {height}: the node does not give the validator set that the header names")
        return self._sets[wanted]


def advance(
    trust: Trust, target: LightBlock, source: HeaderSource, genesis: bytes, way: list[LightBlock] | None = None
) -> tuple[Trust, int]:
    """Trust at `target`, and the number of set changes on the way. The blocks that were followed, `target` last, are
    appended to `way`. Raises `InvalidCertificate` or `Conflict`."""
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
            if way is not None:
                way.append(block)
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
