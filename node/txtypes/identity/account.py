"""Accounts: keys, a threshold, the sponsoring member. The address comes from the first key and never changes."""

from __future__ import annotations

from typing import Annotated, ClassVar

from msgspec import Meta

from node import limits
from node.codec import Value
from node.crypto.addresses import address_of, to_text
from node.ledger.body import TransactionBody
from node.ledger.example import Example
from node.ledger.family import ADDRESS_IDENT, AsOf, Family, Reader, extended
from node.ledger.fields import Address, Height, PublicKey
from node.ledger.guards import Guard
from node.ledger.overlay import Ledger
from node.ledger.static_rules import AtMostCount, StaticRule, Unique, hash_or_empty
from node.txtypes.members.member import MEMBER, AnyMember, MemberView, name_of

Keys = Annotated[tuple[PublicKey, ...], Meta(min_length=1, max_length=limits.ACCOUNT_KEYS_MAX)]
Threshold = Annotated[int, Meta(ge=1, le=limits.ACCOUNT_KEYS_MAX)]
SealingHash = Annotated[bytes, Meta(max_length=32, description="hash of the account's sealing keys, or empty")]

ACCOUNT_UNKNOWN = Guard("account_unknown", "there is no such account", "dieses Konto gibt es nicht", "账户不存在",
                        is_permission=True)  # fmt: skip
ACCOUNT_EXISTS = Guard("account_exists", "the address was opened before", "die Adresse wurde schon eröffnet",
                       "该地址已开户")  # fmt: skip


class Account(Value, tag=1, frozen=True):
    """The signing policy of an address: `threshold` of `keys`."""

    keys: Keys
    threshold: Threshold
    sealing_hash: SealingHash
    sponsor: Address
    opened_height: Height
    updated_height: Height


class AccountView(Account, frozen=True):
    """An account, and the member that it belongs to."""

    address: Address
    sponsor_name: str
    member: MemberView | None

    @staticmethod
    def of(ident: str, account: Account, reader: Reader, as_of: AsOf) -> AccountView:
        member = reader.get(MEMBER, ident)
        return extended(
            AccountView, account, address=bytes.fromhex(ident), sponsor_name=name_of(reader, account.sponsor),
            member=None if member is None else MemberView.of(ident, member, reader, as_of),
        )  # fmt: skip


ACCOUNT = Family(
    "account", Account, ident=ADDRESS_IDENT, concerns=lambda ident, account: (f"account/{ident}",), event="account",
    path="/v1/accounts", view=AccountView, internal=("address", "opened_height", "updated_height", "member"),
)  # fmt: skip


class SigningPolicy(TransactionBody, frozen=True):
    """The keys of an account, how many of them must sign, and the hash of its sealing keys."""

    keys: Keys
    threshold: Threshold
    sealing_hash: SealingHash
    static_rules: ClassVar[tuple[StaticRule, ...]] = (
        Unique("keys"), AtMostCount("threshold", of="keys"), hash_or_empty("sealing_hash"),
    )  # fmt: skip


class AccountOpen(SigningPolicy, tag="account.open", frozen=True):
    """Open an account with the sender as its sponsor; every listed key signs for the new address."""

    weight: ClassVar[int] = 150
    by: ClassVar[AnyMember] = AnyMember()
    EXAMPLE: ClassVar[Example] = Example("dealer-munich", {
        "keys": ["$key:alice"], "threshold": 1, "sealing_hash": "",
    }, ("alice",))  # fmt: skip

    @property
    def address(self) -> bytes:
        return address_of(self.keys[0])

    def new_account_keys(self) -> tuple[bytes, ...]:
        return self.keys

    def guards(self, ledger: Ledger) -> None:
        if ledger.get(ACCOUNT, self.address) is not None:
            ledger.unmet(ACCOUNT_EXISTS, to_text(self.address))

    def apply(self, ledger: Ledger) -> None:
        height = ledger.block.height
        account = Account(self.keys, self.threshold, self.sealing_hash, ledger.sender, height, height)
        ledger.put(ACCOUNT, self.address, account)


class AccountUpdateKeys(SigningPolicy, tag="account.update_keys", frozen=True):
    """Replace the account's keys, threshold and sealing hash; signed by the policy that is in force."""

    EXAMPLE: ClassVar[Example] = Example("alice", {"keys": ["$key:alice"], "threshold": 1, "sealing_hash": ""})

    def guards(self, ledger: Ledger) -> None:
        """The signature of the sender's policy is enough."""

    def apply(self, ledger: Ledger) -> None:
        old, height = ledger.the(ACCOUNT, ledger.sender), ledger.block.height
        changed = Account(self.keys, self.threshold, self.sealing_hash, old.sponsor, old.opened_height, height)
        ledger.put(ACCOUNT, ledger.sender, changed)
