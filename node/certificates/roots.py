"""Trust roots of certificates: a genesis document, or a checkpoint that somebody has published and signed.

A checkpoint is JSON: `format` ("bmw-checkpoint/1"), `genesis_hash`, `tree_depth`, `height`, `block_id`, `time_ms`,
`validators` (canonical encoding of the set that decides the next height), all hashes and bytes in lower-case hex, and
`signatures`, each with `name`, `key` and `signature` over `H("bmw/checkpoint", ...)` (see `checkpoint_bytes`).
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

from node.certificates.canonical import encode, is_signature, malformed, tagged
from node.certificates.verifier import Root, validators_of
from node.chain.genesis import Genesis
from node.chain.trust import genesis_trust
from node.codec import encode as encode_value

FORMAT: Final = "bmw-checkpoint/1"
CHECKPOINT_BYTES_MAX: Final = 256 * 1024
_HEX: Final = ("genesis_hash", "block_id", "validators")
_NUMBERS: Final = ("tree_depth", "height", "time_ms")


def root_of_genesis(genesis: Genesis) -> Root:
    """The trust root of a genesis document."""
    trust = genesis_trust(genesis)
    validators = encode_value(trust.validators.entries)
    return Root(trust.block_id, genesis.tree_depth, trust.height, trust.block_id, trust.time_ms, validators)


def checkpoint_bytes(root: Root) -> bytes:
    """What is signed of a checkpoint, 32 bytes: `H("bmw/checkpoint", genesis_hash || encode([tree_depth, height,
    block_id, time_ms]) || H("bmw/validators", validators))`."""
    fields = encode([root.tree_depth, root.height, root.block_id, root.time_ms])
    return tagged("bmw/checkpoint", root.genesis_hash + fields + tagged("bmw/validators", root.validators))


def checkpoint_json(root: Root, signatures: list[dict[str, str]]) -> str:
    """The document of a checkpoint. `signatures`: see above."""
    document: dict[str, Any] = {"format": FORMAT}
    document |= {name: getattr(root, name).hex() for name in _HEX} | {name: getattr(root, name) for name in _NUMBERS}
    return json.dumps(document | {"signatures": signatures}, indent=1, sort_keys=True) + "\n"


def root_of_checkpoint(text: bytes, signers: frozenset[bytes] = frozenset(), needed: int = 0) -> Root:
    """The root of a checkpoint. Raises `InvalidCertificateFile` with `certificate_malformed` for one that cannot be
    read, has a false signature, or is signed by fewer than `needed` of the keys `signers`."""
    try:
        document = json.loads(text.decode("utf-8-sig")) if len(text) <= CHECKPOINT_BYTES_MAX else None
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise malformed("this is no checkpoint")
    fields: dict[str, Any] = {name: _bytes(document.get(name), name) for name in _HEX}
    for name in _NUMBERS:
        fields[name] = document.get(name)
        if type(fields[name]) is not int or not 0 <= fields[name] <= 2**53:
            raise malformed(f"the checkpoint's {name} is no number")
    root = Root(**fields)
    lengths = (len(root.genesis_hash), len(root.block_id))
    if lengths != (32, 32) or not 1 <= root.tree_depth <= 28 or not validators_of(root.validators):
        raise malformed("the checkpoint has a hash or a depth that no chain has")
    message, found = checkpoint_bytes(root), set[bytes]()
    signatures = document.get("signatures") or []
    if not isinstance(signatures, list):
        raise malformed("the checkpoint's signatures are a list")
    for entry in signatures:
        key, signature = (
            _bytes(entry.get(name) if isinstance(entry, dict) else None, name) for name in ("key", "signature")
        )
        if not is_signature(key, message, signature):
            raise malformed(f"the checkpoint's signature by {key.hex()} is false")
        found.add(key)
    if len(found & signers) < needed:
        raise malformed(f"{len(found & signers)} of the keys that the reader names signed the checkpoint, not {needed}")
    return root


def _bytes(value: Any, name: str) -> bytes:
    if not isinstance(value, str) or not re.fullmatch("([0-9a-f]{2})*", value):
        raise malformed(f"the checkpoint's {name} is not in lower-case hex")
    return bytes.fromhex(value)
