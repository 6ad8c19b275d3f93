"""JSON answers other than views of state values: the node, blocks, problems; and the forms that an answer can have."""

from __future__ import annotations

from typing import Annotated, Any, Literal, NamedTuple

from msgspec import Meta

from node.chain.block import Commit, Header
from node.chain.vote import Evidence
from node.ledger import kinds
from node.ledger.family import Family, View
from node.ledger.fields import Address, Hash32, Height, OptionalTime, PublicKey, Time
from node.ledger.signed import TxSignature
from node.rpc.backend import TxStatusName
from node.txtypes.chain.validator_set import ValidatorEntry
from node.txtypes.registry import AnyBody

Document = Annotated[Any, kinds.PLAIN]
"""JSON whose form depends on the request."""
Cursor = Annotated[str | None, Meta(description="for the next page; null at the end")]
OptionalAddress = Annotated[str, Meta(description="an address, or empty for none")]


class Stamp(View, frozen=True):
    """Height and time of the state that an answer was read from."""

    height: Height
    time_ms: Time


# --- the node ---------------------------------------------------------------------------------------------
class HeadAnswer(View, frozen=True):
    """The newest block."""

    height: Height
    id: Hash32
    time_ms: Time
    state_root: Hash32


class SyncAnswer(View, frozen=True):
    """Progress of block sync; 0 while the node is not behind."""

    target: Height
    blocks_per_second: int
    seconds_left: int


class PoolAnswer(View, frozen=True):
    """The pending transactions."""

    transactions: int
    bytes: int


class Status(View, frozen=True):
    """The node and its head."""

    chain_id: str
    genesis_hash: Hash32
    head: HeadAnswer
    first_height: Height
    syncing: bool
    sync: SyncAnswer
    validator: bool
    validator_address: OptionalAddress
    validator_name: str
    signing: str
    round: int
    step: str
    peers: int
    pool: PoolAnswer
    halted: str
    moniker: str
    node_key: PublicKey
    version: str


class Live(View, frozen=True):
    """The process responds."""

    live: bool


class Ready(View, frozen=True):
    """Whether the node should receive traffic, else the reasons."""

    ready: bool
    reasons: tuple[str, ...]


class Peer(View, frozen=True):
    """A connected node."""

    node_key: PublicKey
    address: str
    moniker: str
    is_outbound: bool
    height: Height
    member: OptionalAddress
    member_name: str
    score: int


class Peers(View, frozen=True):
    """The connected nodes."""

    peers: tuple[Peer, ...]
    height: Height


class NamedValidator(ValidatorEntry, frozen=True):
    """A validator and its business name."""

    name: str


class Validators(View, frozen=True):
    """The validator set of a height."""

    height: Height
    hash: Hash32
    total_power: int
    validators: tuple[NamedValidator, ...]


# --- blocks and state ---------------------------------------------------------------------------------------
class Transaction(View, frozen=True):
    """A signed transaction. `size`: in bytes."""

    txid: Hash32
    wire_id: Hash32
    type: str
    sender: Address
    salt: str
    expires_at_ms: Time
    body: AnyBody
    signatures: tuple[TxSignature, ...]
    size: int


class Block(View, frozen=True):
    """A block with its commit certificate."""

    height: Height
    id: Hash32
    time_ms: Time
    header: Header
    transactions: tuple[Transaction, ...]
    evidence: tuple[Evidence, ...]
    last_commit: Commit
    commit: Commit


class BlocksPage(View, frozen=True):
    """Blocks in ascending order."""

    blocks: tuple[Block, ...]
    cursor: Cursor


class RawHeader(Header, frozen=True):
    """A header with its canonical bytes."""

    raw: bytes


class RawCommit(Commit, frozen=True):
    """A commit certificate with its canonical bytes."""

    raw: bytes


class CertifiedHeader(View, frozen=True):
    """A header with its commit certificate, without the block's contents: what a light client follows."""

    height: Height
    id: Hash32
    time_ms: Time
    header: RawHeader
    commit: RawCommit


class EntryPath(View, frozen=True):
    """The Merkle path of one entry of a large bucket."""

    path: tuple[Hash32, ...]


class LargeBucketAnswer(View, frozen=True):
    """Positions in a bucket of more than 256 entries. `count`: of all entries; `index`: of the first one here."""

    count: int
    index: int
    paths: tuple[EntryPath, ...]


class StateProofAnswer(View, frozen=True):
    """Bucket entries and siblings on the path from a key to the state root."""

    entries: bytes
    siblings: tuple[Hash32, ...]
    large: LargeBucketAnswer | None


class StateEntry(View, frozen=True):
    """A state key with its value, null if absent. `proof`: if requested."""

    key: str
    value: bytes | None
    decoded: Document
    proof: StateProofAnswer | None


class StateValues(View, frozen=True):
    """State values of one height. `header`, `commit`: of the block with the state root, if proofs were requested; null
    at the genesis state."""

    entries: tuple[StateEntry, ...]
    tree_depth: int
    state_root: Hash32
    header: RawHeader | None
    commit: RawCommit | None


class StateAnswer(StateEntry, frozen=True):
    """One state value; with the proof of it or of its absence if requested."""

    tree_depth: int
    state_root: Hash32
    header: RawHeader | None
    commit: RawCommit | None


# --- problems -----------------------------------------------------------------------------------------------
class Unmet(View, frozen=True):
    """A guard that is not met. `text`: one sentence in the requested language."""

    code: str
    subject: str
    have: str
    need: str
    text: str


class SubmittedStatus(View, frozen=True):
    """The status of the transaction that a problem document is about, as `GET /v1/transactions/{txid}` shows it. Unless
    `final`, it may be committed until `until`. `accepted`: whether this node has ever accepted these bytes; if not, it
    has given them to nobody. Without `status` this node knows nothing of the transaction."""

    txid: Hash32
    status: TxStatusName
    final: bool
    accepted: bool
    until_ms: OptionalTime


class Problem(View, frozen=True):
    """A problem document (RFC 9457). Members after `code` are present if they apply."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    unmet: tuple[Unmet, ...] = ()
    transaction: SubmittedStatus | None = None
    nearest: str = ""
    ready: bool = False
    reasons: tuple[str, ...] = ()


# --- shapes -------------------------------------------------------------------------------------------------
class PageOf(NamedTuple):
    """A list: views of a family, a cursor and a stamp."""

    family: Family[Any]


class Stamped(NamedTuple):
    """A view with a stamp."""

    view: type[Any]


class OneOf(NamedTuple):
    """One of several structs, each with one value of the field `by`. `name`: of the schema."""

    name: str
    by: str
    structs: dict[str, type[Any]]


Shape = type[Any] | OneOf | PageOf | Stamped | Literal["text", "object", "codes", "binary"]
"""The form of an answer: a struct, one of several structs, a page, a stamped view, or a form without schema."""
