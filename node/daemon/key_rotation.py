"""Rotation of a validator's consensus key within its home (docs/adr/0025-a-key-rotates-in-place.md).

`make_next` makes the next key beside the present one, with a mark that it has never signed. Once the chain's record of
the validator names the next key, `switch` puts mark and key in the places of the old ones. The old signing state is
replaced *before* the key, so that at no moment a key finds the state or the mark of another one and takes it for its
own: a key whose state is not there starts with a lost signing state (ADR 17), which never signs twice.
"""

from __future__ import annotations

import secrets

from node.codec import encode
from node.consensus.safety import NeverSigned
from node.crypto.signing import PrivateKey
from node.daemon.home import Home
from node.errors import Corrupted, OperatorError
from node.storage.chain_store import ChainStore
from node.storage.safety_store import SafetyFile
from node.storage.store_dirs import sync
from node.txtypes.chain.validator_set import VALIDATOR

NEXT = "consensus-next"


def next_key(home: Home) -> PrivateKey | None:
    """The key that waits for the chain; None without one."""
    return home.read_key(NEXT) if home.key_file(NEXT).exists() else None


def make_next(home: Home) -> PrivateKey:
    """The next key of a home that has a consensus key; the same one until it has been put in place.

    The mark is written before the key: a key without its mark would count as one whose signing state is lost.
    """
    if (waiting := next_key(home)) is not None:
        return waiting
    key = PrivateKey(secrets.token_bytes(32))
    SafetyFile(home.next_hard_state).save(encode(NeverSigned(key.public)))
    home.write_key(NEXT, key)
    return key


def key_on_chain(store: ChainStore, member: bytes) -> bytes:
    """The consensus key that the chain names for a member; empty if it was never a validator."""
    raw = store.state.get(VALIDATOR.key(member))
    return VALIDATOR.decode(raw).consensus_key if raw is not None else b""


def rotated(home: Home, store: ChainStore, member: bytes) -> PrivateKey | None:
    """The next key, put in place if the chain names it for the member by now; else None. Only while holding the right
    to sign with this home. Raises `OperatorError`."""
    waiting = next_key(home)
    if waiting is None or waiting.public != key_on_chain(store, member):
        return None
    switch(home)
    return waiting


def switch(home: Home) -> None:
    """Put the next key and its mark in place; the old key is kept as `consensus-<start of its public key>.json`. Can be
    repeated after a crash at any point. Only while holding the right to sign. Raises `OperatorError`."""
    present, waiting, waiting_public = home.key_file("consensus"), home.key_file(NEXT), home.read_key(NEXT).public
    try:
        old = home.read_key("consensus")
        kept = f"consensus-{old.public.hex()[:8]}"
        if not home.key_file(kept).exists():
            home.write_key(kept, old)
        if home.next_hard_state.exists():
            home.next_hard_state.rename(home.hard_state)
        elif not _is_marked(home, waiting_public):
            home.hard_state.unlink(missing_ok=True)  # what the next key has signed is unknown, and must look so
        sync(home.hard_state.parent)
        waiting.rename(present)
        sync(present.parent)
    except OSError as error:
        raise OperatorError(
            f"the next consensus key can't be put in place in {home.path} ({error.strerror}): check the disk, then "
            "start again"
        ) from None


def _is_marked(home: Home, key: bytes) -> bool:
    """Whether the signing state is the mark that this key has never signed: a switch was ended by a crash."""
    try:
        raw = SafetyFile(home.hard_state).load()
    except Corrupted:
        return False
    return raw == encode(NeverSigned(key))
