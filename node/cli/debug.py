"""`bmw-node debug bundle`: what the analysis of a fault needs, in one file, without secrets."""

from __future__ import annotations

import base64
import http.client
import json
import os
import platform
import shutil
import tarfile
import time
from collections.abc import Callable
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from io import BytesIO
from pathlib import Path
from typing import Any

import click

from node.chain.genesis import genesis_hash
from node.cli.admin_client import admin_request
from node.cli.exit_codes import exit_codes
from node.cli.json_output import json_option, print_json
from node.cli.options import example, home_option
from node.consensus.safety import NeverSigned, decode_hard_state
from node.daemon.config import load_config
from node.daemon.debug_view import settings_view, signing_view
from node.daemon.home import Home
from node.errors import Corrupted, OperatorError, Rejected
from node.storage import schema
from node.storage.chain_store import ChainReader
from node.storage.leveldb import LevelStore
from node.storage.safety_store import SafetyFile
from node.storage.store_dirs import reading
from node.usage import Commands, software_version

FOLDER = "bmw-debug"
LOG_BYTES_MAX = 1024 * 1024
"""The last part of a log file that is included."""
ANSWER_S = 10.0
"""A node that does not answer on its admin socket by then is stuck; the bundle says so."""
LIBRARIES = ("aiohttp", "click", "cryptography", "msgpack", "msgspec", "plyvel", "plyvel-next", "pynacl", "zstandard")
REMOVED = b"(key removed)"


@click.group(cls=Commands, epilog=example("bmw-node debug bundle --home /var/lib/bmw-node fault.tar.gz"))
def debug() -> None:
    """Diagnose a node."""


@debug.command(epilog=example("bmw-node debug bundle --home /var/lib/bmw-node fault.tar.gz"))
@home_option
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--log", "logs", multiple=True, type=click.Path(path_type=Path), help="A log file to add the end of.")
@json_option
@exit_codes()
def bundle(home: Path, file: Path, logs: tuple[Path, ...], as_json: bool) -> None:
    """Pack settings, versions and logs; of a running node also metrics, stacks, consensus state and peers.

    Of a stopped node only its files are read. Log files (*.log) of the home are included, and the file that a running
    node logs to. The journal of systemd is not read; the command says how to add it. No key is in the bundle.
    """
    place = Home(home)
    place.check()
    if file.exists():
        raise OperatorError(f"{file} exists already: name a new file")
    answer, why = _ask_node(place)
    entries = _of_every_node(place, why) | (_of_running(answer) if answer is not None else _of_stopped(place))
    log = answer.get("log", {}) if answer is not None else {}
    entries |= _logs(place, logs, log.get("file", ""))
    hint = "" if any(name.startswith("logs/") for name in entries) else _no_log(log.get("journal", ""))
    if hint:
        entries["logs/none.txt"] = hint.encode() + b"\n"
    secrets = _secrets(place)
    _write(file, {name: _without(content, secrets) for name, content in entries.items()})
    if as_json:
        print_json({"file": str(file), "running": answer is not None, "entries": sorted(entries)})
        return
    source = "the running node" if answer is not None else f"files alone: {why}"
    click.echo(f"wrote {file}: {len(entries)} entries, from {source}")
    if hint:
        click.echo(hint)
    click.echo("it contains no key, but addresses, peers and log lines: review it before you share it")


# --- contents ----------------------------------------------------------------------------------------
def _ask_node(place: Home) -> tuple[dict[str, Any] | None, str]:
    """The running node's part, or None and why there is none."""
    try:
        status, answer = admin_request(place, "GET", "/debug", timeout_s=ANSWER_S)
    except TimeoutError:
        return None, f"the node does not answer on its admin socket within {ANSWER_S:.0f} s: it is stuck"
    except (OSError, ValueError, http.client.HTTPException) as error:
        return None, f"the node is not running ({error})"
    if status != 200 or not isinstance(answer, dict):
        return None, f"the node answers {status} to a debug request: it runs another version"
    return answer, ""


def _of_every_node(place: Home, why: str) -> dict[str, bytes]:
    return {
        "about.json": _json(
            {
                "made_at_ms": time.time_ns() // 1_000_000,
                "running": not why,
                "why_not": why,
                "version": software_version(),
                "python": platform.python_version(),
                "system": platform.platform(),
                "cpus": os.cpu_count(),
                "libraries": {name: found for name in LIBRARIES if (found := _version(name))},
            }
            | _tried(lambda: _genesis(place))
        ),
        "files.json": _json(_tried(lambda: _files(place))),
        "signing.json": _json(_tried(lambda: _signing(place))),
    }


def _of_running(answer: dict[str, Any]) -> dict[str, bytes]:
    """Text as text, the rest as JSON."""
    return {
        f"{name}.txt" if isinstance(value, str) else f"{name}.json": value.encode()
        if isinstance(value, str)
        else _json(value)
        for name, value in answer.items()
        if value != ""
    }


def _of_stopped(place: Home) -> dict[str, bytes]:
    return {
        "config.json": _json(_tried(lambda: settings_view(load_config(place.config, os.environ, {})))),
        "store.json": _json(_tried(lambda: _store(place))),
    }


def _tried(read: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What can't be read is reported as such."""
    try:
        return read()
    except (OperatorError, Corrupted, Rejected, OSError) as error:
        return {"error": str(error)}


def _version(library: str) -> str:
    """Empty for a library that is not installed: which LevelDB binding is used depends on the CPython."""
    try:
        return version(library)
    except PackageNotFoundError:
        return ""


def _genesis(place: Home) -> dict[str, Any]:
    genesis = place.read_genesis()
    return {"chain_id": genesis.chain_id, "genesis_hash": genesis_hash(genesis).hex()}


def _files(place: Home) -> dict[str, Any]:
    """Names and sizes below `data`, and the free space."""
    data = place.store.parent
    sizes = {str(path.relative_to(data)): path.stat().st_size for path in sorted(data.rglob("*")) if path.is_file()}
    usage = shutil.disk_usage(data)
    return {"disk_bytes": usage.total, "disk_bytes_free": usage.free, "data": sizes}


def _signing(place: Home) -> dict[str, Any]:
    raw = SafetyFile(place.hard_state).load()
    if raw is None:
        return {"missing": True}
    state = decode_hard_state(raw)
    return {"never_signed": True} if isinstance(state, NeverSigned) else signing_view(state)


def _store(place: Home) -> dict[str, Any]:
    with reading(place.store) as copy:
        kv = LevelStore(copy, create=False)
        try:
            head = ChainReader(kv).stored_head()
            return {
                "genesis_hash": (kv.get(schema.META_GENESIS) or b"").hex(),
                "schema_version": int.from_bytes(kv.get(schema.META_SCHEMA) or b"", "big"),
                "height": head.height if head else None,
                "block_id": head.block_id.hex() if head else None,
                "time_ms": head.time_ms if head else None,
                "state_root": head.state_root.hex() if head else None,
            }
        finally:
            kv.close()


def _logs(place: Home, named: tuple[Path, ...], running: str) -> dict[str, bytes]:
    """`running`: the file that a running node logs to, or "". Raises `OperatorError` for a file of `--log` that can't
    be read."""
    entries, of_home = {}, sorted(place.path.glob("*.log"))
    for path in (*of_home, *named):
        try:
            entries[f"logs/{path.name}"] = _tail(path)
        except OSError as error:
            if path in named:
                raise OperatorError(f"the log {path} can't be read ({error.strerror}): check --log") from None
    if running and Path(running).resolve() not in {path.resolve() for path in (*of_home, *named)}:
        with suppress(OSError):
            entries["logs/standard-error.log"] = _tail(Path(running))
    return entries


def _no_log(journal: str) -> str:
    """What to do about a bundle without a log. `journal`: arguments of journalctl, if a running node logs there."""
    if journal:
        return f"no log is in it, the journal has it: journalctl {journal} > node.log, then again with --log node.log"
    return (
        "no log is in it: name the file that has the node's standard error with --log; if systemd started the node: "
        "journalctl -u UNIT > node.log, then again with --log node.log"
    )


def _tail(path: Path) -> bytes:
    """The end of a file, in whole lines."""
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        start = max(0, size - LOG_BYTES_MAX)
        file.seek(start)
        content = file.read(LOG_BYTES_MAX)
    return content.partition(b"\n")[2] if start else content


# --- secrets ----------------------------------------------------------------------------------------
def _secrets(place: Home) -> list[bytes]:
    """Every form in which a log or a setting could contain a seed of this home."""
    forms: list[bytes] = []
    for path in sorted((place.path / "keys").glob("*.json")):
        try:
            seed = bytes.fromhex(json.loads(path.read_bytes())["seed"])
        except (OSError, ValueError, KeyError, TypeError):
            continue
        if seed:
            encoded = (base64.b64encode(seed), base64.urlsafe_b64encode(seed))
            forms += [seed, seed.hex().encode(), seed.hex().upper().encode(), *(e.rstrip(b"=") for e in encoded)]
    return forms


def _without(content: bytes, secrets: list[bytes]) -> bytes:
    for secret in secrets:
        content = content.replace(secret, REMOVED)
    return content


# --- the file ---------------------------------------------------------------------------------------------
def _json(value: Any) -> bytes:
    return json.dumps(value, indent=2, ensure_ascii=False).encode() + b"\n"


def _write(file: Path, entries: dict[str, bytes]) -> None:
    """Readable for its owner only; written whole or not at all."""
    temporary = file.with_name(file.name + ".partial")
    temporary.unlink(missing_ok=True)
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as raw, tarfile.open(fileobj=raw, mode="w:gz") as archive:
            for name, content in sorted(entries.items()):
                info = tarfile.TarInfo(f"{FOLDER}/{name}")
                info.size, info.mtime, info.mode = len(content), int(time.time()), 0o600
                archive.addfile(info, BytesIO(content))
        temporary.replace(file)
    except OSError as error:
        raise OperatorError(f"{file} can't be written ({error.strerror}): name another file or make room") from None
    finally:
        temporary.unlink(missing_ok=True)
