"""State families: ids that can exist, index entries, and values of older versions."""

from __future__ import annotations

from typing import Annotated

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta
from msgspec.structs import replace
from support.chain import address
from support.generated import of_struct

from node.codec import Value, encode
from node.crypto.addresses import to_text
from node.errors import Corrupted, Malformed
from node.ledger.family import (
    ADDRESS_IDENT,
    HASH_IDENT,
    NAME_IDENT,
    VIN_IDENT,
    Family,
    Ident,
    Index,
    Older,
    fixed_ident,
    index_changes,
    index_prefix,
)
from node.txtypes.registry import FAMILIES, family_of


class BoxV1(Value, tag=1, frozen=True):
    """A box had one colour."""

    owner: str
    colour: str


class Box(Value, tag=2, frozen=True):
    """A box has colours, and a weight that only version 2 knows."""

    owner: str
    colours: tuple[str, ...]
    grams: Annotated[int, Meta(ge=0)] = 0


BOX = Family(
    "box",
    Box,
    ident=HASH_IDENT,
    version=2,
    since=2,
    older=(
        Older(1, 1, BoxV1, lambda old: Box(old.owner, (old.colour,)), lambda new: BoxV1(new.owner, new.colours[0])),
    ),
    indexes=(
        Index("owner", lambda box: (box.owner,), NAME_IDENT),
        Index("colour", lambda box: box.colours, NAME_IDENT),
    ),
)
OLD, NEW = BoxV1("bmw", "red"), Box("bmw", ("red",))


# --- versions -------------------------------------------------------------------------------------------
def test_reading_upgrades_and_changes_no_byte() -> None:
    raw = encode(OLD)
    assert NEW == BOX.decode(raw)
    assert raw == encode(OLD) == BOX.encode(BOX.decode(raw), 1)


def test_the_version_is_the_one_that_the_ruleset_names() -> None:
    assert [0, 1, 2, 2] == [BOX.version_at(number) for number in (0, 1, 2, 9)]
    assert encode(OLD) == BOX.encode(NEW, BOX.version_at(1))
    assert encode(NEW) == BOX.encode(NEW, BOX.version_at(2))


@given(st.builds(BoxV1, st.text(), st.text()))
def test_a_downgrade_is_total_for_what_the_older_ruleset_can_produce(old: BoxV1) -> None:
    raw = encode(old)
    assert raw == BOX.encode(BOX.decode(raw), 1)
    assert BOX.decode(raw) == BOX.decode(BOX.encode(BOX.decode(raw), 2))


@pytest.mark.parametrize(
    "raw", [b"", b"\xc1", b"\x90", b"\x93\x03\xa1a\xa1b", encode(NEW) + b"\x00", encode([2, "bmw"]), encode([1, 2, 3])]
)
def test_what_is_no_version_of_a_value_is_damage(raw: bytes) -> None:
    with pytest.raises(Corrupted, match="family box"):
        BOX.decode(raw)


def test_a_family_that_a_ruleset_does_not_have_has_no_version() -> None:
    later = Family("later", Box, ident=HASH_IDENT, version=2, since=3)
    assert [0, 0, 2] == [later.version_at(number) for number in (1, 2, 3)]


# --- keys and ids ---------------------------------------------------------------------------------------
def test_a_key_is_ascii_and_ids_of_bytes_are_hex() -> None:
    ident = bytes(range(32))
    assert b"box/" + ident.hex().encode() == BOX.key(ident) == BOX.key(ident.hex())
    assert "box/" + ident.hex() == BOX.subject(ident)


@pytest.mark.parametrize(
    ("ident", "text", "canonical"),
    [
        (ADDRESS_IDENT, address("bmw").hex(), address("bmw").hex()),
        (ADDRESS_IDENT, to_text(address("bmw")), address("bmw").hex()),
        (HASH_IDENT, "ab" * 32, "ab" * 32),
        (VIN_IDENT, "WBA8E9G50GNU12345", "WBA8E9G50GNU12345"),
        (NAME_IDENT, "dealer-munich", "dealer-munich"),
        (fixed_ident("set"), "set", "set"),
    ],
)
def test_an_id_that_can_exist(ident: Ident, text: str, canonical: str) -> None:
    assert canonical == ident.canonical(text)


@pytest.mark.parametrize(
    ("ident", "text"),
    [
        (ADDRESS_IDENT, ""),
        (ADDRESS_IDENT, "AB" * 20),
        (ADDRESS_IDENT, "ab" * 19),
        (ADDRESS_IDENT, "bmw1qqqq"),
        (ADDRESS_IDENT, to_text(address("bmw"))[:-1]),
        (HASH_IDENT, "ab" * 32 + "\n"),
        (HASH_IDENT, "xy" * 32),
        (VIN_IDENT, "WBA8E9G50GNI12345"),
        (VIN_IDENT, "WBA8E9G50GNU12345\n"),
        (NAME_IDENT, "Dealer"),
        (NAME_IDENT, "-a"),
        (fixed_ident("set"), "sets"),
        (fixed_ident("a.b"), "axb"),
    ],
)
def test_an_id_that_cannot_exist(ident: Ident, text: str) -> None:
    with pytest.raises(Malformed):
        ident.canonical(text)


def test_a_choice_that_is_nearly_right_is_suggested() -> None:
    choices = Ident("a role", "[a-z]+", ("dealer", "workshop"))
    with pytest.raises(Malformed, match="did you mean dealer"):
        choices.canonical("deeler")
    with pytest.raises(Malformed, match="known are dealer, workshop"):
        choices.canonical("xxx")


@pytest.mark.parametrize("name", FAMILIES)
def test_every_key_leads_to_its_family(name: str) -> None:
    assert FAMILIES[name] is family_of(FAMILIES[name].key("x/y"))


@pytest.mark.parametrize("key", [b"", b"box/1", b"/", b"vehicle", b"\xff/1"])
def test_a_key_of_no_family(key: bytes) -> None:
    assert (family_of(key) is None) == (key != b"vehicle")


# --- index entries --------------------------------------------------------------------------------------
def entries(*values: str) -> list[bytes]:
    return [f"Xbox/{value}/id".encode() for value in values]


@pytest.mark.parametrize(
    ("old", "new", "puts", "deletes"),
    [
        (None, Box("a", ("r", "g")), entries("colour/g", "colour/r", "owner/a"), []),
        (Box("a", ("r", "g")), None, [], entries("colour/g", "colour/r", "owner/a")),
        (Box("a", ("r", "g")), Box("b", ("g", "w")), entries("colour/w", "owner/b"), entries("colour/r", "owner/a")),
        (Box("a", ("r",)), Box("a", ("r",), 5), [], []),
        (Box("a", ("r",)), Box("a", ("r", "r")), [], []),
        (None, None, [], []),
    ],
)
def test_entries_follow_from_the_value_alone(
    old: Box | None, new: Box | None, puts: list[bytes], deletes: list[bytes]
) -> None:
    assert (puts, deletes) == index_changes(BOX, b"box/id", old, new)


@pytest.mark.parametrize("name", [name for name, family in FAMILIES.items() if family.indexed])
@given(data=st.data())
def test_entries_follow_from_the_fields_that_a_family_names(name: str, data: st.DataObject) -> None:
    family = FAMILIES[name]
    one, other = data.draw(of_struct(family.kind)), data.draw(of_struct(family.kind))
    named = replace(other, **{field: getattr(one, field) for field in family.indexed})

    assert family.index_keys("id", one) == family.index_keys("id", named)
    assert ([], []) == index_changes(family, family.key("id"), one, named)


def test_a_family_without_indexes_has_no_entries() -> None:
    plain = Family("plain", Box, ident=HASH_IDENT)
    assert ([], []) == index_changes(plain, b"plain/id", None, NEW)


def test_prefixes() -> None:
    assert (b"Xbox/owner/", b"Xbox/owner/bmw/") == (index_prefix(BOX, "owner"), index_prefix(BOX, "owner", "bmw"))


def test_an_upgrade_keeps_the_index() -> None:
    """Entries are of the newest version's value, so that new software reads old values under the same entries."""
    assert BOX.index_keys("id", BOX.decode(encode(OLD))) == BOX.index_keys("id", NEW)


def test_only_our_own_encoding_is_stored_so_reading_is_plain() -> None:
    assert msgspec.msgpack.decode(encode(NEW)) == [2, "bmw", ["red"], 0]
