"""The questions about certificates that both verifiers answer, and Python's answers to them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from node.certificates.canonical import InvalidCertificateFile, is_signature
from node.certificates.compact import from_texts, verify_compact
from node.certificates.roots import root_of_checkpoint
from node.certificates.verifier import Root, verify
from support.javascript.asking import Answer, Question

SAFE_MAX = 2**53 - 1
"""JavaScript answers greater integers as `{"integer": digits}`."""
x = bytes.fromhex


def about(root: Root, now_ms: int, options: Mapping[str, Any] | None = None, **given: Any) -> Question:
    """The question for the verdict about `file` or `compact` (bytes), or `texts` (of codes)."""
    told = {name: value.hex() if isinstance(value, bytes) else value for name, value in asdict(root).items()}
    chosen = dict(options or {})
    if "witnesses" in chosen:
        chosen["witnesses"] = [key.hex() for key in chosen["witnesses"]]
    shown = {name: value.hex() if isinstance(value, bytes) else list(value) for name, value in given.items()}
    return {"ask": "verdict", "root": told, "now_ms": now_ms, "options": chosen, **shown}


def root_in(told: Mapping[str, Any]) -> Root:
    names = ("genesis_hash", "block_id", "validators")
    return Root(**{**told, **{name: x(told[name]) for name in names}})


def answered(question: Question) -> Answer:
    """Python's answer."""
    try:
        return {"found": _plain(_found(question))}
    except InvalidCertificateFile as error:
        return {"code": error.code}
    except Exception as error:
        return {"fault": repr(error)}


def _found(question: Question) -> Any:
    match question["ask"]:
        case "signature":
            return is_signature(x(question["key"]), x(question["message"]), x(question["signature"]))
        case "checkpoint":
            signers = frozenset(map(x, question["signers"]))
            root = root_of_checkpoint(x(question["text"]), signers, question["needed"])
            return {name: getattr(root, name) for name in ("height", "time_ms", "tree_depth")}
    options = dict(question["options"])
    root, now_ms = root_in(question["root"]), question["now_ms"]
    if "file" in question:
        keys = tuple(map(x, options.pop("witnesses", ())))
        return verify(x(question["file"]), root, now_ms, witnesses=keys, **options)
    raw = x(question["compact"]) if "compact" in question else from_texts(question["texts"])
    return verify_compact(raw, root, now_ms, **options)


def _plain(value: Any) -> Any:
    """The value as JSON that JavaScript reads without loss."""
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return {"integer": str(value)} if type(value) is int and abs(value) > SAFE_MAX else value
