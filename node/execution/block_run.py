"""One block in execution: transactions go in one by one; what comes out is a diff, records and the root.

Pure: works on overlays over a read-only state, and is dropped without a trace where the block is not decided.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final, NamedTuple

from msgspec.structs import replace

from node import limits
from node.chain.validators import ValidatorSet
from node.chain.vote import Evidence, evidence_id
from node.crypto.addresses import address_of, to_text
from node.crypto.state_tree import ENTRY, StateTree, TreeChange, bucket_of, changed_bucket, slot_of
from node.errors import OperatorError
from node.execution.head import ChainHead
from node.ledger.body import judge_body, type_of
from node.ledger.guards import (
    ALREADY_COMMITTED,
    EXPIRY_TOO_FAR,
    SIGNATURE_MISSING,
    SIGNATURE_SUPERFLUOUS,
    TRANSACTION_EXPIRED,
    TYPE_NOT_ACTIVE,
)
from node.ledger.json_form import time_to_text
from node.ledger.overlay import BlockContext, BlockOverlay, Ledger, Record, StateReader
from node.ledger.params import CHAIN, PARAMS_KEY, ChainParams
from node.ledger.receipts import BlockReceipts, Happening, Receipt, RecordRef, receipt_of
from node.ledger.signed import TxSignature, assemble
from node.txtypes.chain.replay_window import EMPTY, WINDOW, extended, hour_of, passed_hours
from node.txtypes.chain.validator_set import VALIDATORS, punish
from node.txtypes.envelope import CheckedTx
from node.txtypes.identity.account import ACCOUNT, ACCOUNT_UNKNOWN
from node.txtypes.identity.quota import charge, payers_of, used_today, weight_of
from node.txtypes.rulesets import RULESETS, unknown_rules

NO_SIGNATURE: Final = TxSignature(bytes(20), bytes(32), bytes(64))
"""Stands for a missing one: it has the size of any."""


class QuotaLeft(NamedTuple):
    """What a payer's quotas have left today."""

    address: bytes
    weight: int
    is_short_of_keys: bool
    """Whether half of the quota of new state keys is used."""


@dataclass(frozen=True, slots=True)
class BlockResult:
    """Everything a commit writes."""

    height: int
    time_ms: int
    changes: dict[bytes, bytes | None]
    overlay: BlockOverlay = field(compare=False)
    tree: TreeChange
    records: tuple[Record, ...]
    transactions: tuple[CheckedTx, ...]
    validators: ValidatorSet
    params: ChainParams
    weight: int
    receipts: BlockReceipts

    @property
    def state_root(self) -> bytes:
        return self.tree.root


class BlockRun:
    """The state of one block's execution. `add` either takes a transaction whole or leaves everything as it was."""

    def __init__(
        self,
        state: StateReader,
        tree: StateTree,
        head: ChainHead,
        genesis_hash: bytes,
        time_ms: int,
        *,
        records_reads: bool = False,
    ) -> None:
        """`records_reads`: whether `judge` notes the state keys that it reads. Raises `OperatorError` where this
        software does not know the ruleset of the height."""
        height = head.height + 1
        if unknown := unknown_rules(head.params, height):
            raise OperatorError(unknown)
        self._state = state
        self._tree = tree
        self._head = head
        self.rules = RULESETS[head.params.ruleset_at(height)]
        self._block = BlockContext(genesis_hash, height, time_ms, self.rules)
        self._overlay = BlockOverlay(state)
        self._records_reads = records_reads
        self._txids: set[bytes] = set()
        self._records: list[Record] = []
        self._taken: list[CheckedTx] = []
        self._receipts: list[Receipt] = []
        self._happenings: list[Happening] = []
        self._buckets: dict[int, bytes] = {}
        self._growth: Counter[int] = Counter()
        """Keys that the block has created so far, by bucket."""
        self._slots: dict[bytes, tuple[bytes, int]] = {}
        self.weight = 0
        self.bytes = 0
        self._activate_ruleset()

    def _activate_ruleset(self) -> None:
        params = self._head.params
        if params.next_ruleset and self._block.height >= params.next_ruleset_height:
            activated = replace(
                params, ruleset=self.rules.number, next_ruleset=0, next_ruleset_height=0, next_ruleset_hash=b""
            )
            self._overlay.put(CHAIN, PARAMS_KEY, activated)
            self._happenings.append(Happening("ruleset.activated", ()))

    @property
    def params(self) -> ChainParams:
        """As the block finds them, after a ruleset that starts at this height."""
        params = self._overlay.get(CHAIN, PARAMS_KEY)
        assert params is not None, "the genesis state has no chain parameters"
        return params

    def _ledger(self, txid: bytes, sender: bytes, payload_bytes: bytes) -> Ledger:
        return Ledger(self._overlay, self._block, txid, sender, payload_bytes)

    # --- transactions -------------------------------------------------------------------------------
    def add(self, tx: CheckedTx) -> None:
        """Take one transaction. Raises `GuardsUnmet` with every guard that does not hold; nothing changes then."""
        ledger = self.carry_out(tx)
        ledger.check_guards()
        weight = self._weight_of(tx, ledger)
        if self.weight + weight > self._head.params.block_weight_max and self._taken:
            raise BlockFull
        self.weight += weight
        self.bytes += len(tx.raw) + 5
        records = tuple([RecordRef(record.vin, record.sequence) for record in ledger.records])
        self._receipts.append(receipt_of(records, ledger.changes, ledger.replaced, ledger.happenings))
        self._overlay.take(ledger)
        for key in ledger.created:
            self._growth[self._slot(key)[1]] += 1
        self._records += ledger.records
        self._taken.append(tx)
        self._txids.add(tx.txid)

    def _weight_of(self, tx: CheckedTx, ledger: Ledger) -> int:
        return tx.payload.body.weigh() + len(tx.raw) // 64 + self._bucket_weight(ledger)

    def has_room(self, tx: CheckedTx) -> bool:
        """Whether the block could take the transaction too. Raises `GuardsUnmet` where it does not hold."""
        ledger, params = self.carry_out(tx), self._head.params
        ledger.check_guards()
        return (
            len(self._taken) < params.block_txs_max
            and self.bytes + len(tx.raw) + 5 <= params.block_bytes_max
            and (not self._taken or self.weight + self._weight_of(tx, ledger) <= params.block_weight_max)
        )

    def judge(self, tx: CheckedTx) -> Ledger:
        """The transaction's ledger with all its unmet guards noted: envelope, signatures, the type's own. Nothing else
        is asked of a type that the ruleset does not have."""
        return self._with_guards(tx, is_whole=True)

    def judge_envelope(self, tx: CheckedTx) -> Ledger:
        """As `judge`, without the type's own guards."""
        return self._with_guards(tx, is_whole=False)

    def _with_guards(self, tx: CheckedTx, *, is_whole: bool) -> Ledger:
        payload = tx.payload
        ledger = self._ledger(tx.txid, payload.sender, tx.payload_bytes)
        if self._records_reads:
            ledger.reads = {}
        if payload.body.__class__ in ledger.rules.classes:
            self._judge_envelope(ledger, tx)
            if is_whole:
                judge_body(ledger, payload.body)
        else:
            ledger.unmet(TYPE_NOT_ACTIVE, type_of(payload.body))
        if ledger.reads is not None:
            ledger.contended, ledger.reads = tuple(ledger.reads), None
        return ledger

    def _judge_envelope(self, ledger: Ledger, tx: CheckedTx) -> None:
        """Expiry, replay, and whether those have signed who must."""
        payload = tx.payload
        now, expires = self._block.time_ms, payload.expires_at_ms
        if expires < now:
            ledger.unmet(TRANSACTION_EXPIRED, have=time_to_text(expires), need=f"at least {time_to_text(now)}")
        elif expires > now + self._head.params.tx_lifetime_max_ms:
            latest = time_to_text(now + self._head.params.tx_lifetime_max_ms)
            ledger.unmet(EXPIRY_TOO_FAR, have=time_to_text(expires), need=f"at most {latest}")
        if tx.txid in self._txids or self._state.was_committed(tx.txid):
            ledger.unmet(ALREADY_COMMITTED, tx.txid.hex())
        check_policies(ledger, payload.body.signers(ledger), payload.body.new_account_keys(), tx.signatures)

    def carry_out(self, tx: CheckedTx) -> Ledger:
        """As `judge`; and where all guards hold with what it changes, and whether its payer's quota is enough for that.
        Costs up to a hundred times as much."""
        ledger = self.judge(tx)
        if not ledger.unmet_guards:
            self._apply(ledger, tx)
            self._charge(ledger, tx)
        return ledger

    def _apply(self, ledger: Ledger, tx: CheckedTx) -> None:
        tx.payload.body.apply(ledger)
        for family, value in ledger.changes.values():
            if family.is_checked and value is not None:
                family.check(value)
        ledger.note_replaced()

    def foresee(self, tx: CheckedTx) -> Ledger:
        """As `carry_out`, and also where only signatures are missing: then as if there were one for each."""
        ledger = self.carry_out(tx)
        unmet = ledger.unmet_guards
        if unmet and all(guard.code == SIGNATURE_MISSING.code for guard in unmet):
            missing = sum(int(guard.need) - int(guard.have) for guard in unmet)
            signed = assemble(tx.payload_bytes, [*tx.signatures, *[NO_SIGNATURE] * missing])
            self._apply(ledger, tx)
            self._charge(ledger, CheckedTx(tx._replace(raw=signed)))
        return ledger

    def _charge(self, ledger: Ledger, tx: CheckedTx) -> None:
        body = tx.payload.body
        if body.is_charged:
            charge(ledger, weight_of(body, len(tx.raw)), self._keys_charged(ledger.created))

    def quotas_left(self, sender: bytes) -> list[QuotaLeft]:
        """The quota of each payer of a sender's transactions, the sponsor's last."""
        ledger, found = self._ledger(b"", sender, b""), []
        for payer in payers_of(ledger, sender, ledger.params):
            used = used_today(ledger, payer.address, ledger.now_ms)
            found.append(QuotaLeft(payer.address, payer.weight - used.weight, used.keys * 2 >= payer.keys))
        return found

    def _keys_charged(self, created: list[bytes]) -> int:
        """Each new key counts as one, and as one more for every `limits.ENTRIES_PER_KEY` entries that its bucket has:
        whoever grinds keys into one bucket pays for its growth."""
        charged = len(created)
        for key in created:
            number = self._slot(key)[1]
            charged += (len(self._bucket(number)) // ENTRY + self._growth[number]) // limits.ENTRIES_PER_KEY
        return charged

    def _bucket_weight(self, ledger: Ledger) -> int:
        """A 64th of the bytes of the buckets that the transaction is the first to touch by its keys."""
        changed, weight, touched = self._overlay.changes, 0, set[int]()
        for key in ledger.changes:
            if key not in changed:
                number = self._slot(key)[1]
                if number not in touched:
                    touched.add(number)
                    weight += len(self._bucket(number)) // 64
        return weight

    def _slot(self, key: bytes) -> tuple[bytes, int]:
        known = self._slots.get(key)
        if known is None:
            slot = slot_of(key)
            known = self._slots[key] = (slot, bucket_of(slot, self._tree.depth))
        return known

    def _bucket(self, number: int) -> bytes:
        known = self._buckets.get(number)
        if known is None:
            known = self._state.bucket(number) if self._tree.has_entries(number) else b""
            self._buckets[number] = known
        return known

    # --- the end --------------------------------------------------------------------------------------
    def finish(self, evidence: tuple[Evidence, ...] = ()) -> BlockResult:
        """Carry out evidence, close the replay window's passed hours, compute the root."""
        block_receipt = self._carry_out_evidence(evidence)
        self._change_window()
        changes = self._overlay.changes
        validators = self._overlay.get(VALIDATORS, VALIDATORS.key("set"))
        assert validators is not None, "the genesis state has no validator set"
        versions = self.rules.value_versions
        stored = {
            key: None if value is None else family.encode(value, versions[family.name])
            for key, (family, value) in changes.items()
        }
        return BlockResult(
            height=self._block.height,
            time_ms=self._block.time_ms,
            changes=stored,
            overlay=self._overlay,
            tree=self._tree.change(self._changed_buckets(stored)),
            records=tuple(self._records),
            transactions=tuple(self._taken),
            validators=ValidatorSet(validators.entries),
            params=self.params,
            weight=self.weight,
            receipts=BlockReceipts(tuple(self._receipts), block_receipt),
        )

    def _change_window(self) -> None:
        """Add the block's transactions to their hours, and delete the hours that have passed."""
        overlay, by_hour = self._overlay, defaultdict[int, list[tuple[bytes, int]]](list)
        for tx in self._taken:
            expires_at_ms = tx.payload.expires_at_ms
            by_hour[hour_of(expires_at_ms)].append((tx.txid, expires_at_ms))
        for hour, added in by_hour.items():
            key = WINDOW.key(str(hour))
            overlay.put(WINDOW, key, extended(overlay.get(WINDOW, key) or EMPTY, added))
        for hour in passed_hours(self._head.time_ms, self._block.time_ms):
            key = WINDOW.key(str(hour))
            if overlay.get(WINDOW, key) is not None:
                overlay.put(WINDOW, key, None)

    def _carry_out_evidence(self, evidence: tuple[Evidence, ...]) -> Receipt:
        """The receipt of what the block itself has done, a ruleset that begins included."""
        ledger = self._ledger(b"", b"", b"")
        for piece in evidence:
            punish(ledger, piece.first.validator, evidence_id(piece))
        ledger.note_replaced()
        happenings = (*self._happenings, *ledger.happenings)
        receipt = receipt_of((), ledger.changes, ledger.replaced, happenings)
        self._overlay.take(ledger)
        return receipt

    def _changed_buckets(self, stored: dict[bytes, bytes | None]) -> dict[int, bytes]:
        changed: dict[int, bytes] = {}
        for key, value in stored.items():
            slot, number = self._slot(key)
            entries = changed.get(number)
            if entries is None:
                entries = self._bucket(number)
            changed[number] = changed_bucket(entries, slot, None if value is None else sha256(value).digest())
        return changed


class BlockFull(Exception):
    """The next transaction would pass the block's weight. Building stops; a block with more is invalid."""


def check_policies(
    ledger: Ledger, co_signers: tuple[bytes, ...], new_keys: tuple[bytes, ...], given: tuple[TxSignature, ...]
) -> None:
    """Exactly what each required account's policy needs, none superfluous; notes what is missing or too much."""
    if len(given) == 1 and not co_signers and not new_keys and given[0].address == ledger.sender:
        account = ledger.get(ACCOUNT, ledger.sender)
        if account is not None and account.threshold == 1 and given[0].public_key in account.keys:
            return
    by_address: dict[bytes, list[bytes]] = {}
    for signature in given:
        by_address.setdefault(signature.address, []).append(signature.public_key)
    for address in dict.fromkeys((ledger.sender, *co_signers)):
        keys = by_address.pop(address, [])
        account = ledger.get(ACCOUNT, address)
        if account is None:
            ledger.unmet(ACCOUNT_UNKNOWN, to_text(address))
            continue
        _compare(ledger, address, keys, account.keys, account.threshold)
    if new_keys:
        address = address_of(new_keys[0])
        _compare(ledger, address, by_address.pop(address, []), new_keys, len(new_keys))
    for address in by_address:
        ledger.unmet(SIGNATURE_SUPERFLUOUS, to_text(address))


def _compare(ledger: Ledger, address: bytes, keys: list[bytes], allowed: tuple[bytes, ...], threshold: int) -> None:
    valid = sum(1 for key in keys if key in allowed)
    if valid < threshold:
        ledger.unmet(SIGNATURE_MISSING, to_text(address), valid, threshold)
    if valid > threshold or len(keys) > valid:
        ledger.unmet(SIGNATURE_SUPERFLUOUS, to_text(address), len(keys), threshold)
