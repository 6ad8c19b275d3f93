"""The published schema (`docs/schema.json`, `GET /v1/schema`): all that a client needs to encode a transaction itself.

It is derived from the declarations of the transaction types. `docs/PROTOCOL.md` describes the encoding and the hashes;
the schema lists the fields.
"""

from __future__ import annotations

from functools import cache
from hashlib import sha256
from typing import Any, Final, assert_never

from node import limits
from node.crypto.addresses import address_of, to_text
from node.crypto.dev_keys import dev_key
from node.ledger import kinds
from node.ledger.body import TransactionBody
from node.ledger.example import resolved
from node.ledger.fields import Money
from node.ledger.json_form import is_required, time_from_text
from node.ledger.kinds import Field, Kind, fields_of, tag_of
from node.ledger.ruleset import Ruleset
from node.ledger.signed import Signed
from node.ledger.static_rules import rules_of
from node.txtypes.envelope import Payload
from node.txtypes.registry import TYPES

Json = dict[str, Any]
EXAMPLE_TIME: Final = "2026-01-02T10:00:00.000Z"
"""The present time in all examples."""
_FORMS: Final = {
    "boolean": ("true or false", "boolean"),
    "integer": ("a number", "integer"),
    "time": ("RFC 3339 with at most milliseconds; null for none if `optional`",
             "integer: milliseconds since 1970 UTC; 0 for none"),
    "text": ("a string", "string (UTF-8)"),
    "code": ("a string", "string; scanned for payment card numbers"),
    "code_of": ("a string: a code of the table that `table` names (GET /v1/codes)", "string"),
    "choice": ("a string: one of `values`", "string"),
    "address": ("bech32m (BIP 350) with the prefix bmw", "binary of 20 bytes"),
    "bytes": ("lower-case hex", "binary of `length` bytes, or of at most `max_length`"),
    "money": ('{"amount": "5290000", "currency": "EUR"}, digits of minor units', "array [integer, string]"),
    "list": ("a list of `item`; left out: empty", "array"),
    "option": ("null or `item`; left out: null", "nil or `item`"),
    "struct": ("an object", "array of the fields in order, after the tag if the struct has one"),
    "union": ("an object whose `type` is the tag of one of `structs`", "the array of that struct"),
}  # fmt: skip
"""Kind to its form in JSON and its encoding in MessagePack."""
_ENCODING: Final = (
    "MessagePack in its shortest form: no value has two encodings. No maps, no floating-point numbers.",
    "A struct is an array of its fields in the order given here. A struct with a tag has the tag first.",
    "payload = encode(struct Payload); body is the struct of the transaction's type.",
    'txid = SHA-256("bmw/tx" 0x00 genesis_hash payload), in hex.',
    'Each signer signs "bmw/tx" 0x00 genesis_hash payload with Ed25519.',
    "signed transaction = encode(struct Signed): the payload as binary, and the signatures ascending by address, "
    "then public key.",
)  # fmt: skip
_ANY_TYPE: Final = (
    "expires_at: later than the block that takes the transaction, at most the chain's tx_lifetime_max_ms later.",
    "All fields of kind code, joined by spaces, contain no payment card number (PROTOCOL.md).",
)


class ExampleNames:
    """Symbolic names of specimens for documents: parties are development accounts, ids are hashes of their names.

    Implements `node.ledger.example.Names`.
    """

    now_ms = time_from_text(EXAMPLE_TIME)

    def address_text(self, name: str) -> str:
        return to_text(address_of(dev_key("account", name).public))

    def bytes_of(self, symbol: str) -> bytes:
        if symbol.startswith("$key:"):
            return dev_key("account", symbol.removeprefix("$key:")).public
        return sha256(symbol.encode()).digest()


@cache
def example_body(tag: str) -> Json:
    """The specimen of a type as JSON."""
    struct = TYPES[tag]
    return {"type": tag, **resolved(struct, struct.EXAMPLE.body, ExampleNames())}


def example_sender(tag: str) -> str:
    return ExampleNames().address_text(TYPES[tag].EXAMPLE.sender)


class _Structs:
    """The structs below a type, by name."""

    def __init__(self) -> None:
        self.documents: dict[str, Json] = {}
        self._named: dict[str, type[Any]] = {}

    def add(self, struct: type[Any]) -> str:
        """The name of a struct, which the document then contains."""
        name = tag_of(struct) or struct.__name__
        assert self._named.setdefault(name, struct) is struct, f"two structs have the name {name}"
        if name not in self.documents:
            self.documents[name] = {}
            self.documents[name] = self.document(struct)
        return name

    def document(self, struct: type[Any]) -> Json:
        tag = tag_of(struct)
        document: Json = {"tag": tag} if tag else {}
        document["description"] = " ".join((struct.__doc__ or "").split())
        document["fields"] = [self._field(field) for field in fields_of(struct)]
        document["static_rules"] = [rule.document() for rule in rules_of(struct)]
        return document

    def _field(self, field: Field) -> Json:
        document = {"name": field.json_name, **self.kind(field.kind), "required": is_required(field)}
        if field.has_default:
            document["default"] = field.default
        if field.description and not isinstance(field.kind, kinds.Time):
            document["description"] = field.description
        return document

    def kind(self, kind: Kind) -> Json:
        match kind:
            case kinds.Boolean():
                return {"kind": "boolean"}
            case kinds.Integer(minimum=minimum, maximum=maximum):
                return {"kind": "integer"} | _given(minimum=minimum, maximum=maximum)
            case kinds.Time(is_optional=is_optional):
                return {"kind": "time", "optional": is_optional}
            case kinds.Text(pattern=pattern, max_length=most):
                return {"kind": "text"} | _given(pattern=_pattern(pattern), max_length=most)
            case kinds.Code(pattern=pattern, max_length=most):
                return {"kind": "code"} | _given(pattern=_pattern(pattern), max_length=most)
            case kinds.CodeOf(table=table, pattern=pattern):
                return {"kind": "code_of", "table": table} | _given(pattern=_pattern(pattern))
            case kinds.Choice(values=values):
                return {"kind": "choice", "values": list(values)}
            case kinds.Address():
                return {"kind": "address"}
            case kinds.Bytes(length=length, max_length=most):
                return {"kind": "bytes"} | _given(length=length or None, max_length=most)
            case kinds.MoneyAmount():
                amount = fields_of(Money)[0].kind
                assert isinstance(amount, kinds.Integer), "an amount is an integer"
                return {"kind": "money", "table": "currencies", "maximum": amount.maximum}
            case kinds.ListOf(item=item, min_length=least, max_length=most):
                return {"kind": "list", "item": self.kind(item)} | _given(min_length=least, max_length=most)
            case kinds.OptionOf(item=item):
                return {"kind": "option", "item": self.kind(item)}
            case kinds.StructOf(struct=struct):
                return {"kind": "struct", "struct": self.add(struct)}
            case kinds.UnionOf(structs=structs):
                return {"kind": "union", "structs": [self.add(struct) for struct in structs]}
            case kinds.Plain():
                raise AssertionError("only answers have plain fields")
            case _:
                assert_never(kind)


def _given(**bounds: Any) -> Json:
    return {name: bound for name, bound in bounds.items() if bound is not None}


def _pattern(pattern: str) -> str | None:
    r"""The pattern for ECMA-262, where `$` means Python's `\Z`."""
    return pattern.replace(r"\Z", "$") or None


def schema_document(ruleset: Ruleset) -> Json:
    """The schema of the transaction types of a ruleset."""
    structs = _Structs()
    structs.add(Payload)
    structs.add(Signed)
    structs.documents["Payload"]["fields"][-1]["structs"] = sorted(ruleset.types)
    types = {}
    for tag in sorted(ruleset.types):
        struct: type[TransactionBody] = TYPES[tag]
        example = {"sender": example_sender(tag), "body": example_body(tag)}
        types[tag] = {
            **structs.document(struct), "sent_by": struct.by.text if struct.by else None,
            "weight": struct.weight, "weight_each": dict(struct.weight_each), "example": example,
        }  # fmt: skip
    nested = {name: structs.documents[name] for name in sorted(structs.documents) if name not in TYPES}
    return {
        "title": "Transactions of the vehicle chain", "ruleset": ruleset.number, "ruleset_hash": ruleset.hash.hex(),
        "encoding": list(_ENCODING),
        "kinds": {name: {"json": json, "encoding": encoding} for name, (json, encoding) in _FORMS.items()},
        "limits": {"transaction_bytes": limits.TX_BYTES_MAX},
        "rules_of_every_type": list(_ANY_TYPE), "types": types, "structs": nested,
    }  # fmt: skip
