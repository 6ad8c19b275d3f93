"""Targets: what people and programs write, and files that may be damaged."""

from __future__ import annotations

import json
import struct
import tempfile
from functools import cache, partial
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import zstandard
from yarl import URL

from node.chain.genesis import Genesis, genesis_to_json, parse_genesis
from node.codec import encode
from node.crypto.addresses import from_text, to_text
from node.crypto.dev_keys import dev_key
from node.crypto.keyfile import key_info, node_key_file, parse_node_key_file, seal_key
from node.daemon.config import ENV_PREFIX, config_text, load_config
from node.errors import Corrupted, Malformed, OperatorError, Rejected
from node.ledger.json_form import time_from_text, time_to_text, to_json, union_from_json
from node.rpc import call, chain_queries, routes
from node.rpc import transactions as rpc_transactions
from node.rpc.config import RpcConfig
from node.rpc.problems import Problem
from node.storage import archive
from node.storage.safety_store import MAGIC as SAFETY_MAGIC
from node.storage.safety_store import NO_RUN, SafetyFile
from node.txtypes.envelope import decode_signed_tx
from node.txtypes.registry import FAMILIES, TYPES
from support.fuzzing import specimens
from support.fuzzing.target import Target, taken, text_of
from wallet import options, reading, values
from wallet.keystore import seed_of, words_of
from wallet.light import TrustStore
from wallet.txfile import TxDocument, parse_document


@cache
def _folder() -> Path:
    kept = tempfile.TemporaryDirectory(prefix="fuzz-", dir="/dev/shm" if Path("/dev/shm").is_dir() else None)
    _KEPT.append(kept)
    return Path(kept.name)


_KEPT: list[tempfile.TemporaryDirectory[str]] = []


def _file(name: str, data: bytes) -> Path:
    path = _folder() / name
    path.write_bytes(data)
    return path


# --- genesis, keys, settings ------------------------------------------------------------------------------
def _genesis(data: bytes) -> None:
    genesis = parse_genesis(data)
    assert isinstance(genesis, Genesis)
    assert genesis == parse_genesis(genesis_to_json(genesis).encode())


def _node_key(data: bytes) -> None:
    assert 32 == len(parse_node_key_file(data).seed())


def _sealed_keys() -> list[bytes]:
    return [seal_key(dev_key("account", "bmw"), "bmw", "a passphrase", bytes(32), bytes(12), n=2)]


def _settings(data: bytes) -> None:
    load_config(_file("config.toml", data), {}, {})


def _environment(data: bytes) -> None:
    """Lines of NAME=value; NUL can stand in no variable."""
    lines = (line.partition("=") for line in text_of(data).replace("\0", "").splitlines())
    load_config(None, {ENV_PREFIX + name: value for name, _, value in lines}, {})


# --- files under a hash -------------------------------------------------------------------------------------
@cache
def _archives() -> list[bytes]:
    path = _folder() / "good.archive"
    store = specimens.store()
    archive.write_archive(path, store, 1, store.height(), store.genesis_hash)
    return [path.read_bytes()]


def _archive(data: bytes) -> None:
    list(archive.ArchiveReader(_file("archive", data)))


def _signing_states() -> list[bytes]:
    content = NO_RUN + b"x"
    return [SAFETY_MAGIC + sha256(content).digest() + content]


def _archive_content(data: bytes) -> None:
    """The input is what one segment holds, put into an archive whose hashes are right."""
    count = len(specimens.blocks())
    start = archive.MAGIC + struct.pack(">H32sQ", archive.VERSION, specimens.store().genesis_hash, 1)
    start += sha256(start).digest()
    packed = zstandard.ZstdCompressor(level=1, write_content_size=True).compress(data)
    head = b"S" + struct.pack(">QQI32s", 1, count, len(packed), sha256(packed).digest())
    trailer = struct.pack(">IQ32s", 1, count, sha256(start + head).digest())
    _archive(start + head + packed + b"T" + trailer)


def _archive_contents() -> list[bytes]:
    return [b"".join(encode(committed) for committed in specimens.blocks())]


def _signing_state(data: bytes) -> None:
    SafetyFile(_file("signing.state", data)).load()


def _trust(data: bytes) -> None:
    TrustStore(_file("trust.json", data), specimens.store().genesis_hash).load()


def _trusts() -> list[bytes]:
    kept = {
        "genesis_hash": specimens.store().genesis_hash.hex(),
        "header": encode(specimens.block().header).hex(),
        "validators": encode(specimens.store().head().validators.entries).hex(),
    }
    return [json.dumps(kept).encode()]


# --- RPC ----------------------------------------------------------------------------------------------------
QUERIES = tuple(dict.fromkeys(route.query for route in routes.ROUTES))
_CONFIG = RpcConfig()


def _query(data: bytes) -> bool:
    """Every kind of query is tried; taken where one takes it."""
    found = False
    request: Any = SimpleNamespace(query=URL("/?" + text_of(data).replace("#", "")).query)
    for kind in QUERIES:
        try:
            query = call.read_query(request, kind, _CONFIG)
        except Problem:
            continue
        found = True
        if isinstance(query, call.PageQuery):
            for first in ("", 0):
                taken(lambda text, first=first: call.read_cursor("blocks", text, first), Problem)(query.cursor)  # type: ignore[arg-type]
    return found


def _queries() -> list[bytes]:
    cursor = call.cursor_text("blocks", 7)
    return [
        b"limit=10&cursor=" + cursor.encode(), b"from=3&limit=5", b"proof=true", b"role=dealer&limit=3",
        b"types=committed&vin=WBA8E9G50GNU12345&from_height=3", b"wait=commit&timeout_ms=1000", b"height=7",
    ]  # fmt: skip


def _path_part(data: bytes) -> bool:
    """As an id of every family, a state key and a hash."""
    text = text_of(data)

    def state_key(text: str) -> None:
        key = chain_queries.canonical_key(text)
        assert key == chain_queries.canonical_key(key)

    reads = [family.ident.canonical for family in FAMILIES.values()]
    reads += [state_key, partial(call.read_hash, what="an id")]
    results = [taken(read, Problem, Malformed)(text) for read in reads]  # type: ignore[arg-type]
    return any(results)


def _accept(data: bytes) -> bool:
    request: Any = SimpleNamespace(headers={"Accept": text_of(data)})
    return taken(lambda asked: call.negotiate(asked, call.JSON, call.MSGPACK), Problem)(request)


REQUESTS = (
    rpc_transactions.SubmitRequest, rpc_transactions.BatchRequest, rpc_transactions.EncodeRequest,
    rpc_transactions.CheckRequest,
)  # fmt: skip


def _request(data: bytes) -> bool:
    found = False
    for kind in REQUESTS:
        found |= taken(lambda raw, kind=kind: call.read_json(raw, kind), Problem)(data)
    return found


def _requests() -> list[bytes]:
    raw = specimens.block().transactions[0]
    return [
        json.dumps({"transaction": raw.hex()}).encode(),
        json.dumps({"transactions": [raw.hex()] * 2}).encode(),
        json.dumps(
            {"sender": to_text(bytes(20)), "expires_at": "2026-11-22T10:00:00Z", "body": _bodies_json()[0]}
        ).encode(),
    ]


def _bodies_json() -> list[dict[str, Any]]:
    raws = [raw for committed in specimens.blocks() for raw in committed.block.transactions]
    return [to_json(decode_signed_tx(raw, specimens.store().genesis_hash).payload.body) for raw in raws]


def _body(data: bytes) -> None:
    """A body as JSON: what is taken shows as it was."""
    try:
        value = msgspec.json.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise Malformed("not JSON: the stage before refuses it") from None
    body = union_from_json(TYPES, value, "body")
    body.check_static()
    assert body == union_from_json(TYPES, to_json(body), "body")
    encode(body)


# --- the wallet -----------------------------------------------------------------------------------------------
_NAMES = values.Names(1_767_225_600_000, lambda text: to_text(from_text(text)), lambda text: None)


def _option(data: bytes) -> bool:
    """One text as an amount, a reading and a time."""
    text = text_of(data)
    results = [
        taken(values.parse_amount)(text),  # type: ignore[arg-type]
        taken(reading.parse_odometer)(text),  # type: ignore[arg-type]
        taken(lambda t: values.parse_time(t, _NAMES.now_ms))(text),  # type: ignore[arg-type]
        taken(lambda t: time_to_text(time_from_text(t)))(text),  # type: ignore[arg-type]
        taken(lambda t: bytes.fromhex("00") and from_text(t))(text),  # type: ignore[arg-type]
    ]
    return any(results)


def _command(data: bytes) -> None:
    """The first line names a transaction type, each other one is option=value, as a person could type them."""
    name, _, rest = text_of(data).partition("\n")
    if name not in TYPES:
        raise Malformed("no such type: no such command")
    given: dict[str, Any] = {}
    for line in rest.splitlines():
        option, _, value = line.partition("=")
        given[option] = value
    encode(options.body_from(TYPES[name], given, _NAMES))


def _commands() -> list[bytes]:
    found = []
    for body in _bodies_json():
        lines = [body.pop("type")]
        for name, value in body.items():
            if value is not None:  # such an option is left out
                lines.append(f"{name}={value if isinstance(value, str) else json.dumps(value)}")
        found.append("\n".join(lines).encode())
    return found


def _words(data: bytes) -> None:
    seed_of(text_of(data))


def _document(data: bytes) -> None:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        raise Malformed("not JSON: the stage before refuses it") from None
    parse_document(value, specimens.store().genesis_hash, "file")


def _documents() -> list[bytes]:
    signed = decode_signed_tx(specimens.block().transactions[0], specimens.store().genesis_hash)
    document = TxDocument(specimens.store().genesis_hash, signed.payload_bytes, signed.signatures)
    return [json.dumps(document.to_json()).encode()]


TEXTS = [
    Target("genesis", taken(_genesis), lambda: [genesis_to_json(specimens.chain().genesis).encode()], is_slow=True),
    Target("node key file", taken(_node_key), lambda: [node_key_file(dev_key("node", "bmw"))]),
    Target("sealed key file", taken(key_info), _sealed_keys),
    Target("settings", taken(_settings, OperatorError), lambda: [config_text({}).encode()], is_slow=True),
    Target("environment", taken(_environment, OperatorError), lambda: [b"P2P_PORT=26800\nP2P_EXCHANGE=false"],
           is_slow=True),
    Target("archive", taken(_archive, OperatorError, Corrupted), _archives, is_slow=True),
    Target("archive content", taken(_archive_content, OperatorError, Corrupted), _archive_contents, is_slow=True),
    Target("signing state", taken(_signing_state, Corrupted), _signing_states),
    Target("trust file", taken(_trust, OperatorError), _trusts),
    Target("query", _query, _queries),
    Target("path part", _path_part, lambda: [b"WBA8E9G50GNU12345", b"0" * 64, to_text(bytes(20)).encode()]),
    Target("accept header", _accept, lambda: [b"application/msgpack;q=0.5, application/json", b"*/*;q=0.1"]),
    Target("request", _request, _requests),
    Target("body", taken(_body), lambda: [json.dumps(body).encode() for body in _bodies_json()]),
    Target("option", _option, lambda: [b"52900.00EUR", b"12000km:visual", b"+30d", b"2026-11-22T10:00:00Z"]),
    Target("command", taken(_command), _commands),
    Target("words", taken(_words, OperatorError), lambda: [words_of(bytes(32)).encode()]),
    Target("transaction file", taken(_document, Rejected), _documents),
]  # fmt: skip
