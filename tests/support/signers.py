"""Accounts of one key and of several, and who signs for them."""

from __future__ import annotations

from node.crypto.addresses import address_of
from node.crypto.dev_keys import dev_key
from node.txtypes.identity.account import AccountOpen, AccountUpdateKeys
from support.chain import Chain, address
from support.stages import at

A, B, C, FOREIGN = (dev_key("account", f"shared-{name}") for name in "abcx")
SHARED = address_of(A.public)


def key_of(name: str):
    return address(name), dev_key("account", name)


def rotate(name: str = "bmw") -> AccountUpdateKeys:
    """A body without guards of its own: what is unmet is the envelope's."""
    return AccountUpdateKeys((dev_key("account", name).public,), 1, b"")


def shared_account(threshold: int = 2) -> AccountOpen:
    return AccountOpen((A.public, B.public, C.public), threshold, b"")


def with_shared_account() -> Chain:
    chain = at("").chain
    chain.do("bmw", shared_account(), extra=[(SHARED, key) for key in (A, B, C)])
    return chain


BMW, DEALER, STRANGER = key_of("bmw"), key_of("dealer-munich"), key_of("stranger")
