"""Accounts: keys, a threshold, the member that sponsored them. Addresses come from the first key and stay."""

from __future__ import annotations

from typing import Annotated, ClassVar

from msgspec import Meta

from node import limits
from node.crypto.addresses import address_of, to_text
from node.errors import Malformed
from node.txtypes.body import Body
from node.txtypes.fields import Address, Height, PublicKey, Value
from node.txtypes.ledger import Family, Ledger
from node.txtypes.members import require_member
from node.txtypes.params import DAY_MS, params

Keys = Annotated[tuple[PublicKey, ...], Meta(min_length=1, max_length=limits.ACCOUNT_KEYS_MAX)]
Threshold = Annotated[int, Meta(ge=1, le=limits.ACCOUNT_KEYS_MAX)]
SealingKey = Annotated[bytes, Meta(max_length=32, description="X25519 public key, or empty")]


class Account(Value, tag=1, frozen=True):
    keys: Keys
    threshold: Threshold
    sealing_key: SealingKey
    sponsor: Address
    opened_height: Height
    updated_height: Height


class Quota(Value, tag=1, frozen=True):
    """How many new state keys a member and those it sponsors have made on `day` (block time / 24 h)."""

    day: int
    used: int


ACCOUNT = Family("account", Account)
QUOTA = Family("quota", Quota)


def charge_new_keys(ledger: Ledger, payer: bytes, count: int) -> None:
    """Charges `count` new state keys to the payer's quota of the day; refilled by block time, never by a clock."""
    day, limit = ledger.now_ms // DAY_MS, params(ledger).keys_per_day
    quota = ledger.get(QUOTA, payer)
    used = quota.used if quota is not None and quota.day == day else 0
    if used + count > limit:
        ledger.unmet("quota_exhausted", to_text(payer), used + count, limit)
        return
    ledger.put(QUOTA, payer, Quota(day, used + count))


def _check_policy(keys: tuple[bytes, ...], threshold: int, sealing_key: bytes) -> None:
    if len(set(keys)) != len(keys):
        raise Malformed("keys: the same key stands twice")
    if threshold > len(keys):
        raise Malformed(f"threshold: {threshold} of {len(keys)} keys can never sign")
    if len(sealing_key) not in (0, 32):
        raise Malformed("sealing_key: 32 bytes, or empty")


class AccountOpen(Body, tag="account.open", frozen=True):
    """Open an account with the sender as its sponsor; every listed key signs for the new address."""

    keys: Keys
    threshold: Threshold
    sealing_key: SealingKey
    weight: ClassVar[int] = 150

    def check_static(self) -> None:
        _check_policy(self.keys, self.threshold, self.sealing_key)

    @property
    def address(self) -> bytes:
        return address_of(self.keys[0])

    def new_account_keys(self) -> tuple[bytes, ...]:
        return self.keys

    def guards(self, ledger: Ledger) -> None:
        require_member(ledger, ledger.sender)
        if ledger.get(ACCOUNT, self.address) is not None:
            ledger.unmet("account_exists", to_text(self.address))

    def apply(self, ledger: Ledger) -> None:
        height = ledger.block.height
        account = Account(self.keys, self.threshold, self.sealing_key, ledger.sender, height, height)
        ledger.put(ACCOUNT, self.address, account)

    def subjects(self) -> tuple[str, ...]:
        return (f"account/{self.address.hex()}",)


class AccountUpdateKeys(Body, tag="account.update_keys", frozen=True):
    """Replace the account's keys, threshold and sealing key; signed by the policy that is in force."""

    keys: Keys
    threshold: Threshold
    sealing_key: SealingKey

    def check_static(self) -> None:
        _check_policy(self.keys, self.threshold, self.sealing_key)

    def guards(self, ledger: Ledger) -> None:
        """The sender's policy has signed: that is all it takes."""

    def apply(self, ledger: Ledger) -> None:
        old = ledger.get(ACCOUNT, ledger.sender)
        assert old is not None, "the signature check lets no unknown sender pass"
        ledger.put(
            ACCOUNT,
            ledger.sender,
            Account(self.keys, self.threshold, self.sealing_key, old.sponsor, old.opened_height, ledger.block.height),
        )
