"""The values of one transaction and of the development network that documents name.

`python scripts/documented_vector.py` writes docs/examples/vector.json and the blocks of docs/PROTOCOL.md, section 18,
anew; tests/house/test_documented_protocol.py holds them to the code. Run scripts/reference_tables.py after it: one of
the documents includes vector.json.
"""

from __future__ import annotations

import json
import re
import textwrap
from pathlib import Path
from typing import Any

from node.chain.dev_genesis import dev_genesis
from node.chain.genesis import genesis_hash
from node.chain.vote import NIL, vote_sign_bytes
from node.crypto.addresses import address_of, to_text
from node.crypto.dev_keys import dev_key, dev_seed
from node.crypto.state_tree import bucket_of, slot_of
from node.execution.genesis_state import genesis_entries, genesis_head
from node.ledger.json_form import time_from_text, to_json, union_from_json
from node.ledger.signed import assemble, sign_bytes, txid_of, wire_id_of
from node.txtypes.registry import TYPES
from node.txtypes.rulesets import RULESETS
from wallet.txfile import build_payload, sign_payload

DOCS = Path(__file__).resolve().parents[1] / "docs"
FILE, PROTOCOL, AUDITING = DOCS / "examples" / "vector.json", DOCS / "PROTOCOL.md", DOCS / "AUDITING.md"
SIGNER, VIN = "workshop-berlin", "WBA8E9G50GNU12345"
AT = "2026-01-02T10:00:00.000Z"
BODY = {
    "type": "maintenance.record", "vin": VIN, "services": ["ENGINE_OIL"],
    "parts": [{"number": "11428507683", "quantity": 1, "is_original": True, "serial": None}],
    "next_due": {"odometer": 30_000, "at": None}, "event_at": AT,
    "where": {"site": "BER-1", "vin_source": "obd", "model_seen": "330I"},
    "odometer": {"value": 12_000, "unit": "km", "source": "cluster"},
}  # fmt: skip


def vector() -> dict[str, Any]:
    key, genesis = dev_key("account", SIGNER), genesis_hash(dev_genesis())
    address, body = address_of(key.public), union_from_json(dict(TYPES), BODY, "body")
    payload = build_payload(address, body, salt=1, expires_at_ms=time_from_text(AT))
    signature = sign_payload(payload, genesis, address, key)
    raw = assemble(payload, [signature])
    return {
        "genesis_hash": genesis.hex(),
        "public_key": key.public.hex(),
        "request": {"sender": to_text(address), "salt": 1, "expires_at": AT, "body": to_json(body)},
        "payload": payload.hex(),
        "sign_bytes": sign_bytes(genesis, payload).hex(),
        "txid": txid_of(genesis, payload).hex(),
        "signature": signature.signature.hex(),
        "signed": raw.hex(),
        "wire_id": wire_id_of(genesis, raw).hex(),
    }


def _members(value: dict[str, Any], depth: int) -> str:
    """A JSON object with one line for each member, to the depth of the body's fields."""
    pad = "  " * depth
    lines = (
        f'{pad}"{name}": {_members(inner, depth + 1) if name in ("request", "body") else json.dumps(inner)}'
        for name, inner in value.items()
    )
    return "{\n" + ",\n".join(lines) + "\n" + pad[2:] + "}"


def _columns(rows: list[tuple[str, str]], width: int) -> str:
    """Names and values in two columns; a value goes on below."""
    lines = []
    for name, value in rows:
        parts = [part for line in value.split("\n") for part in textwrap.wrap(line, 120 - width) or [""]]
        lines += [f"{name if number == 0 else '':{width}}{part}" for number, part in enumerate(parts)]
    return "\n".join(lines)


def network() -> str:
    genesis = dev_genesis()
    head, digest = genesis_head(genesis, genesis_entries(genesis)), genesis_hash(genesis)
    names = {account.address: account.name for account in genesis.accounts}
    turns = ", ".join(names[head.validators.proposer(1, round_)] for round_ in range(4))
    key, slot = dev_key("account", SIGNER), slot_of(f"vehicle/{VIN}".encode())
    first = _columns([
        ("genesis hash", digest.hex()), ("genesis root", head.state_root.hex()),
        ("validators hash", head.validators.hash.hex()), ("ruleset 1", RULESETS[1].hash.hex()),
        ("proposers", f"height 1, rounds 0-3: {turns}"),
    ], 17)  # fmt: skip
    second = _columns([
        ("seed", dev_seed("account", SIGNER).hex()), ("public key", key.public.hex()),
        ("address", f"{address_of(key.public).hex()}\n{to_text(address_of(key.public))}"),
        ("slot", f"vehicle/{VIN}\n{slot.hex()}, bucket {bucket_of(slot, genesis.tree_depth)} at depth 18"),
    ], 17)  # fmt: skip
    vote = vote_sign_bytes(digest, "prevote", 1, 0, NIL).hex()
    return f"{first}\n\n{second}\nnil prevote      height 1, round 0, sign bytes\n{'':17}{vote}"


def renewed(text: str, made: dict[str, Any]) -> str:
    """PROTOCOL.md with the two blocks of section 18."""
    transaction = _columns([
        ("payload", made["payload"]), ("txid", made["txid"]), ("signature", made["signature"]),
        ("wire id", made["wire_id"]),
    ], 10)  # fmt: skip
    for first, block in (("genesis hash ", network()), ("payload   ", transaction)):
        text, count = re.subn(rf"```text\n{first}[^`]*```", lambda _, block=block: f"```text\n{block}\n```", text)
        assert count == 1, first
    return text


def main() -> None:
    made = vector()
    FILE.write_text(_members(made, 1) + "\n")
    PROTOCOL.write_text(renewed(PROTOCOL.read_text(), made))
    shown = re.sub(r"(?m)^(genesis hash +)[0-9a-f]{64}$", rf"\g<1>{made['genesis_hash']}", AUDITING.read_text())
    AUDITING.write_text(shown)


if __name__ == "__main__":
    main()
