"""Following of one chain over the headers of several nodes, none of which is trusted.

Every header is followed from the trust root by the rule of light clients (`node.chain.trust`). Two headers of one
height that can both be followed are a split view: more than a third of the power has signed both.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from node.chain.block import Committed, Header, block_id_of, decode_commit, decode_header
from node.chain.genesis import Genesis, genesis_hash
from node.chain.trust import LightBlock, SetBook, Trust, advance, genesis_trust
from node.chain.validators import ValidatorSet
from node.codec import encode
from node.crypto.addresses import to_text
from node.crypto.state_tree import StateProof
from node.errors import InvalidCertificate, Malformed
from node.ledger.params import PARAMS_KEY
from node.txtypes.chain.validator_set import ValidatorEntry

SEEN_MAX: Final = 2_000
"""Headers that are remembered. Above: the lowest are forgotten, and another header of those heights is no conflict."""
TRUSTS_MAX: Final = 64
"""Points from which headers are followed, beside the trust root. Above: the lowest go."""
FORMAT: Final = "bmw-split-view/1"


class Proven(Protocol):
    """A state value, and its proof."""

    @property
    def value(self) -> bytes | None: ...

    @property
    def proof(self) -> StateProof: ...


class ProvenStates(Protocol):
    """State values of one height: the encodings of its header and its certificate."""

    @property
    def entries(self) -> Sequence[Proven]: ...

    @property
    def header(self) -> bytes: ...

    @property
    def commit(self) -> bytes: ...


class Shower(Protocol):
    """A node as a source of headers, validator sets and proofs. `wallet.client.NodeClient` is one."""

    def committed(self, height: int) -> Committed: ...

    def validators(self, height: int) -> tuple[ValidatorEntry, ...]: ...

    def states(self, keys: Sequence[bytes]) -> ProvenStates: ...


def head_of(node: Shower) -> tuple[LightBlock, Proven]:
    """The head that a node shows, and its chain parameters with their proof; nothing is verified. Raises what the node
    raises, and `Malformed`."""
    answer = node.states((PARAMS_KEY,))
    if len(answer.entries) != 1:
        raise Malformed("the node answers other state keys than were asked for")
    return LightBlock(decode_header(answer.header), decode_commit(answer.commit)), answer.entries[0]


@dataclass(frozen=True)
class Followed:
    """A header that was followed from the trust root, its certificate, and the set that has signed it. `source`: the
    node that showed it."""

    block: LightBlock
    block_id: bytes
    validators: ValidatorSet
    source: str

    @property
    def header(self) -> Header:
        return self.block.header

    def to_json(self) -> dict[str, Any]:
        return {
            "source": self.source,
            "height": self.header.height,
            "block_id": self.block_id.hex(),
            "state_root": self.header.state_root.hex(),
            "header": encode(self.header).hex(),
            "commit": encode(self.block.commit).hex(),
            "validators": encode(self.validators.entries).hex(),
        }

    def signers(self) -> set[bytes]:
        """The addresses of the validators whose precommits the certificate has."""
        pairs = zip(self.validators.entries, self.block.commit.signatures, strict=True)
        return {entry.address for entry, signature in pairs if signature}


class SplitView(Exception):
    """Two headers that validators of this chain have decided and that exclude each other: of one height, or the second
    is not the parent of the first. Carries both as evidence."""

    def __init__(self, genesis: bytes, first: Followed, second: Followed) -> None:
        super().__init__(
            f"height {first.header.height}: {first.source} shows block {first.block_id.hex()}, {second.source} shows "
            f"{second.block_id.hex()}, and both are decided"
        )
        self.first, self.second = first, second
        self._genesis = genesis

    def to_json(self) -> dict[str, Any]:
        """The evidence: headers, certificates and sets in hex, which anybody can verify, what differs, and the
        validators that have signed both."""
        one, other = self.first, self.second
        return {
            "format": FORMAT,
            "genesis_hash": self._genesis.hex(),
            "height": one.header.height,
            "headers": [one.to_json(), other.to_json()],
            "differing": [
                name for name in Header.__struct_fields__ if getattr(one.header, name) != getattr(other.header, name)
            ],
            "signed_both": [to_text(address) for address in sorted(one.signers() & other.signers())],
        }


class _Source:
    """A node as `trust.HeaderSource`."""

    def __init__(self, node: Shower) -> None:
        self._node = node
        self.committed = node.committed

    def validators(self, height: int) -> Iterable[tuple[ValidatorEntry, ...]]:
        yield self._node.validators(height)


class Follower:
    """Follows headers and remembers them, so that a node that shows another one later is found out too."""

    def __init__(self, genesis: Genesis) -> None:
        self._hash = genesis_hash(genesis)
        self._root = genesis_trust(genesis)
        self._trusts: list[Trust] = []
        self._seen: OrderedDict[int, Followed] = OrderedDict()

    def remember(self, followed: Followed, following: ValidatorSet) -> None:
        """Take a header that was followed in an earlier run as followed. `following`: the set after it."""
        header = followed.header
        self._keep(followed, Trust(header.height, followed.block_id, header.time_ms, following, header))

    def follow(self, block: LightBlock, node: Shower, name: str) -> tuple[Followed, ValidatorSet]:
        """The header as followed, and the set after it. Raises `SplitView`; `InvalidCertificate`, `Conflict` or
        `Malformed` where it cannot be followed, and what the node raises when it is asked for more."""
        header = block.header
        block_id = block_id_of(header, self._hash)
        base = self._base(header.height)
        trust, _ = advance(base, block, _Source(node), self._hash)
        book = SetBook(_Source(node), base.validators, trust.validators)
        followed = Followed(block, block_id, book.get(header.validators_hash, header.height), name)
        known = self._seen.get(header.height)
        if known is not None and known.block_id != block_id:
            raise SplitView(self._hash, known, followed)
        below = self._seen.get(header.height - 1)
        if below is not None and below.block_id != header.parent_id:
            self._raise_of_parent(header, node, name)
        above = self._seen.get(header.height + 1)
        if above is not None and above.header.parent_id != block_id:
            raise SplitView(self._hash, above, followed)
        if known is None:
            self._keep(followed, trust)
        return followed, trust.validators

    def _raise_of_parent(self, header: Header, node: Shower, name: str) -> None:
        """The header builds on another block than the one that was followed before: find the two that differ."""
        parent = node.committed(header.height - 1)
        if block_id_of(parent.block.header, self._hash) == header.parent_id:
            self.follow(LightBlock(parent.block.header, parent.commit), node, name)
        raise InvalidCertificate(f"{name} does not show the parent of its block {header.height}")

    def _base(self, height: int) -> Trust:
        """The newest point at least two below: the next height would have to build on it, and a fork is to be shown as
        two headers of one height."""
        at = bisect_left(self._trusts, height - 1, key=lambda trust: trust.height)
        return self._trusts[at - 1] if at else self._root

    def _keep(self, followed: Followed, trust: Trust) -> None:
        self._seen[trust.height] = followed
        if len(self._seen) > SEEN_MAX:
            del self._seen[min(self._seen)]
        at = bisect_left(self._trusts, trust.height, key=lambda each: each.height)
        self._trusts.insert(at, trust)
        if len(self._trusts) > TRUSTS_MAX:
            del self._trusts[0]

    @property
    def newest(self) -> Trust:
        """The newest point that was followed, or the trust root."""
        return self._trusts[-1] if self._trusts else self._root
