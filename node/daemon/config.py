"""Settings of a node: flags override the environment, which overrides `config.toml`. Unknown keys are rejected."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from node.crypto.addresses import from_text
from node.errors import OperatorError, Rejected
from node.settings import Count, Positive, Section, Settings

WITNESSES_MAX = 16
ENV_PREFIX = "BMW_NODE_"


class NodeSettings(Section, frozen=True):
    moniker: Annotated[str, "name shown to peers: lower case, digits, '.', '-'; empty: the folder's name"] = ""
    validator: Annotated[
        str, "address of the member this node signs for; empty: the member whose consensus key on the chain is ours"
    ] = ""
    signer_socket: Annotated[
        str,
        "Unix socket of the 'bmw-node signer' that holds the consensus key; empty: keys/consensus.json of this home",
    ] = ""
    log_level: Annotated[str, "debug, info, warning or error"] = "info"
    log_format: Annotated[str, "text or json (one object per line)"] = "text"
    verify_workers: Annotated[Count, "processes that verify signatures; 0: in the node itself"] = 1
    clock_offset_ms: Annotated[
        Annotated[int, Meta(ge=-(10**12))], "added to this machine's clock, to test a wrong clock; needs --dev"
    ] = 0


class P2pSettings(Section, frozen=True):
    host: Annotated[str, "address to listen on"] = "0.0.0.0"
    port: Annotated[Count, "port to listen on"] = 26800
    peers: Annotated[tuple[str, ...], "host:port of nodes to stay connected to"] = ()
    members_only: Annotated[bool, "refuse nodes that no member has published and p2p.peers does not name"] = False
    peers_max: Annotated[Count, "largest number of peers that are not members' nodes"] = 50
    exchange: Annotated[bool, "ask peers for the addresses of others"] = True
    announce_after_ms: Annotated[
        Count,
        "how long a transaction submitted here waits for a block of this validator before peers are told of it; 0: "
        "they are told at once",
    ] = 0


class RpcSettings(Section, frozen=True):
    host: Annotated[str, "address to listen on; keep it on loopback unless a proxy or firewall guards it"] = "127.0.0.1"
    port: Annotated[Count, "port to listen on; 0: no RPC"] = 26700
    body_bytes_max: Annotated[Count, "largest request body"] = 2 * 1024 * 1024
    header_bytes_max: Annotated[int, Meta(ge=512), "largest request line, and largest single header"] = 8_190
    requests_per_second: Annotated[Positive, "requests per second from one address, on average"] = 5_000
    request_burst: Annotated[Positive, "requests from one address in a burst"] = 10_000
    headers_max: Annotated[int, Meta(ge=8), "headers in one request"] = 64
    connections_max: Annotated[Positive, "open connections in total"] = 2_000
    connections_per_address: Annotated[Positive, "open connections per address"] = 200
    limit_loopback: Annotated[bool, "apply the limits per address to loopback too, for a node behind a proxy"] = False
    streams_max: Annotated[Count, "open event streams in total"] = 100
    streams_per_address: Annotated[Positive, "open event streams per address"] = 100
    witnesses: Annotated[tuple[str, ...], "addresses of witnesses, whose co-signatures certificates carry"] = ()
    cors_origins: Annotated[tuple[str, ...], "origins whose pages may call the interface; empty: none"] = ()
    tls_certificate: Annotated[str, "PEM file; empty: plain HTTP"] = ""
    tls_key: Annotated[str, "PEM file of the certificate's key"] = ""


class ConsensusSettings(Section, frozen=True):
    block_interval_min_ms: Annotated[Count, "pause after a block while few transactions are pending"] = 50
    block_interval_full_ms: Annotated[Count, "pause after a block while many are pending, but no whole block"] = 200
    block_interval_empty_ms: Annotated[Count, "pause after a block while none are pending"] = 10_000
    build_txs_max: Annotated[Count, "most transactions that this node puts into a block"] = 1_000


class StorageSettings(Section, frozen=True):
    snapshot_interval: Annotated[Count, "heights between two snapshots for new nodes; 0: no snapshots"] = 10_000
    snapshot_archive_every: Annotated[
        Count, "heights between two snapshots that are kept for auditors; 0: none are kept"
    ] = 0
    snapshot_gap: Annotated[Count, "a new node that is more blocks behind starts from a snapshot"] = 1_000
    keep_blocks: Annotated[Count, "number of newest blocks to keep; 0: all of them (an archive node)"] = 0
    keep_days: Annotated[Count, "blocks of this many days are kept in any case"] = 30
    state_history: Annotated[
        Count, "heights below the head at which state and proofs can still be asked for (?height=); 0: only at the head"
    ] = 0


class MempoolSettings(Section, frozen=True):
    txs_max: Annotated[Count, "most pending transactions"] = 50_000
    bytes_max: Annotated[Count, "their size in bytes"] = 64 * 1024 * 1024
    per_account_max: Annotated[Count, "most pending transactions of one sender"] = 5_000
    bytes_per_account_max: Annotated[Count, "their size in bytes"] = 8 * 1024 * 1024
    per_sponsor_max: Annotated[Count, "most pending transactions of a member and the accounts it sponsors"] = 10_000
    bytes_per_sponsor_max: Annotated[Count, "their size in bytes"] = 16 * 1024 * 1024


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """The settings in force, by section."""

    node: NodeSettings
    p2p: P2pSettings
    rpc: RpcSettings
    consensus: ConsensusSettings
    storage: StorageSettings
    mempool: MempoolSettings


def load_config(path: Path | None, environment: Mapping[str, str], flags: Mapping[str, Any]) -> Config:
    """`flags` by "section.key", None where not given. Raises `OperatorError`, which names the key and the fix."""
    config = SETTINGS_OF_NODE.load(path, environment, flags)
    _check(config)
    return config


def _check(config: Config) -> None:
    for section, port in (("p2p", config.p2p.port), ("rpc", config.rpc.port)):
        if not 0 <= port <= 65_535:
            raise OperatorError(f"{section}.port must be between 0 and 65535, not {port}")
    storage = config.storage
    if storage.keep_blocks and storage.state_history >= storage.keep_blocks:
        raise OperatorError(
            f"storage.state_history must be below storage.keep_blocks ({storage.keep_blocks}), not "
            f"{storage.state_history}: the header of a height is needed for its proofs"
        )
    for peer in config.p2p.peers:
        host, _, number = peer.rpartition(":")
        if not host or not number.isdigit() or not 1 <= int(number) <= 65_535:
            raise OperatorError(f"p2p.peers: {peer!r} is not host:port")
    if len(config.rpc.witnesses) > WITNESSES_MAX:
        raise OperatorError(
            f"rpc.witnesses names {len(config.rpc.witnesses)} witnesses, at most {WITNESSES_MAX} are asked"
        )
    for witness in config.rpc.witnesses:
        if not witness.startswith(("http://", "https://")):
            raise OperatorError(f"rpc.witnesses: {witness!r} is not an address such as http://127.0.0.1:26790")
    if bool(config.rpc.tls_certificate) != bool(config.rpc.tls_key):
        raise OperatorError("rpc.tls_certificate and rpc.tls_key must be set together")
    if config.node.validator:
        try:
            from_text(config.node.validator)
        except Rejected as error:
            raise OperatorError(f"node.validator: {error}") from None
    if config.node.log_format not in ("text", "json"):
        raise OperatorError(f"node.log_format must be text or json, not {config.node.log_format!r}")
    if config.node.log_level not in ("debug", "info", "warning", "error"):
        raise OperatorError(f"node.log_level must be debug, info, warning or error, not {config.node.log_level!r}")


def config_text(overrides: Mapping[str, Any]) -> str:
    """`config.toml` with every setting commented; `overrides` by "section.key" are set, the rest shows its default."""
    return SETTINGS_OF_NODE.text(overrides)


SETTINGS_OF_NODE: Final = Settings(Config, "this node", ENV_PREFIX, not_settings=("BMW_NODE_HOME", "BMW_NODE_URL"))
SETTINGS: Final = SETTINGS_OF_NODE.sections
"""Every setting, by section and key."""
