"""Quotas: what the transactions of an account, and of all accounts that a member sponsors, may cost on one day.

There are no fees. Every transaction has payers instead: its sender, and the member that sponsors the sender. Each has a
quota of weight (the type's weight, and the signed bytes) and of new state keys, which block time refills every day.
"""

from __future__ import annotations

from typing import NamedTuple

from msgspec.structs import replace

from node.codec import Value
from node.crypto.addresses import to_text
from node.ledger.body import TransactionBody
from node.ledger.family import ADDRESS_IDENT, AsOf, Family, Reader, View
from node.ledger.guards import Guard
from node.ledger.overlay import Ledger
from node.ledger.params import CHAIN, PARAMS_ID, ChainParams
from node.limits import DAY_MS
from node.txtypes.identity.account import ACCOUNT
from node.txtypes.members.member import MEMBER

WEIGHT_EXHAUSTED = Guard("weight_exhausted", "the daily quota of weight is used up",
                         "das Tageskontingent an Gewicht ist erschöpft", "当日交易权重配额已用完")  # fmt: skip
KEYS_EXHAUSTED = Guard("keys_exhausted", "the daily quota of new state keys is used up",
                       "das Tageskontingent neuer Schlüssel ist erschöpft", "当日新增键配额已用完")  # fmt: skip
ACTS_EXHAUSTED = Guard("acts_exhausted", "the account has done as many acts of this kind today as it may",
                       "das Konto hat heute schon so viele Handlungen dieser Art vorgenommen wie erlaubt",
                       "该账户当日此类操作次数已达上限")  # fmt: skip


class Acts(Value, frozen=True):
    """How many acts of a kind an account has done on the day."""

    kind: str
    count: int


class Quota(Value, tag=1, frozen=True):
    """What an account has used on `day` (block time / 24 h); of a member, with the accounts that it sponsors."""

    day: int
    weight: int
    keys: int
    acts: tuple[Acts, ...] = ()
    """Of the kinds that have a bound of their own, ascending."""


class QuotaForecast(View, frozen=True):
    """What a payer has used of its quotas on the day, and what is left."""

    weight: int
    weight_left: int
    keys: int
    keys_left: int

    @staticmethod
    def of(ident: str, quota: Quota, reader: Reader, as_of: AsOf) -> QuotaForecast:
        address, params = bytes.fromhex(ident), reader.get(CHAIN, PARAMS_ID)
        assert params is not None, "the state has chain parameters"
        payer, used = payers_of(reader, address, params)[0], used_today(reader, address, as_of.now_ms)
        return QuotaForecast(used.weight, payer.weight - used.weight, used.keys, payer.keys - used.keys)


QUOTA = Family("quota", Quota, ident=ADDRESS_IDENT, contended=False, forecast_view=QuotaForecast)


class Payer(NamedTuple):
    """An account that pays, and the most that it may use on one day."""

    address: bytes
    weight: int
    keys: int


def payers_of(reader: Reader, sender: bytes, params: ChainParams) -> tuple[Payer, ...]:
    """The payers of a transaction, the sponsor last. A member pays for itself."""
    sponsor = sender
    own: tuple[Payer, ...] = ()
    if reader.get(MEMBER, sender) is None:
        account = reader.get(ACCOUNT, sender)
        sponsor = sender if account is None else account.sponsor
        own = (Payer(sender, params.weight_per_account_day, params.keys_per_account_day),)
    return (*own, Payer(sponsor, params.weight_per_sponsor_day, params.keys_per_sponsor_day))


def weight_of(body: TransactionBody, size: int) -> int:
    """What a transaction of `size` signed bytes is charged: its type's weight, and one for every 64 bytes. 0 for a type
    that is free."""
    return body.weigh() + size // 64 if body.is_charged else 0


def used_today(reader: Reader, payer: bytes, now_ms: int) -> Quota:
    """What a payer has used on the day of `now_ms`."""
    day, quota = now_ms // DAY_MS, reader.get(QUOTA, payer)
    return quota if quota is not None and quota.day == day else Quota(day, 0, 0, ())


def charge(ledger: Ledger, weight: int, keys: int) -> None:
    """Charge a transaction to its payers; notes each quota that has too little left."""
    now_ms = ledger.now_ms
    for payer in payers_of(ledger, ledger.sender, ledger.params):
        used = used_today(ledger, payer.address, now_ms)
        total = Quota(used.day, used.weight + weight, used.keys + keys, used.acts)
        if total.weight > payer.weight:
            ledger.unmet(WEIGHT_EXHAUSTED, to_text(payer.address), total.weight, f"at most {payer.weight} a day")
        if total.keys > payer.keys:
            ledger.unmet(KEYS_EXHAUSTED, to_text(payer.address), total.keys, f"at most {payer.keys} a day")
        ledger.put(QUOTA, payer.address, total)


def check_acts(ledger: Ledger, kind: str, most: int) -> None:
    """Notes that the sender has done `most` acts of the kind today."""
    done = _acts_today(ledger).get(kind, 0)
    if done >= most:
        ledger.unmet(ACTS_EXHAUSTED, to_text(ledger.sender), f"{kind}: {done}", f"at most {most} a day")


def count_act(ledger: Ledger, kind: str) -> None:
    """Count one more act of the sender today."""
    acts = _acts_today(ledger)
    acts[kind] = acts.get(kind, 0) + 1
    used = used_today(ledger, ledger.sender, ledger.now_ms)
    ledger.put(QUOTA, ledger.sender, replace(used, acts=tuple(Acts(*entry) for entry in sorted(acts.items()))))


def _acts_today(ledger: Ledger) -> dict[str, int]:
    return {entry.kind: entry.count for entry in used_today(ledger, ledger.sender, ledger.now_ms).acts}
