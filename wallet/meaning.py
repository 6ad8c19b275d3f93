"""What a transaction means: the values that a signer agrees to, from its body and from the state that it touches.

`wallet.essences` says what matters in each type. `meaning` computes over proven values (`Session.verified`) or,
offline, over the body alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, assert_never

from node.crypto.addresses import from_text, to_text
from node.errors import InvalidProof, Malformed, Rejected
from node.ledger import kinds
from node.ledger.body import type_of
from node.ledger.family import AsOf, Reader
from node.ledger.fields import Address
from node.ledger.json_form import time_to_text, to_json, value_from_json, value_to_json
from node.ledger.kinds import Kind, fields_of, kind_of, tag_of
from node.txtypes.envelope import Payload
from node.txtypes.members.member import name_of
from node.txtypes.sale.deal import Terms
from wallet.deal_facts import TERMS_FACTS, DealFact, deal_facts, terms_facts
from wallet.essences import ESSENCES, REFERENCES, Essence, Reference, reference_of
from wallet.show import plain, value_text
from wallet.values import Names, strict


class Fact(NamedTuple):
    """A value under its name. `value`: as the struct has it; `text`: for people, names included. `is_proven`: read from
    proven state, not from the body."""

    name: str
    kind: Kind
    value: Any
    text: str
    is_proven: bool
    is_essential: bool


@dataclass(frozen=True)
class Meaning:
    """The facts by name, in the order in which they are shown, and what changes."""

    facts: dict[str, Fact]
    change: str
    names: dict[bytes, str]
    """Proven business names of the members among the addresses."""

    def essential(self, *, is_body_known: bool) -> list[str]:
        """The facts that a program must expect. `is_body_known`: it has composed the body itself."""
        return [f.name for f in self.facts.values() if f.is_essential and (f.is_proven or not is_body_known)]


class NotExpected(Rejected):
    """A value is not the one that the caller expects."""

    code = "not_expected"


# --- facts -------------------------------------------------------------------------------------------
class _Facts:
    """Collects facts; a name that is taken by another value gets its reference in front."""

    def __init__(self, essential: tuple[str, ...], reader: Reader | None, own: Mapping[bytes, str]) -> None:
        self.facts: dict[str, Fact] = {}
        self.names: dict[bytes, str] = {}
        self._essential = essential
        self._reader = reader
        self._own = own

    def add(self, name: str, kind: Kind, value: Any, shown: Any, owner: str = "", text: str | None = None) -> None:
        """`shown`: the value's JSON form. `owner`: the reference that it is a fact of; without, the body has it.
        `text`: what is shown of it, where that is not its JSON form in words."""
        if (taken := self.facts.get(name)) is not None:
            if taken.value == value:
                return
            name = f"{owner}_{name}"
        if text is None:
            text = value_text(_labelled(kind, shown, self.label))
        is_essential = name in self._essential
        self.facts.setdefault(name, Fact(name, kind, value, text, bool(owner), is_essential))

    def add_fields(self, value: Any, names: tuple[str, ...], owner: str) -> None:
        """The named fields of a struct, by JSON name."""
        shown, fields = to_json(value), {field.json_name: field for field in fields_of(type(value))}
        for name in names:
            entry = getattr(value, fields[name].name)
            if isinstance(entry, Terms):
                self.add_deal(terms_facts(entry, self.label), owner)
            else:
                self.add(name, fields[name].kind, entry, shown[name], owner)

    def add_deal(self, found: Iterable[DealFact], owner: str) -> None:
        for name, kind, value, text, is_proven in found:
            self.add(name, kind, value, value_to_json(kind, value), owner if is_proven else "", text)

    def label(self, text: str) -> str:
        """An address with the proven business name, or the name of this wallet's key."""
        address, known = from_text(text), []
        if self._reader is not None:
            if name := name_of(self._reader, address):
                self.names[address] = name
            known.append(name or "no member")
        if address in self._own:
            known.append(f"your key {self._own[address]}")
        return f"{text} ({', '.join(known)})" if known else text


def _labelled(kind: Kind, value: Any, label: Callable[[str], str]) -> Any:
    """A JSON value with every address in it labelled."""
    match kind:
        case kinds.Address():
            return label(value)
        case kinds.ListOf(item=item):
            return [_labelled(item, entry, label) for entry in value]
        case kinds.OptionOf(item=item):
            return None if value is None else _labelled(item, value, label)
        case kinds.StructOf(struct=struct):
            return _labelled_fields(struct, value, label)
        case kinds.UnionOf(structs=structs):
            return _labelled_fields(next(s for s in structs if tag_of(s) == value["type"]), value, label)
        case kinds.Boolean() | kinds.Integer() | kinds.Time() | kinds.Text() | kinds.Code() | kinds.CodeOf():
            return value
        case kinds.Choice() | kinds.Bytes() | kinds.MoneyAmount() | kinds.Plain():
            return value
        case _:
            assert_never(kind)


def _labelled_fields(struct: type[Any], value: dict[str, Any], label: Callable[[str], str]) -> dict[str, Any]:
    known = {field.json_name: field.kind for field in fields_of(struct)}
    return {name: _labelled(known[name], entry, label) if name in known else entry for name, entry in value.items()}


def meaning(payload: Payload, reader: Reader | None, as_of: AsOf | None, own: Mapping[bytes, str]) -> Meaning:
    """What a transaction means over the state that `reader` gives; without one, from its body alone. `own`: addresses
    of this wallet's keys to their names. Raises `InvalidProof` where the state has no value that an essential fact is
    read from."""
    body, fields = payload.body, fields_of(type(payload.body))
    written = to_json(body)
    given: list[str] = []
    for field in fields:
        if isinstance(getattr(body, field.name), Terms):
            given += TERMS_FACTS
        elif written[field.json_name] not in (None, "", [], {}):
            given.append(field.json_name)
    whole = Essence(("sender", *given), "")
    essence = ESSENCES.get(type(body), whole) if reader is not None else whole
    found = _Facts(("type", *essence.essential), reader, own)
    found.add("type", kinds.Text(), type_of(body), type_of(body))
    found.add("sender", kind_of(Address), payload.sender, to_text(payload.sender))
    found.add_fields(body, tuple(field.json_name for field in fields), "")
    found.add("valid_until", kinds.TIME, payload.expires_at_ms, time_to_text(payload.expires_at_ms))
    if reader is not None and as_of is not None:
        for field in fields:
            reference = reference_of(body, field.json_name)
            _add_referenced(found, reference, getattr(body, field.name), essence, reader, as_of)
        found.add_deal(deal_facts(body, payload.sender, reader, as_of), "deal")
    assert set(essence.essential) <= set(found.facts), "a type's essential facts are fields of it, or of what it names"
    texts = {name: fact.text for name, fact in found.facts.items()}
    said = [sentence for name, sentence in essence.further if texts[name] != "-"]
    return Meaning(found.facts, " ".join([essence.change, *said]).format_map(texts), found.names)


def _add_referenced(
    found: _Facts, reference: Reference | None, ident: Any, essence: Essence, reader: Reader, as_of: AsOf
) -> None:
    """The facts of the state value that a field names, and of those that this one leads to."""
    if reference is None or not ident:
        return
    family, shown, leads_to = reference
    value, text = reader.get(family, ident), ident.hex() if isinstance(ident, bytes) else ident
    if value is None:
        if set(shown) & set(essence.essential) - set(found.facts):
            raise InvalidProof(f"it is proven that there is no {family.name} {plain(text)}: compare the id")
        found.add(f"{family.name}", kinds.Text(), "", "none on the chain so far", family.name)
        return
    assert family.view is not None, "what is shown is served"
    view = family.view.of(text, value, reader, as_of)
    found.add_fields(view, shown, family.name)
    for further in leads_to:
        _add_referenced(found, REFERENCES[further], getattr(value, further), essence, reader, as_of)


def view_texts(view: Any, reader: Reader, own: Mapping[bytes, str]) -> dict[str, str]:
    """All fields of a view as text, addresses with names."""
    found = _Facts((), reader, own)
    found.add_fields(view, tuple(field.json_name for field in fields_of(type(view))), "view")
    return {fact.name: fact.text for fact in found.facts.values()}


# --- expectations --------------------------------------------------------------------------------------
def check_expected(found: Meaning, expected: Mapping[str, list[str]], names: Names) -> None:
    """Compare the values that the caller expects, in the form in which options take them. An address may also be the
    proven name of a member. Raises `Malformed` for an unknown name, `NotExpected` for another value."""
    for name, texts in expected.items():
        fact = found.facts.get(name.replace("-", "_"))
        if fact is None:
            raise Malformed(f"--expect {name}: this transaction shows {', '.join(found.facts)}")
        if not _is_expected(found, fact, texts, names):
            raise NotExpected(f"{name} is {fact.text}, not {', '.join(texts)} as expected: nothing was signed")


def _is_expected(found: Meaning, fact: Fact, texts: list[str], names: Names) -> bool:
    path, is_list = f"--expect {fact.name}", isinstance(fact.kind, kinds.ListOf)
    if texts == [""] and isinstance(fact.kind, kinds.OptionOf):
        return fact.value is None
    if len(texts) > 1 and not is_list:
        return False  # two values are expected, and it has one
    given: Any = texts if is_list and not texts[0].lstrip().startswith("[") else texts[0]
    try:
        return bool(value_from_json(fact.kind, strict(fact.kind, given, path, names), path) == fact.value)
    except Malformed:
        if isinstance(fact.kind, kinds.Address) and fact.value in found.names:
            return bool(found.names[fact.value] == given)
        raise
