"""What one run of `bmw-wallet` works with: home, keys, genesis, nodes. From options and environment, opened lazily."""

from __future__ import annotations

import contextlib
import json
import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from node.chain.genesis import GENESIS_BYTES_MAX, Genesis, genesis_hash, genesis_to_json, parse_genesis
from node.crypto.addresses import address_of, from_text, to_text
from node.crypto.signing import PrivateKey
from node.errors import Malformed, OperatorError, WrongChain
from node.ledger.family import AsOf, Reader
from node.ledger.json_form import time_from_text
from node.txtypes.envelope import TxSignature
from wallet.client import NodeClient, NodeUrl, parse_node_urls
from wallet.keystore import Keystore
from wallet.light import BehindTrust, LightClient
from wallet.options import Names
from wallet.passphrase import read_passphrase

T = TypeVar("T")

HOME_VARIABLE: Final = "BMW_WALLET_HOME"
NODE_VARIABLE: Final = "BMW_WALLET_NODE"
GENESIS_VARIABLE: Final = "BMW_WALLET_GENESIS"

STALE_HEAD_MS: Final = 60_000

LAG_TRIES: Final = 5
"""A node one block behind another is the rule, not the exception: ask again, a second apart, before giving up."""


@dataclass
class Session:
    home: Path
    nodes: tuple[NodeUrl, ...]
    genesis_file: Path | None = None
    passphrase_file: Path | None = None
    wants_json: bool = False
    sleep: Callable[[float], None] = time.sleep
    _opened: dict[str, PrivateKey] = field(default_factory=dict)

    # --- parts ---
    @cached_property
    def keystore(self) -> Keystore:
        return Keystore(self.home)

    @cached_property
    def client(self) -> NodeClient:
        return NodeClient(self.nodes)

    @property
    def _pinned_genesis(self) -> Path:
        return self.home / "genesis.json"

    def known_genesis(self) -> Genesis | None:
        """From the file that was named, else from the home; None where there is neither."""
        path = self.genesis_file or self._pinned_genesis
        if self.genesis_file is None and not path.exists():
            return None
        raw = read_file(path, GENESIS_BYTES_MAX, "genesis file")
        try:
            return parse_genesis(raw)
        except Malformed as error:
            raise OperatorError(f"{path} is no genesis file ({error}): name the chain's own with --genesis") from None

    @cached_property
    def genesis(self) -> Genesis:
        """The chain this wallet is for. Without a file, the first node's is kept, and its hash shown to be compared."""
        known = self.known_genesis()
        if known is not None:
            return known
        document = self.client.genesis()
        claimed = document.pop("genesis_hash", None)
        try:
            genesis = parse_genesis(json.dumps(document.get("genesis", document)).encode())
        except Malformed as error:
            raise OperatorError(f"the node's genesis can't be read ({error}): name a file with --genesis") from None
        if claimed is not None and claimed != genesis_hash(genesis).hex():
            raise WrongChain("the node's genesis is not the one its hash names: name another node with --node")
        write_file(self._pinned_genesis, genesis_to_json(genesis).encode())
        click.echo(
            f"This wallet now belongs to the chain {genesis.chain_id}, genesis hash {genesis_hash(genesis).hex()}: "
            f"compare it with a party you trust (kept in {self._pinned_genesis}).",
            err=True,
        )
        return genesis

    def offline_genesis(self) -> Genesis:
        known = self.known_genesis()
        if known is None:
            raise OperatorError(f"no genesis is known here: name its file with --genesis or {GENESIS_VARIABLE}")
        return known

    @cached_property
    def genesis_hash(self) -> bytes:
        return genesis_hash(self.genesis)

    def head_time_ms(self) -> int:
        """The head's time, of a node of this very chain. Raises `WrongChain`."""
        status = self.client.status()
        self.check_chain(status)
        head = status.get("head")
        text = head.get("time") if isinstance(head, dict) else None
        try:
            return time_from_text(str(text))
        except Malformed:
            raise OperatorError("the node's status has no head time: name another node with --node") from None

    def now_ms(self) -> int:
        """The head's time, or this clock's where the chain has stood still for longer than a minute."""
        return max(self.head_time_ms(), time.time_ns() // 1_000_000 - STALE_HEAD_MS)

    def check_chain(self, status: dict[str, Any] | None = None) -> None:
        """The node is of this wallet's chain. Raises `WrongChain`."""
        theirs = str((status or self.client.status()).get("genesis_hash"))
        if theirs != self.genesis_hash.hex():
            raise WrongChain(
                f"the node is of the chain with genesis hash {theirs[:64]}, this wallet of {self.genesis_hash.hex()}: "
                f"name a node of that chain with --node, or its genesis with --genesis or {GENESIS_VARIABLE}"
            )

    def check_known_chain(self) -> None:
        """As `check_chain`, where this wallet belongs to a chain already. Raises `WrongChain`."""
        if self.known_genesis() is not None:
            self.check_chain()

    def light_client(self, accept_old_root: bool) -> LightClient:
        path = self.home / "light" / f"{self.genesis_hash.hex()[:32]}.json"
        return LightClient(self.genesis, path, self.client, accept_old_root=accept_old_root)

    def verified(self, light: LightClient, compute: Callable[[Reader, AsOf], T]) -> T:
        """What `compute` makes of proven values; a node that lags a little is given time."""
        for attempt in range(LAG_TRIES):
            try:
                return light.verified_view(compute)
            except BehindTrust:
                if attempt == LAG_TRIES - 1:
                    raise
                self.sleep(1.0)
        raise AssertionError("the loop returns or raises")

    # --- names and keys ---
    def address(self, text: str) -> bytes:
        """Of an address, a key's name or a genesis account's name. Raises `Malformed`."""
        if text.startswith("bmw1"):
            return from_text(text)
        if re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,39}", text):
            if self.keystore.has(text):
                return self.keystore.info(text).address
            # Names of the genesis are for convenience: where none is known, the key names alone must do.
            with contextlib.suppress(OperatorError):
                for account in self.genesis.accounts:
                    if account.name == text:
                        return account.address
        raise Malformed(f"{text[:60]!r} is neither an address (bmw1...) nor the name of a key or a genesis account")

    def names(self, now_ms: int) -> Names:
        return Names(now_ms, lambda text: to_text(self.address(text)), self._public_key)

    def _public_key(self, name: str) -> bytes | None:
        return self.keystore.info(name).public_key if self.keystore.has(name) else None

    def has_key(self, name: str) -> bool:
        return self._public_key(name) is not None

    def open_key(self, name: str) -> PrivateKey:
        """Asks for the passphrase where it has to."""
        if name not in self._opened:
            self.keystore.info(name)
            if self._will_prompt():
                click.echo(f"Key {name}", err=True)
            self._opened[name] = self.keystore.open(name, read_passphrase(False, self.passphrase_file))
        return self._opened[name]

    def _will_prompt(self) -> bool:
        return self.passphrase_file is None and "BMW_WALLET_PASSPHRASE" not in os.environ


@dataclass(frozen=True)
class Signer:
    """A key by its name, and the account it signs for: `NAME`, or `NAME@ADDRESS` for another than the key's own."""

    name: str
    address: bytes | None

    def account(self, key: PrivateKey, new_keys: tuple[bytes, ...] = ()) -> bytes:
        """`new_keys` are those of an account that the transaction opens: each of them signs for its address."""
        if self.address is not None:
            return self.address
        return address_of(new_keys[0]) if key.public in new_keys else address_of(key.public)


def parse_signer(session: Session, text: str) -> Signer:
    name, at, account = text.partition("@")
    return Signer(name, session.address(account) if at else None)


def merged(known: tuple[TxSignature, ...], added: TxSignature) -> tuple[TxSignature, ...]:
    """One signature for each (account, key), in canonical order."""
    kept = [s for s in known if (s.address, s.public_key) != (added.address, added.public_key)]
    return tuple(sorted([*kept, added], key=lambda s: (s.address, s.public_key)))


def read_file(path: Path, limit: int, what: str) -> bytes:
    try:
        with path.open("rb") as stream:
            raw = stream.read(limit + 1)
    except OSError as error:
        raise OperatorError(f"cannot read the {what} {path} ({error.strerror}): check the path") from None
    if len(raw) > limit:
        raise OperatorError(f"the {what} {path} has more than {limit} bytes: name the right file")
    return raw


def write_file(path: Path, data: bytes) -> None:
    """All of it or nothing, mode 0600."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(handle)
        os.replace(temporary, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise OperatorError(f"cannot write {path} ({error.strerror}): check its folder and the free space") from None


def default_home() -> Path:
    return Path(os.environ.get(HOME_VARIABLE) or Path.home() / ".bmw-wallet")


def default_nodes() -> str:
    return os.environ.get(NODE_VARIABLE) or "http://127.0.0.1:26700"


def nodes_of(text: str) -> tuple[NodeUrl, ...]:
    """Raises `click.BadParameter`."""
    try:
        return parse_node_urls(text)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint=f"--node / {NODE_VARIABLE}") from None
