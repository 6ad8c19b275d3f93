"""JSON answers about transactions: their status, and what encoding, checking and listing them returns."""

from __future__ import annotations

from typing import Literal

from node.chain.acceptance import Acceptance
from node.ledger.family import View
from node.ledger.fields import Address, Hash32, Height, OptionalTime, Time, Vin
from node.ledger.receipts import Happening
from node.rpc.answers import Cursor, Transaction, Unmet
from node.txtypes.forecast import ForeseenChange, ForeseenRecord, MissingSignatures


class Pending(View, frozen=True):
    """Journalled, not yet in a block. It can be committed until `until`."""

    txid: Hash32
    status: Literal["pending"]
    until_ms: Time


class Accepted(Pending, frozen=True):
    """Journalled when it was submitted, with the node's signed receipt."""

    acceptance: Acceptance


class Committed(View, frozen=True):
    """In a block."""

    txid: Hash32
    status: Literal["committed"]
    height: Height
    index: int


class ChangeAnswer(View, frozen=True):
    """A change of one state value. `status`: of the value after it. `vins`, `accounts`, `orders`, `listings`: the
    subjects of the value before and after."""

    key: str
    change: Literal["created", "changed", "ended"]
    status: str
    vins: tuple[Vin, ...]
    accounts: tuple[Address, ...]
    orders: tuple[Hash32, ...]
    listings: tuple[Hash32, ...]


class CommittedInFull(Committed, frozen=True):
    """In a block, with its effects as this node recorded them. Below the height `complete_from` the node has no
    receipts: records, changes and happenings are null. Without the block, `block_id`, `time` and `transaction` are null
    too."""

    block_id: Hash32 | None
    time_ms: OptionalTime
    transaction: Transaction | None
    records: tuple[str, ...] | None
    changes: tuple[ChangeAnswer, ...] | None
    happenings: tuple[Happening, ...] | None
    complete_from: Height


class Rejected(View, frozen=True):
    """This node rejected it. Unless `final`, it may still commit: send the same bytes, never a re-signed copy."""

    txid: Hash32
    status: Literal["rejected"]
    unmet: tuple[Unmet, ...]
    final: bool
    until_ms: Time


class Expired(View, frozen=True):
    """It can never commit. `unmet`: why it was rejected here before; empty if it only waited."""

    txid: Hash32
    status: Literal["expired"]
    unmet: tuple[Unmet, ...]
    final: bool
    until_ms: Time


class Encoded(View, frozen=True):
    """An encoded unsigned transaction. `sign_bytes`: the bytes that each signer signs."""

    payload: bytes
    sign_bytes: bytes
    txid: Hash32
    sender: Address
    salt: str
    expires_at_ms: Time


class Caution(View, frozen=True):
    """What a person should know before the transaction is sent. `subject`: a state key; `text`: one sentence in the
    requested language."""

    code: str
    subject: str
    text: str


class Checked(View, frozen=True):
    """Whether a transaction would be valid now, and what it would change. `signatures`: accounts that must sign still.
    `records`, `changes`, `happenings` and `cautions` are empty if other guards are unmet than missing signatures."""

    ok: bool
    txid: Hash32
    unmet: tuple[Unmet, ...]
    signatures: tuple[MissingSignatures, ...]
    records: tuple[ForeseenRecord, ...]
    changes: tuple[ForeseenChange, ...]
    happenings: tuple[Happening, ...]
    cautions: tuple[Caution, ...]


class TouchingEntry(View, frozen=True):
    """A transaction that concerns the subject of the list."""

    txid: Hash32
    height: Height
    index: int
    time_ms: Time
    type: str
    sender: Address


class TouchingPage(View, frozen=True):
    """Transactions that concern a vehicle, order or account, the newest first. The list is complete from the height
    `complete_from` on."""

    transactions: tuple[TouchingEntry, ...]
    cursor: Cursor
    complete_from: Height
