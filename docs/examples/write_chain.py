"""A second writer of the chain, from docs/PROTOCOL.md and docs/schema.json alone: it uses none of the node's code.

    python docs/examples/write_chain.py http://127.0.0.1:26700[,URL...] SEED_FILE < body.json

Needs the packages msgpack and pynacl. It encodes every transaction type by the schema, signs it and submits it. No node
chooses what it signs. SEED_FILE has the 32 bytes of an Ed25519 seed.
"""

import datetime
import hashlib
import json
import os
import pathlib
import re
import secrets
import sys
import time
import urllib.error
import urllib.request

import msgpack
from nacl.signing import SigningKey

SCHEMA = json.loads(pathlib.Path(__file__).parent.with_name("schema.json").read_text())
GENESIS_HASH = bytes.fromhex(os.environ.get("GENESIS_HASH", ""))
"""Configured, not asked of a node: the chain that this program writes to."""


# --- hashes, addresses, times -------------------------------------------------------------------------------
def tagged(tag, data):
    return hashlib.sha256(tag.encode() + b"\0" + data).digest()


def polymod(values):
    check = 1
    for value in values:
        top, check = check >> 25, (check & 0x1FFFFFF) << 5 ^ value
        for bit, generator in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
            check ^= generator if top >> bit & 1 else 0
    return check


ALPHABET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
PREFIX = [3, 3, 3, 0, 2, 13, 23]  # bmw, expanded


def address_text(raw):
    number = int.from_bytes(raw, "big")
    data = [number >> 5 * (31 - i) & 31 for i in range(32)]
    check = polymod(PREFIX + data + [0] * 6) ^ 0x2BC830A3
    return "bmw1" + "".join(ALPHABET[d] for d in data + [check >> 5 * (5 - i) & 31 for i in range(6)])


def address(text):
    number = 0
    for letter in text[4:36]:
        number = number << 5 | ALPHABET.index(letter)
    if address_text(raw := number.to_bytes(20, "big")) != text:
        raise ValueError(f"{text}: not an address")
    return raw


def millis(text):
    moment = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    return (moment - datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)) // datetime.timedelta(milliseconds=1)


# --- from JSON to what is encoded, by the schema ------------------------------------------------------------
def array_of(struct, shown, path):
    """A struct's JSON as the array that is encoded."""
    known = [field["name"] for field in struct["fields"]]
    if unknown := set(shown) - set(known) - ({"type"} if "tag" in struct else set()):
        raise ValueError(f"{path}.{min(unknown)}: unknown field; known are {', '.join(known)}")
    values = [struct["tag"]] if "tag" in struct else []
    for field in struct["fields"]:
        name = field["name"]
        if field["required"] and name not in shown:
            raise ValueError(f"{path}.{name}: missing")
        absent = field.get("default", [] if field["kind"] == "list" else None)
        values.append(value_of(field, shown.get(name, absent), f"{path}.{name}"))
    return values


def value_of(field, shown, path):
    match field["kind"]:
        case "address":
            return address(shown)
        case "bytes":
            if not re.fullmatch("([0-9a-f]{2})*", shown):
                raise ValueError(f"{path}: lower-case hex expected")
            return bytes.fromhex(shown)
        case "time":
            return 0 if field["optional"] and not shown else millis(shown)
        case "money":
            return [int(shown["amount"]), shown["currency"]]
        case "list":
            return [value_of(field["item"], entry, f"{path}[{index}]") for index, entry in enumerate(shown)]
        case "option":
            return None if shown is None else value_of(field["item"], shown, path)
        case "struct":
            return array_of(SCHEMA["structs"][field["struct"]], shown, path)
        case "union":
            if shown["type"] not in field["structs"]:
                raise ValueError(f"{path}.type: {' or '.join(field['structs'])} expected")
            return array_of((SCHEMA["types"] | SCHEMA["structs"])[shown["type"]], shown, path)
        case kind:  # boolean, integer, text, code, code_of, choice
            wanted = {"boolean": bool, "integer": int}.get(kind, str)
            if type(shown) is not wanted:
                raise ValueError(f"{path}: {wanted.__name__} expected")
            return shown


def encode_payload(request):
    """{sender, salt, expires_at, body} in the JSON form of the interface, as bytes."""
    return msgpack.packb(array_of(SCHEMA["structs"]["Payload"], request, "payload"), use_bin_type=True)


# --- making and delivering a transaction ----------------------------------------------------------------------
def txid_of(genesis, payload):
    return tagged("bmw/tx", genesis + payload)


def signature(seed, genesis, payload):
    """[address, public key, signature] of a key for its own account."""
    key = SigningKey(seed)
    public = bytes(key.verify_key)
    return [tagged("bmw/address", public)[:20], public, key.sign(b"bmw/tx\0" + genesis + payload).signature]


def envelope(payload, signatures):
    return msgpack.packb([payload, sorted(signatures)], use_bin_type=True)


def sender_of(seed):
    """The account of a key, as text."""
    return address_text(tagged("bmw/address", bytes(SigningKey(seed).verify_key))[:20])


def expiry(lifetime_s):
    """The time in `lifetime_s` seconds by this computer's clock, as text."""
    moment = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=lifetime_s)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def compose(genesis, seed, body, lifetime_s=1800):
    """(txid, signed bytes, expiry as text): nothing in it comes from a node."""
    expires = expiry(lifetime_s)
    payload = encode_payload({"sender": sender_of(seed), "salt": secrets.randbits(64),
                              "expires_at": expires, "body": body})  # fmt: skip
    return txid_of(genesis, payload), envelope(payload, [signature(seed, genesis, payload)]), expires


def post(node, path, content, kind):
    """(HTTP status, JSON, seconds until the next attempt) of a request."""
    request = urllib.request.Request(node + path, content, {"Content-Type": f"application/{kind}"})
    try:
        answer = urllib.request.urlopen(request, timeout=20)
    except urllib.error.HTTPError as error:
        answer = error
    with answer:
        pause = answer.headers.get("Retry-After", "1")
        return answer.status, json.load(answer), min(30, max(1, int(pause) if pause.isdecimal() else 1))


def lines_of(answer):
    """What an answer says, in lines: its sentence, and every condition that is not met."""
    return [answer.get("detail", answer.get("status", "no answer")),
            *(f"  {guard['code']} - {guard['text']}" for guard in answer.get("unmet", []))]  # fmt: skip


def check(node, sender, body, lifetime_s=1800):
    """Why the node would refuse the transaction now, in lines; empty if it would not. Nothing is signed for this."""
    request = {"sender": sender, "expires_at": expiry(lifetime_s), "body": body}
    code, answer, _ = post(node, "/v1/transactions/check", json.dumps(request).encode(), "json")
    unmet = [guard for guard in answer.get("unmet", []) if guard["code"] != "signature_missing"]
    if code == 200 and not unmet:
        return []
    return lines_of({"detail": answer.get("detail", "not valid now"), "unmet": unmet})


def deliver(nodes, signed, expires):
    """Submit the same bytes until they are committed, as a node says, or never can be: then raises. Sign anew only
    after that."""
    for attempt in range(10**9):
        try:
            code, answer, pause = post(nodes[attempt % len(nodes)], "/v1/transactions?wait=commit", signed, "msgpack")
        except (OSError, ValueError):  # no answer: it may have arrived
            code, answer, pause = 0, {}, 1
        about = answer.get("transaction") or answer  # a problem document is about a transaction
        status = about.get("status")
        if code == 200 and status == "committed":
            return answer
        # Until it expires any node may still commit it, also if this one rejects it or claims that it is over.
        is_over = time.time() * 1000 > millis(expires) and (about.get("final") is True or status == "expired")
        is_never_valid = code in (400, 401, 413) and (about is answer or not status)
        if is_over or is_never_valid:
            raise ValueError("\n".join(lines_of(answer)))
        print("\n".join(lines_of(answer)), f"- sent again until {expires}", file=sys.stderr)
        time.sleep(pause)
    raise AssertionError("the loop has no end")


def main(nodes, seed_file):
    if len(GENESIS_HASH) != 32:
        sys.exit("set GENESIS_HASH to the genesis hash of your chain: 64 hex digits")
    nodes, seed, body = nodes.split(","), pathlib.Path(seed_file).read_bytes(), json.load(sys.stdin)
    try:
        refused = check(nodes[0], sender_of(seed), body)
    except (OSError, ValueError) as error:
        refused = [f"{nodes[0]} does not answer ({error}): name another node"]
    if refused:
        sys.exit("not signed: " + "\n".join(refused))
    txid, signed, expires = compose(GENESIS_HASH, seed, body)
    pathlib.Path(f"outbox-{txid.hex()}.msgpack").write_bytes(signed)  # after a crash, send these bytes again
    print("txid     ", txid.hex())
    try:
        done = deliver(nodes, signed, expires)
    except ValueError as error:
        sys.exit(f"refused   {error}")
    print("committed", "height", done["height"], "index", done["index"])


if __name__ == "__main__":
    main(*sys.argv[1:])
