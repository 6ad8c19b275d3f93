"""Following a chain from a point that is trusted, without executing it (docs/PROTOCOL.md, Catching up, trust).

From a trust root (genesis, or a header verified before) to a later header: its certificate needs more than two thirds
of its own validator set, and more than a third of the set trusted so far must have signed it, so that at least one
correct validator stands for it. Where the sets have moved too far apart, headers between are verified first. A set may
come from anywhere: the header holds its hash.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Protocol

from node.chain.block import Commit, Committed, Header, block_id_of, verify_commit
from node.chain.genesis import Genesis, genesis_hash, genesis_set, start_height
from node.chain.validators import ValidatorSet
from node.errors import InvalidCertificate, Rejected
from node.limits import DAY_MS
from node.txtypes.schema import time_to_text
from node.txtypes.validators import ValidatorEntry

TRUSTING_PERIOD_MS: Final = 180 * DAY_MS
"""Keys of validators removed long ago can sign a false branch: an older root is refused unless asked for."""

FETCHES_MAX: Final = 4_096
"""Headers asked for between root and head. Above: refused; a chain that moves its sets that often needs a new root."""


class Conflict(Rejected):
    """Two different headers of one height: what was verified before, and what a node shows now."""

    code = "conflict"


class RootTooOld(Rejected):
    """The trust root is older than the trusting period."""

    code = "root_too_old"


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


class HeaderSource(Protocol):
    """Where headers and sets come from; nothing it says is believed unverified."""

    def committed(self, height: int) -> Committed:
        """The block of that height with its certificate."""
        ...

    def validators(self, height: int) -> Iterable[tuple[ValidatorEntry, ...]]:
        """Sets that may be the one which decides `height`; asked one after the other."""
        ...


def genesis_trust(genesis: Genesis) -> Trust:
    """The trust root that needs nothing but the genesis document."""
    return Trust(start_height(genesis), genesis_hash(genesis), genesis.time_ms, genesis_set(genesis), None)


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

    def __init__(self, source: HeaderSource, *known: ValidatorSet) -> None:
        self._source = source
        self._known = {one.hash: one for one in known}

    def get(self, wanted: bytes, height: int) -> ValidatorSet:
        """The set with hash `wanted`, which decides `height`. Raises `InvalidCertificate` where nobody has it."""
        if wanted not in self._known:
            with contextlib.suppress(Rejected):
                for entries in self._source.validators(height):
                    found = ValidatorSet(entries)
                    self._known[found.hash] = found
                    if found.hash == wanted:
                        break
        if wanted not in self._known:
            raise InvalidCertificate(f"height {height}: the node does not give the validator set that the header names")
        return self._known[wanted]


def advance(trust: Trust, target: LightBlock, source: HeaderSource, genesis: bytes) -> tuple[Trust, int]:
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
