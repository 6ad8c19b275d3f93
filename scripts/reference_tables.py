"""The tables of docs/ and docs/schema.json follow from the code: `python scripts/reference_tables.py` writes them anew.

A document marks a place with `<!-- table NAME -->`, or `<!-- file NAME -->` for a file below docs/; everything up to
`<!-- end -->` is replaced. With `--check` nothing is written and the exit code is 1 where a document is out of date;
tests/house/test_reference_tables.py does the same.
"""

from __future__ import annotations

import ast
import inspect
import json
import re
import sys
import textwrap
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, get_args

import msgspec
from msgspec import inspect as shape

from node.chain import block, genesis, vote
from node.consensus import safety
from node.daemon.config import SETTINGS
from node.ledger import kinds, signed
from node.ledger.body import TransactionBody
from node.ledger.fields import Money
from node.ledger.guards import CODE_UNKNOWN, GUARDS, Guard
from node.ledger.kinds import fields_of
from node.ledger.params import SETTABLE, ChainParams
from node.p2p import handshake, wire
from node.p2p.rate_limits import RATES
from node.replica import messages
from node.rpc.metrics import METRICS, PREFIX, kind_of
from node.rpc.problems import PROBLEMS
from node.rpc.schema import schema_document
from node.settings import Setting
from node.txtypes import envelope
from node.txtypes.chain.actions import Action
from node.txtypes.registry import FAMILIES, TYPES
from node.txtypes.rulesets import RULESETS
from node.txtypes.vehicle.record import Content, Face
from wallet.examples import example_of
from web import metrics as web_metrics
from web.board.alarms import RULES, span_text
from web.settings import SETTINGS as WEB_SETTINGS
from web.words import CATALOGUE

ROOT = Path(__file__).resolve().parents[1]


# --- what a field is -------------------------------------------------------------------------------------
def tables_of(kind: kinds.Kind) -> Iterator[str]:
    """The tables that a field's codes come from."""
    match kind:
        case kinds.CodeOf(table=table):
            yield table
        case kinds.ListOf(item=item) | kinds.OptionOf(item=item):
            yield from tables_of(item)
        case _:
            return


def _bounds(low: int | None, high: int | None) -> str:
    """`from 1 to 64`; powers of two as such."""

    def number(value: int) -> str:
        return "2^53" if value == 2**53 else "2^40" if value == 2**40 else f"{value:,}"

    if low is not None and high is not None:
        return f"{number(low)} to {number(high)}"
    if high is not None:
        return f"at most {number(high)}"
    return f"from {number(low)}" if low is not None else ""


def _described(kind: Any) -> tuple[Any, str]:
    if isinstance(kind, shape.Metadata):
        if kind.extra:
            return msgspec.structs.replace(kind.type, **kind.extra), ""  # the pattern of a `Stored` text
        return kind.type, str((kind.extra_json_schema or {}).get("description", ""))
    return kind, ""


def type_text(kind: Any) -> str:
    """A field's type and bounds, for people who write a decoder."""
    kind, description = _described(kind)
    match kind:
        case shape.BytesType(min_length=low, max_length=high):
            if low == high == 20:
                return "address (20 bytes)"
            if low is not None and low == high:
                return f"{low} bytes"
            return f"up to {high} bytes" if high is not None else "bytes"
        case shape.IntType(ge=low, le=high, lt=above):
            high = above - 1 if high is None and above is not None else high
            if description.startswith("milliseconds since 1970"):
                return "time (ms)"
            return " ".join(filter(None, ("int", _bounds(low, high))))
        case shape.BoolType():
            return "bool"
        case shape.StrType(pattern=pattern, max_length=high):
            text = "string"
            if pattern:
                text += " `" + pattern.replace("|", "\\|").replace("\\Z", "$") + "`"
            return text + (f", at most {high}" if high is not None else "")
        case shape.LiteralType(values=values):
            return "one of " + ", ".join(f"`{value}`" if value else "empty" for value in values)
        case shape.VarTupleType(item_type=item, min_length=low, max_length=high):
            bounds = _bounds(low, high)
            return f"list of [{type_text(item)}]" + (f", {bounds}" if bounds else "")
        case shape.TupleType(item_types=items):
            return "array (" + ", ".join(type_text(item) for item in items) + ")"
        case shape.StructType(cls=cls):
            return f"`{cls.__name__}`"
        case shape.UnionType(types=types):
            inner = [t for t in types if not isinstance(_described(t)[0], shape.NoneType)]
            if all(isinstance(_described(t)[0], shape.LiteralType) for t in inner):
                values = [v for t in inner for v in _described(t)[0].values]
                return "one of " + ", ".join(f"`{v}`" if v else "empty" for v in dict.fromkeys(values))
            text = " or ".join(type_text(t) for t in inner)
            return text + (" or nil" if len(inner) < len(types) else "")
    raise AssertionError(f"no words for {kind}")


JSON_FORMS: dict[type[Any], str] = {
    kinds.Address: "bech32m", kinds.Bytes: "hex", kinds.Time: "RFC 3339", kinds.MoneyAmount: "`{amount, currency}`",
    kinds.StructOf: "object", kinds.UnionOf: "object with `type`", kinds.ListOf: "list", kinds.Integer: "number",
    kinds.Boolean: "true or false", kinds.Text: "string", kinds.Choice: "string", kinds.Code: "string",
    kinds.CodeOf: "string",
}  # fmt: skip


@cache
def _shape_of(struct: type[Any]) -> shape.StructType:
    found = shape.type_info(struct)
    assert isinstance(found, shape.StructType), f"{struct} is a struct"
    return found


def struct_table(struct: type[Any], *, with_json: bool = False) -> str:
    """The array that a struct is encoded as, element by element."""
    tag = struct.__struct_config__.tag
    rows = ["| # | field | type and bounds |" + (" in JSON |" if with_json else "")]
    rows.append("|---|---|---|" + ("---|" if with_json else ""))
    first = 0
    if tag is not None:
        shown = f'"{tag}"' if isinstance(tag, str) else str(tag)
        rows.append(f"| 0 | (tag) | `{shown}` |" + (" `type` |" if with_json and isinstance(tag, str) else
                                                   " |" if with_json else ""))  # fmt: skip
        first = 1
    for index, (field, told) in enumerate(zip(_shape_of(struct).fields, fields_of(struct), strict=True), first):
        row = f"| {index} | `{field.name}` | {type_text(field.type)} |"
        if with_json:
            is_optional = isinstance(told.kind, kinds.OptionOf)
            inner = told.kind.item if isinstance(told.kind, kinds.OptionOf) else told.kind
            is_amount = struct is Money and field.name == "amount"
            form = JSON_FORMS[kinds.Text if is_amount else type(inner)]
            tables = "".join(f", code of `{table}`" for table in tables_of(told.kind))
            row += f" `{told.json_name}`: {form}{' or null' if is_optional else ''}{tables} |"
        rows.append(row)
    return "\n".join(rows)


def _structs_in(kind: Any) -> Iterator[type[Any]]:
    match _described(kind)[0]:
        case shape.StructType(cls=cls):
            yield cls
        case shape.VarTupleType(item_type=item):
            yield from _structs_in(item)
        case shape.TupleType(item_types=items) | shape.UnionType(types=items):
            for item in items:
                yield from _structs_in(item)


def nested(*roots: type[Any]) -> list[type[Any]]:
    """The structs within structs, at any depth, in order of their names; without those of a union, which are documented
    elsewhere."""
    found, left = set(roots), list(roots)
    while left:
        inner = {cls for field in _shape_of(left.pop()).fields for cls in _structs_in(field.type)} - found
        found |= inner
        left += inner
    parts = (struct for struct in found - set(roots) if struct.__struct_config__.tag is None)
    return sorted(parts, key=lambda struct: struct.__name__)


def structs(*kinds: type[Any], with_json: bool = False) -> str:
    return "\n\n".join(f"`{kind.__name__}`\n\n{struct_table(kind, with_json=with_json)}" for kind in kinds)


# --- which guards a type has -----------------------------------------------------------------------------
def _codes(function: Any, owner: Any, seen: set[Any]) -> Iterator[str]:
    """Codes that a function can note, its own and those of the functions it calls, in order."""
    if function in seen or not inspect.isfunction(function) or not function.__module__.startswith("node."):
        return
    seen.add(function)
    names = function.__globals__
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    for call in sorted(calls, key=lambda node: (node.lineno, node.col_offset)):
        match call.func:
            case ast.Attribute(attr="unmet") if isinstance(call.args[0], ast.Name):
                guard = names[call.args[0].id]
                assert isinstance(guard, Guard), f"{function.__qualname__} notes {guard}, which is no guard"
                yield guard.code
            case ast.Attribute(attr="unmet") if isinstance(call.args[0], ast.Subscript):  # of a table of guards
                assert isinstance(call.args[0].value, ast.Name), function.__qualname__
                yield from dict.fromkeys(guard.code for guard in names[call.args[0].value.id].values())
            case ast.Attribute(value=ast.Name(id="self"), attr=name):
                yield from _codes(getattr(owner, name, None), owner, seen)
            case ast.Attribute(value=ast.Name(id=module), attr=name) if inspect.ismodule(names.get(module)):
                yield from _codes(getattr(names[module], name), owner, seen)
            case ast.Name(id=name):
                yield from _codes(names.get(name), owner, seen)


def _has_table_codes(struct: type[Any]) -> bool:
    def has(kind: kinds.Kind) -> bool:
        match kind:
            case kinds.CodeOf() | kinds.MoneyAmount():
                return True
            case kinds.ListOf(item=item) | kinds.OptionOf(item=item):
                return has(item)
            case kinds.StructOf(struct=inner):
                return _has_table_codes(inner)
            case _:
                return False

    return any(has(field.kind) for field in fields_of(struct))


def guards_of(struct: type[Any]) -> list[str]:
    """The type's own guard codes; the envelope's are for every type."""
    seen: set[Any] = {TransactionBody.guards}
    codes = [CODE_UNKNOWN.code] if _has_table_codes(struct) else []
    permission = getattr(struct, "by", None)
    if permission is not None:
        codes += _codes(type(permission).check, type(permission), seen)
    codes += _codes(struct.guards, struct, seen)
    return list(dict.fromkeys(codes))


# --- the tables --------------------------------------------------------------------------------------------
def state_families() -> str:
    parts = []
    for name, family in sorted(FAMILIES.items()):
        note = " ".join((family.kind.__doc__ or "").split("\n\n")[0].split())
        note = "" if note.startswith(family.kind.__name__ + "(") else note
        parts.append(f"#### `{name}/`\n\n{note}\n\n{struct_table(family.kind)}".replace("\n\n\n\n", "\n\n"))
    return "\n\n".join(parts)


def message_table() -> str:
    kinds = _members(messages.Message) + _members(wire.NetworkMessage) + _members(wire.SnapshotMessage)
    rows = ["| message | elements after the tag | messages/s | bytes/s | urgent |", "|---|---|---|---|---|"]
    for kind in kinds:
        rate = RATES[kind]
        told = "; ".join(f"`{f.name}` {type_text(f.type)}" for f in _shape_of(kind).fields) or "none"
        urgent = "yes" if issubclass(kind, wire.URGENT) else ""
        tag = kind.__struct_config__.tag
        rows.append(f'| `"{tag}"` | {told} | {rate.messages:,} | {rate.bytes:,} | {urgent} |')
    return "\n".join(rows) + f"\n\n`PeerAddress`\n\n{struct_table(wire.PeerAddress)}"


def transaction_types() -> str:
    parts = []
    for name, struct in TYPES.items():
        said = " ".join((struct.__doc__ or "").split())
        codes = ", ".join(f"`{code}`" for code in guards_of(struct)) or "none of its own"
        if name == "governance.propose":
            codes += "; and those of the action"
        parts.append(
            f"### `{name}`\n\n{said}\n\n{struct_table(struct, with_json=True)}\n\n"
            f"{_sent_by(struct)}Weight {_weight_text(struct)}. Guards: {codes}.\n\n"
            f"```console\n$ {example_of(name)}\n```" + (f"\n\n{NOTES[name]}" if name in NOTES else "")
        )
    return "\n\n".join(parts)


def _weight_text(struct: type[TransactionBody]) -> str:
    each = "".join(f", and {more} for each of `{name}`" for name, more in struct.weight_each.items())
    return f"{struct.weight}{each}"


def _sent_by(struct: type[TransactionBody]) -> str:
    return f"Sent by {struct.by.text}. " if struct.by is not None else ""


NOTES: dict[str, str] = json.loads((Path(__file__).with_name("transaction_notes.json")).read_text())
"""What follows from a type beyond its docstring, where there is something to say."""


def _members(union: Any) -> list[type[Any]]:
    """The structs of a closed union, in its order."""
    return list(get_args(union))


def action_structs() -> list[type[Any]]:
    return _members(Action)


def actions() -> str:
    parts = []
    for kind in action_structs():
        codes = ", ".join(f"`{code}`" for code in guards_of(kind))
        said = " ".join((kind.__doc__ or "").split())
        table = struct_table(kind, with_json=True)
        parts.append(f"#### `{kind.__struct_config__.tag}`\n\n{said}\n\n{table}\n\nGuards: {codes}.")
    return "\n\n".join(parts)


ENVELOPE_CODES = frozenset(
    {"type_not_active", "transaction_expired", "expiry_too_far", "already_committed", "account_unknown",
     "signature_missing", "signature_superfluous", "weight_exhausted", "keys_exhausted", "not_judged"}
)  # fmt: skip
"""Noted by block execution for whatever type (execution/block_run.py)."""


def guard_codes() -> str:
    used: dict[str, list[str]] = {code: [] for code in GUARDS}
    named = [(name, guards_of(struct)) for name, struct in TYPES.items()]
    named += [(str(kind.__struct_config__.tag), guards_of(kind)) for kind in action_structs()]
    for name, codes in named:
        for code in codes:
            used[code].append(f"`{name}`")
    rows = ["| code | answered | meaning | where |", "|---|---|---|---|"]
    for code, text in sorted(GUARDS.items()):
        where = ", ".join((["every type"] if code in ENVELOPE_CODES else []) + used[code])
        rows.append(f"| `{code}` | {403 if text.is_permission else 422} | {text.en} | {where} |")
    return "\n".join(rows)


def chain_parameters() -> str:
    rows = ["| parameter | range | default | by `parameter.set` |", "|---|---|---|---|"]
    for field in _shape_of(ChainParams).fields:
        settable = "yes" if field.name in SETTABLE else "no: `ruleset.activate`"
        default = f"{field.default:,}" if isinstance(field.default, int) else "empty"
        rows.append(f"| `{field.name}` | {type_text(field.type).removeprefix('int ')} | {default} | {settable} |")
    return "\n".join(rows)


def settings(sections: Mapping[str, Mapping[str, Setting]]) -> str:
    rows = ["| setting | default | what it does |", "|---|---|---|"]
    for section, keys in sections.items():
        for key, setting in keys.items():
            rows.append(f"| `{section}.{key}` | `{json.dumps(setting.default)}` | {setting.text} |")
    return "\n".join(rows)


def metrics(prefix: str, texts: Mapping[str, str]) -> str:
    rows = ["| metric | type | meaning |", "|---|---|---|"]
    rows += [f"| `{prefix}{name}` | {kind_of(name)} | {text} |" for name, text in texts.items()]
    return "\n".join(rows)


def alerts() -> str:
    """The rules that the board raises alarms by, with its English texts."""
    rows = ["| alert | when | severity | meaning | first look |", "|---|---|---|---|---|"]
    for rule in RULES:
        anchor = rule.section.lower().replace(" ", "-")
        look = f"{CATALOGUE[f'alarms.{rule.code}_look'].en} ([{rule.section}](#{anchor}))"
        when = span_text(rule.after_s) if rule.after_s else "at once"
        meaning = CATALOGUE[f"alarms.{rule.code}"].en
        rows.append(f"| `{rule.expression}` | {when} | {rule.severity} | {meaning} | {look} |")
    return "\n".join(rows)


def problems() -> str:
    rows = ["| code | status | title |", "|---|---|---|"]
    rows += [f"| `{code}` | {status} | {title} |" for code, (status, title) in PROBLEMS.items()]
    return "\n".join(rows)


# --- the annex of rulesets --------------------------------------------------------------------------------
RULESET_NOTES: dict[str, str] = json.loads((Path(__file__).with_name("ruleset_notes.json")).read_text())
"""The meaning of each table of a ruleset."""


def json_block(value: Any) -> str:
    """A value as a block of JSON: on one line if it is short, else each entry on its own or as many as fit."""
    text = json.dumps(value, ensure_ascii=False)
    if isinstance(value, list) and len(text) > 118:
        lines, line = [], ""
        for entry in (json.dumps(entry, ensure_ascii=False) for entry in value):
            if line and len(line) + len(entry) + 3 > 118:
                lines.append(line)
                line = ""
            line = f"{line}, {entry}" if line else entry
        text = "[\n " + ",\n ".join([*lines, line]) + "\n]"
    return f"```json\n{text}\n```"


def ruleset_tables() -> str:
    tables: Any = RULESETS[1].tables.canonical()
    return "\n\n".join(f"### `{name}`\n\n{RULESET_NOTES[name]}\n\n{json_block(table)}" for name, table in tables)


def ruleset_schema() -> str:
    schema: Any = RULESETS[1].schema
    return "\n\n".join(f"`{n}`\n\n{json_block(part)}" for n, part in zip(("types", "structs"), schema, strict=True))


def ruleset_versions() -> str:
    return json_block([[name, version] for name, version in sorted(RULESETS[1].value_versions.items())])


TABLES = {
    "ruleset-hash": lambda: f"```text\n{RULESETS[1].hash.hex()}\n```",
    "ruleset-tables": ruleset_tables,
    "ruleset-schema": ruleset_schema,
    "ruleset-versions": ruleset_versions,
    "envelope": lambda: structs(envelope.Payload, signed.TxSignature, signed.Signed),
    "blocks": lambda: structs(block.Header, block.Commit, block.Block, block.Committed),
    "votes": lambda: structs(vote.Vote, vote.Proposal, vote.Evidence),
    "hard-state": lambda: structs(
        safety.HardState, safety.NeverSigned, safety.SignedProposal, safety.SignedVote, safety.StoredLock
    ),
    "record": lambda: structs(Face, Content),
    "state": state_families,
    "shared": lambda: structs(*nested(*(family.kind for family in FAMILIES.values()))),
    "messages": message_table,
    "hello": lambda: structs(handshake.Hello),
    "transactions": transaction_types,
    "actions": actions,
    "guards": guard_codes,
    "parameters": chain_parameters,
    "genesis": lambda: structs(
        genesis.Genesis, genesis.GenesisAccount, genesis.GenesisMember, genesis.GenesisValidator, genesis.Continues,
        with_json=True,
    ),
    "body-structs": lambda: structs(*nested(*TYPES.values(), *action_structs()), with_json=True),
    "settings": lambda: settings(SETTINGS),
    "web-settings": lambda: settings(WEB_SETTINGS.sections),
    "metrics": lambda: metrics(PREFIX, METRICS),
    "web-metrics": lambda: metrics(web_metrics.PREFIX, web_metrics.METRICS),
    "alerts": alerts,
    "problems": problems,
}  # fmt: skip
assert msgspec.structs.fields(ChainParams), "parameters have fields"

_PLACE = re.compile(r"(<!-- table ([a-z-]+) -->\n).*?(\n?<!-- end -->)", re.DOTALL)
_FILE = re.compile(r"(<!-- file ([a-z/.-]+) -->\n).*?(\n?<!-- end -->)", re.DOTALL)


def _file(name: str) -> str:
    kind = {"mjs": "javascript"}.get(name.rpartition(".")[2], name.rpartition(".")[2])
    return f"```{kind}\n{(ROOT / 'docs' / name).read_text().rstrip()}\n```"


def renewed(text: str) -> str:
    """The document with every table and every shown file made anew. An unknown name raises KeyError."""
    text = _PLACE.sub(lambda found: f"{found[1]}\n{TABLES[found[2]]()}\n\n<!-- end -->", text)
    return _FILE.sub(lambda found: f"{found[1]}\n{_file(found[2])}\n\n<!-- end -->", text)


def links_of(text: str) -> list[str]:
    """Targets of links within the repository. A pattern in a code block or a code span is no link."""
    text = re.sub(r"`[^`\n]*`", "", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL))
    return [target for target in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in target]


def anchors_of(text: str) -> set[str]:
    """What GitHub names the headings."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def schema_text() -> str:
    """docs/schema.json: the published schema of the newest ruleset."""
    return json.dumps(schema_document(RULESETS[max(RULESETS)]), indent=1, ensure_ascii=False) + "\n"


SCHEMA = ROOT / "docs" / "schema.json"


def documents() -> list[Path]:
    return sorted((ROOT / "docs").rglob("*.md"))


def current(path: Path) -> str:
    """The text that a generated file must have."""
    return schema_text() if path == SCHEMA else renewed(path.read_text())


def main() -> int:
    stale = [p for p in (*documents(), SCHEMA) if not p.exists() or current(p) != p.read_text()]
    for path in stale:
        if "--check" in sys.argv:
            print(f"{path.relative_to(ROOT)} is out of date: run python scripts/reference_tables.py", file=sys.stderr)
        else:
            path.write_text(current(path))
            print(f"renewed {path.relative_to(ROOT)}")
    return 1 if stale and "--check" in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
