"""Settings of a node: flags over environment over `config.toml`. An unknown key is refused."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from node.crypto.addresses import from_text
from node.errors import OperatorError, Rejected

ENV_PREFIX = "BMW_NODE_"


@dataclass(frozen=True)
class Setting:
    """One key of `config.toml`: its default and what it does."""

    default: Any
    text: str
    minimum: int = 0


SETTINGS: dict[str, dict[str, Setting]] = {
    "node": {
        "moniker": Setting("", "name shown to peers: lower case, digits, '.', '-'; empty: the folder's name"),
        "validator": Setting(
            "", "address of the member this node signs for; empty: whose consensus key the chain knows as ours"
        ),
        "signer_socket": Setting(
            "", "Unix socket of the 'bmw-node signer' that holds the consensus key; empty: keys/consensus.json, here"
        ),
        "log_level": Setting("info", "debug, info, warning or error"),
        "log_format": Setting("text", "text or json (one object a line)"),
        "verify_workers": Setting(1, "processes that verify signatures; 0: in the node itself"),
        "clock_offset_ms": Setting(0, "added to this machine's clock, to try a wrong one; needs --dev", -(10**12)),
    },
    "p2p": {
        "host": Setting("0.0.0.0", "address to listen on"),
        "port": Setting(26800, "port to listen on"),
        "peers": Setting([], "host:port of nodes to stay connected to"),
        "members_only": Setting(False, "refuse nodes that no member has published"),
        "peers_max": Setting(50, "links to nodes that are no members'"),
        "exchange": Setting(True, "learn addresses from peers"),
    },
    "rpc": {
        "host": Setting("127.0.0.1", "address to listen on; keep it on loopback unless something guards it"),
        "port": Setting(26700, "port to listen on; 0: no RPC"),
        "body_bytes_max": Setting(2 * 1024 * 1024, "largest request body"),
        "header_bytes_max": Setting(8_190, "largest request line, and largest single header", 512),
        "requests_per_second": Setting(5_000, "of one address, on average", 1),
        "request_burst": Setting(10_000, "of one address, at once", 1),
        "headers_max": Setting(64, "headers of one request", 8),
        "connections_max": Setting(2_000, "open at once, of all addresses", 1),
        "connections_per_address": Setting(200, "open at once", 1),
        "limit_loopback": Setting(False, "the two limits per address hold for this machine too: behind a proxy"),
        "streams_max": Setting(100, "event streams open at once"),
        "streams_per_address": Setting(100, "of one address", 1),
        "cors_origins": Setting([], "origins whose pages may call; empty: none"),
        "tls_certificate": Setting("", "PEM file; empty: plain HTTP"),
        "tls_key": Setting("", "PEM file of the certificate's key"),
    },
    "consensus": {
        "block_interval_min_ms": Setting(200, "pause after a block while there is something to propose"),
        "block_interval_empty_ms": Setting(10_000, "pause after a block while there is nothing to propose"),
        "build_txs_max": Setting(1_000, "transactions this node puts into a block at most"),
    },
    "storage": {
        "snapshot_interval": Setting(10_000, "heights between two snapshots for new nodes; 0: none are cut"),
        "snapshot_gap": Setting(1_000, "a new node so many blocks behind starts from a snapshot"),
        "keep_blocks": Setting(0, "newest blocks that are kept; 0: all of them (an archive)"),
        "keep_days": Setting(30, "blocks younger than this are kept in any case"),
    },
    "mempool": {
        "txs_max": Setting(50_000, "pending transactions"),
        "bytes_max": Setting(64 * 1024 * 1024, "their size"),
        "per_account_max": Setting(5_000, "pending transactions of one sender"),
        "bytes_per_account_max": Setting(8 * 1024 * 1024, "their size"),
    },
}


@dataclass(frozen=True)
class Config:
    """Typed values, section by section; see SETTINGS."""

    node: dict[str, Any]
    p2p: dict[str, Any]
    rpc: dict[str, Any]
    consensus: dict[str, Any]
    storage: dict[str, Any]
    mempool: dict[str, Any]


def _nearest(word: str, known: list[str]) -> str:
    found = difflib.get_close_matches(word, known, 1, 0.0)
    return f"; the nearest known is '{found[0]}'" if found else ""


def _typed(where: str, value: Any, setting: Setting) -> Any:
    default = setting.default
    if isinstance(default, bool):
        good = isinstance(value, bool)
    elif isinstance(default, int):
        good = isinstance(value, int) and not isinstance(value, bool) and value >= setting.minimum
    elif isinstance(default, list):
        good = isinstance(value, list) and all(isinstance(item, str) for item in value)
    else:
        good = isinstance(value, str)
    if not good:
        kind = {bool: "true or false", int: f"a whole number from {setting.minimum}", list: "a list of strings"}.get(
            type(default), "a string"
        )
        raise OperatorError(f"{where} must be {kind}, not {value!r}")
    return value


def _from_text(where: str, text: str, setting: Setting) -> Any:
    default = setting.default
    if isinstance(default, bool):
        if text.lower() not in ("true", "false"):
            raise OperatorError(f"{where} must be true or false, not {text!r}")
        return text.lower() == "true"
    if isinstance(default, int):
        try:
            return _typed(where, int(text), setting)
        except ValueError:
            raise OperatorError(f"{where} must be a whole number, not {text!r}") from None
    if isinstance(default, list):
        return [item for item in text.split(",") if item]
    return text


def load_config(path: Path | None, environment: Mapping[str, str], flags: Mapping[str, Any]) -> Config:
    """`flags` by "section.key", None where not given. Raises `OperatorError`, naming the key and the mend."""
    values = {section: {key: s.default for key, s in keys.items()} for section, keys in SETTINGS.items()}
    if path is not None and path.exists():
        _read_file(path, values)
    for name, text in environment.items():
        if not name.startswith(ENV_PREFIX) or name in (ENV_PREFIX + "HOME", ENV_PREFIX + "URL"):
            continue
        section, _, key = name[len(ENV_PREFIX) :].lower().partition("_")
        if section not in values or key not in values[section]:
            known = [f"{ENV_PREFIX}{s}_{k}".upper() for s, keys in SETTINGS.items() for k in keys]
            raise OperatorError(f"the environment variable {name} names no setting{_nearest(name, known)}")
        values[section][key] = _from_text(name, text, SETTINGS[section][key])
    for name, value in flags.items():
        if value is not None:
            section, key = name.split(".")
            values[section][key] = value
    config = Config(**values)
    _check(config)
    return config


def _read_file(path: Path, values: dict[str, dict[str, Any]]) -> None:
    try:
        document = tomllib.loads(path.read_text())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise OperatorError(f"{path} is not TOML: {error}") from None
    except OSError as error:
        raise OperatorError(f"{path} can't be read: {error.strerror}") from None
    for section, keys in document.items():
        if section not in SETTINGS or not isinstance(keys, dict):
            raise OperatorError(f"{path}: unknown section [{section}]{_nearest(section, list(SETTINGS))}")
        for key, value in keys.items():
            if key not in SETTINGS[section]:
                raise OperatorError(f"{path}: unknown key {section}.{key}{_nearest(key, list(SETTINGS[section]))}")
            values[section][key] = _typed(f"{path}: {section}.{key}", value, SETTINGS[section][key])


def _check(config: Config) -> None:
    for section in ("p2p", "rpc"):
        port = getattr(config, section)["port"]
        if not 0 <= port <= 65_535:
            raise OperatorError(f"{section}.port must be between 0 and 65535, not {port}")
    for peer in config.p2p["peers"]:
        host, _, port = peer.rpartition(":")
        if not host or not port.isdigit() or not 1 <= int(port) <= 65_535:
            raise OperatorError(f"p2p.peers: {peer!r} is not host:port")
    if bool(config.rpc["tls_certificate"]) != bool(config.rpc["tls_key"]):
        raise OperatorError("rpc.tls_certificate and rpc.tls_key must be set together")
    if config.node["validator"]:
        try:
            from_text(config.node["validator"])
        except Rejected as error:
            raise OperatorError(f"node.validator: {error}") from None
    if config.node["log_format"] not in ("text", "json"):
        raise OperatorError(f"node.log_format must be text or json, not {config.node['log_format']!r}")
    if config.node["log_level"] not in ("debug", "info", "warning", "error"):
        raise OperatorError(f"node.log_level must be debug, info, warning or error, not {config.node['log_level']!r}")


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    return str(value) if isinstance(value, int) else '"' + str(value).replace("\\", "\\\\").replace('"', '\\"') + '"'


def config_text(overrides: Mapping[str, Any]) -> str:
    """`config.toml` with every setting commented; `overrides` by "section.key" are set, the rest shows its default."""
    lines = ["# Every setting of this node. Flags and BMW_NODE_<SECTION>_<KEY> take precedence.", ""]
    for section, keys in SETTINGS.items():
        lines.append(f"[{section}]")
        for key, setting in keys.items():
            lines.append(f"# {setting.text}")
            name = f"{section}.{key}"
            if name in overrides:
                lines.append(f"{key} = {_toml(overrides[name])}")
            else:
                lines.append(f"# {key} = {_toml(setting.default)}")
        lines.append("")
    return "\n".join(lines)


assert {f.name for f in fields(Config)} == set(SETTINGS), "every section has its field"
