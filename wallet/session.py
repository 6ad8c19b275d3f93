"""Session: the home, keys, passphrase, genesis and nodes of one run of `bmw-wallet`, opened when first needed."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from node.chain.genesis import GENESIS_BYTES_MAX, Genesis, genesis_hash, genesis_to_json, parse_genesis
from node.crypto.addresses import address_of, from_text, to_text
from node.crypto.keyfile import is_key_name
from node.crypto.signing import PrivateKey
from node.errors import Malformed, OperatorError, WrongChain
from node.ledger.family import AsOf, Reader
from node.ledger.json_form import time_from_text, time_to_text
from wallet.client import DEFAULT_NODE, NoBlockYet, NodeClient
from wallet.files import read_file, write_file
from wallet.keystore import Keystore
from wallet.light import CLOCK_AHEAD_MAX_MS, BehindTrust, LightClient
from wallet.outbox import Outbox
from wallet.told import ToldReader
from wallet.values import Names

T = TypeVar("T")

STALE_HEAD_MS: Final = 60_000

LAG_TRIES: Final = 5
"""A node is often one block behind another: a stale answer is requested again this often, one second apart."""

FIRST_BLOCK_TRIES: Final = 15
"""A chain without transactions makes its first block within `block_interval_empty_ms` (10 s)."""

PASSPHRASE_VARIABLE: Final = "BMW_WALLET_PASSPHRASE"

PASSPHRASE_CHARS_MIN: Final = 8
"""For a new key only (NIST SP 800-63B, section 5.1.1.1): an existing key must stay usable."""

PASSPHRASE_BYTES_MAX: Final = 4096
"""Size of a passphrase file: a wrong path (a disk image, /dev/zero) must not be read to its end. Above: refused."""


@dataclass
class Session:
    """The attributes without underscore are set by the command line's options."""

    home: Path = field(default_factory=lambda: Path.home() / ".bmw-wallet")
    nodes: tuple[str, ...] = (DEFAULT_NODE,)
    genesis_file: Path | None = None
    passphrase_file: Path | None = None
    wants_json: bool = False
    _opened: dict[str, PrivateKey] = field(default_factory=dict)

    @cached_property
    def keystore(self) -> Keystore:
        return Keystore(self.home)

    @cached_property
    def client(self) -> NodeClient:
        return NodeClient(self.nodes)

    @cached_property
    def outbox(self) -> Outbox:
        return Outbox(self.home, self.genesis_hash)

    # --- genesis and chain ---
    def known_genesis(self) -> Genesis | None:
        """From the named file, or else from the home; None where the home has none."""
        path = self.genesis_file or self.home / "genesis.json"
        if self.genesis_file is None and not path.exists():
            return None
        raw = read_file(path, GENESIS_BYTES_MAX, "genesis file")
        try:
            return parse_genesis(raw)
        except Malformed as error:
            raise OperatorError(f"{path} is no genesis file ({error}): name the chain's own with --genesis") from None

    @cached_property
    def genesis(self) -> Genesis:
        """The genesis of this wallet's chain. Without a file the node's is pinned, and its hash printed to compare."""
        if (known := self.known_genesis()) is not None:
            return known
        try:
            genesis = parse_genesis(json.dumps(self.client.call_json("/v1/genesis")).encode())
        except Malformed as error:
            raise OperatorError(f"the node's genesis can't be read ({error}): name a file with --genesis") from None
        path = self.home / "genesis.json"
        write_file(path, genesis_to_json(genesis).encode())
        click.echo(
            f"This wallet now belongs to the chain {genesis.chain_id}, genesis hash {genesis_hash(genesis).hex()}: "
            f"compare it with a party you trust (kept in {path}).",
            err=True,
        )
        return genesis

    def go_offline(self) -> None:
        """Take the genesis from a file, never from a node. Raises `OperatorError` if there is no file."""
        known = self.known_genesis()
        if known is None:
            raise OperatorError("no genesis is known here: name its file with --genesis or BMW_WALLET_GENESIS")
        self.genesis = known

    @cached_property
    def genesis_hash(self) -> bytes:
        return genesis_hash(self.genesis)

    def check_chain(self) -> dict[str, Any]:
        """The node's status. Raises `WrongChain` if the node is of another chain than this wallet."""
        status = self.client.call_json("/v1/status")
        theirs = str(status.get("genesis_hash"))
        if theirs != self.genesis_hash.hex():
            raise WrongChain(
                f"the node is of the chain with genesis hash {theirs[:64]}, this wallet of {self.genesis_hash.hex()}: "
                "name a node of that chain with --node, or its genesis with --genesis or BMW_WALLET_GENESIS"
            )
        return status

    def check_known_chain(self) -> None:
        """As `check_chain`, if this wallet already belongs to a chain."""
        if self.known_genesis() is not None:
            self.check_chain()

    def now_ms(self) -> int:
        """The head's time, or a minute before this computer's if the head is older than that. What is signed takes its
        times from here, so a node may move them by no more than the light client's bound. Raises `OperatorError`."""
        head = self.check_chain().get("head")
        try:
            head_ms = time_from_text(str(head.get("time") if isinstance(head, dict) else None))
        except Malformed:
            raise OperatorError("the node's status has no head time: name another node with --node") from None
        own_ms = time.time_ns() // 1_000_000
        if head_ms > own_ms + CLOCK_AHEAD_MAX_MS:
            raise OperatorError(
                f"the node's head is of {time_to_text(head_ms)}, more than an hour ahead of this computer's clock: "
                "set the clock, or name another node with --node"
            )
        return max(head_ms, own_ms - STALE_HEAD_MS)

    # --- verified reads ---
    def light_client(self, accept_old_root: bool) -> LightClient:
        path = self.home / "light" / f"{self.genesis_hash.hex()[:32]}.json"
        return LightClient(self.genesis, path, self.client, accept_old_root=accept_old_root)

    def verified(
        self, light: LightClient, compute: Callable[[Reader, AsOf], T], keys: Sequence[bytes] = (), height: int = 0
    ) -> T:
        """The result of `compute` over proven values, of `height` if that is not 0. Waits for a node that is a bit
        behind, or for the first block."""
        for attempt in range(FIRST_BLOCK_TRIES):
            try:
                return light.verified_view(compute, keys, height)
            except BehindTrust:
                if attempt >= LAG_TRIES - 1:
                    raise
            except NoBlockYet:
                if attempt == FIRST_BLOCK_TRIES - 1:
                    raise
            time.sleep(1.0)
        raise AssertionError("the last attempt returns or raises")

    def over_state(self, light: LightClient | None, compute: Callable[[Reader], T]) -> T:
        """The result of `compute` over proven values; without a light client, over what a node tells."""
        if light is None:
            return compute(ToldReader(self.client))
        return self.verified(light, lambda reader, _: compute(reader))

    # --- names and keys ---
    def address(self, text: str) -> bytes:
        """The address that `text` is or names: a key of this home, or a genesis account. Raises `Malformed`."""
        if text.startswith("bmw1"):
            return from_text(text)
        if self.keystore.has(text):
            return self.keystore.info(text).address
        if is_key_name(text):
            # Without a genesis only the names of keys are known.
            with contextlib.suppress(OperatorError):
                for account in self.genesis.accounts:
                    if account.name == text:
                        return account.address
        raise Malformed(f"{text[:60]!r} is neither an address (bmw1...) nor the name of a key or a genesis account")

    def key_names(self) -> dict[bytes, str]:
        """The addresses of this home's keys, with the keys' names."""
        return {info.address: info.name for info in self.keystore.list()}

    def names(self, now_ms: int) -> Names:
        keys = self.keystore
        return Names(
            now_ms,
            lambda text: to_text(self.address(text)),
            lambda name: keys.info(name).public_key if keys.has(name) else None,
        )

    def open_key(self, name: str) -> PrivateKey:
        """The decrypted key. Prompts for the passphrase if neither a file nor the environment gives it."""
        if name not in self._opened:
            self.keystore.info(name)
            if self.passphrase_file is None and PASSPHRASE_VARIABLE not in os.environ:
                click.echo(f"Key {name}", err=True)
            self._opened[name] = self.keystore.open(name, read_passphrase(False, self.passphrase_file))
        return self._opened[name]

    def signer(self, text: str) -> Signer:
        """The signer that `NAME` or `NAME@ADDRESS` stands for. Raises `Malformed`."""
        name, at, account = text.partition("@")
        return Signer(name, self.address(account) if at else None)


@dataclass(frozen=True)
class Signer:
    """A key's name, and the account that it signs for if that is not the key's own."""

    name: str
    address: bytes | None

    def account(self, key: PrivateKey, new_keys: tuple[bytes, ...] = ()) -> bytes:
        """The account to sign for. `new_keys`: keys of an account that the transaction opens; they sign for it."""
        if self.address is not None:
            return self.address
        return address_of(new_keys[0]) if key.public in new_keys else address_of(key.public)


def read_passphrase(is_new: bool, file: Path | None) -> str:
    """The passphrase for a key. `is_new`: ask twice on a terminal, and require the minimum length. `file` is the value
    of --passphrase-file. It has one line, whose line end does not count. Raises `OperatorError`."""
    if file is not None:
        source = f"the passphrase file {file}"
        passphrase = _line_of(file)
    elif PASSPHRASE_VARIABLE in os.environ:
        source = PASSPHRASE_VARIABLE
        passphrase = os.environ[PASSPHRASE_VARIABLE]
        if not passphrase:
            raise OperatorError(f"{PASSPHRASE_VARIABLE} is set but empty: unset it, or give it the passphrase")
    elif sys.stdin is not None and sys.stdin.isatty():
        source = "the passphrase"
        passphrase = click.prompt("Passphrase", hide_input=True, confirmation_prompt=is_new, err=True, type=str)
    else:
        raise OperatorError(
            "a passphrase is needed and there is no terminal to ask on: "
            f"name a file with --passphrase-file, or set {PASSPHRASE_VARIABLE}"
        )
    if is_new and len(passphrase) < PASSPHRASE_CHARS_MIN:
        raise OperatorError(f"{source} is too short: choose a passphrase of at least {PASSPHRASE_CHARS_MIN} characters")
    return passphrase


def _line_of(path: Path) -> str:
    raw = read_file(path, PASSPHRASE_BYTES_MAX, "passphrase file")
    try:
        line = raw.decode("utf-8").removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise OperatorError(f"the passphrase file {path} is not UTF-8: save it as UTF-8") from None
    if not line or "\n" in line or "\r" in line:
        raise OperatorError(f"the passphrase file {path} must have exactly one line: the passphrase, nothing else")
    return line
