"""The base of every transaction body. A type is one such class and one line in `registry`."""

from __future__ import annotations

from typing import ClassVar

from node.codec import Value
from node.txtypes.ledger import Ledger


class Body(Value, frozen=True):
    """Fields, static rule, guards, effect.

    `guards` notes everything that does not hold and changes nothing; `apply` runs only when all guards hold and
    may assume so. `weight` is the type's share of `block_weight_max`; 100 is one ordinary record.
    """

    weight: ClassVar[int] = 100

    def check_static(self) -> None:
        """Rules that need no state. Raises `Malformed`."""

    def signers(self, ledger: Ledger) -> tuple[bytes, ...]:
        """Addresses of existing accounts that must sign besides the sender."""
        return ()

    def new_account_keys(self) -> tuple[bytes, ...]:
        """Keys that must sign for an account that this transaction opens."""
        return ()

    def guards(self, ledger: Ledger) -> None:
        raise AssertionError(f"{type(self).__name__} has no guards")

    def apply(self, ledger: Ledger) -> None:
        raise AssertionError(f"{type(self).__name__} has no effect")

    def subjects(self) -> tuple[str, ...]:
        """State keys that pending transactions of this kind contend for; a commit that touches one rechecks them."""
        return ()
