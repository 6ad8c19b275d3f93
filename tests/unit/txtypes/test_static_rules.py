"""What needs no state: the static rule of every type, closed fields, card numbers in codes."""

from __future__ import annotations

import msgspec
import pytest
from msgspec.structs import replace
from support.chain import DAY_MS, HOUR_MS
from support.life import PRICE, VIN, accident, km, listing, maintenance, offer, register, transfer
from support.specimens import specimen
from support.stages import at

from node import limits
from node.codec import encode
from node.crypto.dev_keys import dev_key
from node.errors import Malformed
from node.ledger.body import UnknownBody, open_codes, type_of
from node.ledger.fields import Attachment, Money, Where
from node.txtypes.chain.actions import MemberAdmit, ParameterSet, RoleGrant
from node.txtypes.chain.governance import GovernancePropose
from node.txtypes.envelope import Payload, decode_payload
from node.txtypes.identity.account import AccountOpen, AccountUpdateKeys
from node.txtypes.members.accepted_rail import AcceptedRail
from node.txtypes.members.member import MemberUpdate, Site
from node.txtypes.registry import TYPES
from node.txtypes.sale.deal import Fee, Tax
from node.txtypes.sale.payments import Reference
from node.txtypes.service.damage import Damage
from node.txtypes.service.records import Part
from wallet.txfile import build_payload

CHAIN = at("").chain
KEYS = tuple(dev_key("account", f"k{i}").public for i in range(9))
CARD = "4111111111111111"
LEG = specimen("order.offer").terms.legs[0]


def software(chain, **changes):
    body = specimen("software.update", chain)
    return replace(body, updates=(replace(body.updates[0], **changes),))


def refused(body) -> bool:
    raw = encode(Payload(bytes(20), 1, 1, body))
    try:
        decode_payload(raw)
    except Malformed:
        return True
    assert raw == build_payload(bytes(20), body, salt=1, expires_at_ms=1)
    return False


def event(**changes):
    return specimen("delivery.event", CHAIN, stage="arrived", **changes)


def about(tag: str, **changes):
    return specimen(tag, CHAIN, **changes)


def agreed(**changes):
    """An offer on changed terms."""
    return offer(CHAIN, bytes(32), terms=replace(specimen("order.offer").terms, **changes))


def site(**changes) -> Site:
    fields = dict(
        code="MUC-1", country="DE", latitude_e6=0, longitude_e6=0, services=(), opening_hours="", phone="", mail=""
    )
    return Site(**fields | changes)


def update(*sites: Site, node_key: bytes = b"", node_address: str = "") -> MemberUpdate:
    return MemberUpdate(sites, node_key, node_address)


@pytest.mark.parametrize("kind", [AccountOpen, AccountUpdateKeys])
@pytest.mark.parametrize(
    ("keys", "threshold", "sealing_hash", "is_refused"),
    [
        (KEYS[:1], 1, b"", False),
        (KEYS[:8], 8, bytes(32), False),
        (KEYS[:9], 1, b"", True),
        ((), 1, b"", True),
        (KEYS[:1], 0, b"", True),
        (KEYS[:2], 2, b"", False),
        (KEYS[:2], 3, b"", True),
        ((KEYS[0], KEYS[1], KEYS[0]), 2, b"", True),
        (KEYS[:1], 1, bytes(31), True),
        (KEYS[:1], 1, bytes(33), True),
        (KEYS[:1], 1, b"\x00", True),
        ((bytes(31),), 1, b"", True),
    ],
)
def test_account_policies(kind, keys, threshold: int, sealing_hash: bytes, is_refused: bool) -> None:
    assert is_refused == refused(kind(keys, threshold, sealing_hash))


GOOD = [
    register(),
    register(produced_on="1970-01-01"),
    register(produced_on="2024-02-29"),
    register(configuration=("A",) * limits.LIST_MAX),
    register(engine_serial=""),
    register(engine_serial=CARD),
    transfer(CHAIN),
    maintenance(CHAIN),
    maintenance(CHAIN, services=("ENGINE_OIL",) * limits.LIST_MAX),
    maintenance(CHAIN, parts=(Part("83212365950", 1, True, CARD),)),
    maintenance(CHAIN, odometer=km(limits.ODOMETER_MAX)),
    maintenance(CHAIN, attachments=(Attachment(bytes(32), 1, "image/jpeg"),)),
    accident(CHAIN, damages=(Damage("front", "cosmetic"), Damage("rear", "structural"))),
    accident(CHAIN, case=bytes(32)),
    listing(CHAIN, price=Money(limits.MONEY_MAX, "EUR")),
    offer(CHAIN, bytes(32)),
    update(site(), site(code="MUC-2"), node_key=bytes(32), node_address="node.example.com:26656"),
    update(site(opening_hours="Mo-Fr 08:00-12:00,13:00-18:00; Sa 09:00-12:00; PH off")),
    update(site(opening_hours="Mo,We,Fr 08:00-18:00;Su,PH off")),
    event(),
    GovernancePropose(MemberAdmit(bytes(20), "a-name", "DE")),
]
BAD = {
    "VIN with an I": register("WBA8E9G50GNI12345"),
    "VIN in lower case": register(VIN.lower()),
    "VIN of 16": register(VIN[:16]),
    "VIN with a line end": register(VIN + "\n"),
    "no such day": register(produced_on="2025-02-30"),
    "no such leap day": register(produced_on="2025-02-29"),
    "year 0": register(produced_on="0000-01-01"),
    "before what a time can say": register(produced_on="1969-12-31"),
    "a week date": register(produced_on="2025-W01-1"),
    "65 configuration codes": register(configuration=("A",) * 65),
    "a long code": register("WBA8E9G50GNU12345", model="A" * 41),
    "an empty code": register(model=""),
    "a lower-case code": register(model="330i"),
    "a code with a space": register(model="330 I"),
    "a code with a line end": register(model="330I\n"),
    "no unit": register(odometer_unit="m"),
    "no scheme": register(vin_scheme="XX"),
    "a card number as a model": register(model=CARD),
    "a card number in a configuration": register(configuration=("A", "X" + CARD + "X")),
    "a card number as a part": maintenance(CHAIN, parts=(Part(CARD, 1, True, None),)),
    "a card number as a site": event(site=CARD),
    "a card number as a site's code": update(site(code=CARD)),
    "a card number as a site's service": update(site(services=("A", CARD))),
    "a card number in an option": listing(CHAIN, configuration=(CARD,)),
    "a card number in groups as a model": register(model="4111-1111-1111-1111"),
    "a card number as a member's name": GovernancePropose(MemberAdmit(bytes(20), CARD, "DE")),
    "a card number as a group": GovernancePropose(MemberAdmit(bytes(20), "a", "DE", CARD)),
    "a card number as a host": update(node_address=f"{CARD}.example.com:26656"),
    "a card number as a campaign": specimen("recall.open", campaign=CARD),
    "a card number as a version": software(CHAIN, after=CARD),
    "a card number as an approval's tail": specimen("software.update", CHAIN, rxswins=(f"R157SWIN{CARD}",)),
    "a card number as a VIN": specimen("vehicle.sighting", CHAIN, vin=CARD + "X"),
    "an IBAN as a model": register(model="DE89370400440532013000"),
    "an IBAN in groups as a part": maintenance(CHAIN, parts=(Part("DE89-3704-0044-0532-0130-00", 1, True, None),)),
    "a telephone number as a part": maintenance(CHAIN, parts=(Part("HANS.MUELLER.0171-2345678", 1, True, None),)),
    "a telephone number as a site": event(site="00491712345678"),
    "opening hours that are a sentence": update(site(opening_hours="Hans Mueller 0171 2345678")),
    "opening hours that are a number": update(site(opening_hours=CARD)),
    "no services": maintenance(CHAIN, services=()),
    "no quantity": maintenance(CHAIN, parts=(Part("A", 0, True, None),)),
    "a thousand parts": maintenance(CHAIN, parts=(Part("A", 1000, True, None),)),
    "an odometer of eight digits": maintenance(CHAIN, odometer=km(limits.ODOMETER_MAX + 1)),
    "a negative odometer": maintenance(CHAIN, odometer=km(-1)),
    "17 attachments": maintenance(CHAIN, attachments=(Attachment(bytes(32), 1, "image/png"),) * 17),
    "an attachment of nothing": maintenance(CHAIN, attachments=(Attachment(bytes(32), 0, "image/png"),)),
    "an attachment of no type": maintenance(CHAIN, attachments=(Attachment(bytes(32), 1, "png"),)),
    "no damage": accident(CHAIN, damages=()),
    "one zone twice": accident(CHAIN, damages=(Damage("front", "cosmetic"), Damage("front", "structural"))),
    "21 airbags": accident(CHAIN, airbags=21),
    "a negative price": listing(CHAIN, price=Money(-1, "EUR")),
    "above ten billion": listing(CHAIN, price=Money(limits.MONEY_MAX + 1, "EUR")),
    "a currency of two letters": listing(CHAIN, price=Money(1, "EU")),
    "a country of three letters": listing(CHAIN, country="DEU"),
    "no rails": listing(CHAIN, rails=()),
    "version 0": offer(CHAIN, bytes(32), listing_version=0),
    "an id of 31 bytes": offer(CHAIN, bytes(32), listing=bytes(31)),
    "a time before 1970": transfer(CHAIN, event_at_ms=-1),
    "a time after the year 9999": transfer(CHAIN, event_at_ms=limits.TIME_MAX_MS + 1),
    "a contract that is no code": agreed(contract="On premises"),
    "no parts": agreed(legs=()),
    "nine parts": agreed(legs=specimen("order.offer").terms.legs * 9),
    "a part of a kind that there is not": agreed(legs=(replace(LEG, kind="rent"),)),
    "a part in a custody that there is not": agreed(legs=(replace(LEG, custody="mattress"),)),
    "a part that is due after a year and more": agreed(legs=(replace(LEG, due_ms=367 * DAY_MS),)),
    "a part that is due before": agreed(legs=(replace(LEG, due_ms=-1),)),
    "nine fees": agreed(fees=(Fee("PLATES", 1),) * 9),
    "a fee below nothing": agreed(fees=(Fee("PLATES", -1),)),
    "a tax of more than 30 per cent": agreed(tax=Tax("standard", 301, 0)),
    "a reservation of less than an hour": agreed(reserve_ms=HOUR_MS - 1),
    "a text whose hash has 31 bytes": agreed(text=bytes(31)),
    "a rail that may pay more than all": listing(CHAIN, rails=(AcceptedRail("card", (bytes(20),), 1_001),)),
    "a hold of more than 180 days": listing(CHAIN, rails=(AcceptedRail("card", (bytes(20),), 1, 181 * DAY_MS),)),
    "17 providers": listing(CHAIN, rails=(AcceptedRail("card", (bytes(20),) * 17),)),
    "one rail twice": listing(CHAIN, rails=(AcceptedRail("card", (bytes(20),)),) * 2),
    "one contract twice": listing(CHAIN, contracts=("business", "business")),
    "no contract": listing(CHAIN, contracts=()),
    "a listing for nothing": listing(CHAIN, price=Money(0, "EUR")),
    "a payment of nothing": about("payment.initiate", amount=Money(0, "EUR")),
    "a part above 255": about("payment.initiate", leg=256),
    "a refund of nothing": about("payment.refund", amount=Money(0, "EUR")),
    "an entry of 31 bytes": about("payment.attest", reference=Reference(bytes(31), None)),
    "a UETR of 15 bytes": about("payment.attest", reference=Reference(None, bytes(15))),
    "an attestation that there is not": about("payment.attest", kind="perhaps"),
    "a card check that there is not": about("payment.attest", card_check="smile"),
    "a declared UETR of 17 bytes": about("payment.declare", uetr=bytes(17)),
    "round 11": about("order.counter", round=11),
    "a bank paid off twice": about("order.handover", paid_off=(bytes(20),) * 2),
    "five banks paid off": about("order.handover", paid_off=tuple(bytes([n]) * 20 for n in range(5))),
    "a negative amount to keep": about("order.cancel", kept=-1),
    "no rights": about("mandate.grant", rights=()),
    "one right twice": about("mandate.grant", rights=("list", "list")),
    "a fifth attachment of a delivery": event(evidence=(Attachment(bytes(32), 1, "image/png"),) * 5),
    "a refusal for no reason": about("delivery.refuse", reason="whim"),
    "a node key of 31 bytes": update(node_key=bytes(31)),
    "a node key of one byte": update(node_key=bytes(1)),
    "a node without port": update(node_address="node.example.com"),
    "one site twice": update(site(), site(latitude_e6=1)),
    "a latitude beyond the pole": update(site(latitude_e6=90_000_001)),
    "a longitude beyond the line": update(site(longitude_e6=-180_000_001)),
    "a phone without prefix": update(site(phone="089123456")),
    "a mail without at": update(site(mail="service.example.com")),
    "65 sites": update(*(site(code=f"S{i}") for i in range(65))),
    "a name in upper case": GovernancePropose(MemberAdmit(bytes(20), "Name", "DE")),
    "a WMI of four": GovernancePropose(RoleGrant(bytes(20), "dealer", ("WBAX",), "", (), 0, 0)),
    "a negative parameter": GovernancePropose(ParameterSet("block_txs_max", -1)),
}


@pytest.mark.parametrize("number", range(len(GOOD)))
def test_what_is_well_formed(number: int) -> None:
    assert not refused(GOOD[number])


@pytest.mark.parametrize("name", BAD)
def test_what_is_malformed(name: str) -> None:
    assert refused(BAD[name])


def test_the_most_of_everything_is_still_a_price() -> None:
    assert not refused(listing(CHAIN, price=PRICE))
    assert not refused(update(site(latitude_e6=90_000_000, longitude_e6=-180_000_000)))
    assert not refused(accident(CHAIN, airbags=20))
    assert not refused(offer(CHAIN, bytes(32), listing_version=10_000))
    assert not refused(agreed(legs=(LEG,) * 8, fees=(Fee("PLATES", 0),) * 8, reserve_ms=HOUR_MS))
    assert not refused(about("payment.initiate", leg=255))
    assert not refused(about("payment.attest", reference=Reference(bytes(32), bytes(16))))


def test_codes_are_found_wherever_they_are_and_serials_never() -> None:
    body = maintenance(CHAIN, services=("A", "B"), parts=(Part("C", 1, True, "SERIAL"), Part("D", 1, True, None)))
    assert ["C", "D", "BER-1", "330I"] == list(open_codes(replace(body, where=Where("BER-1", "obd", "330I"))))
    assert ["MUC-1", "X", "MUC-2", ""] == list(open_codes(update(site(services=("X",)), site(code="MUC-2"))))
    assert ["a", ""] == list(open_codes(GovernancePropose(MemberAdmit(bytes(20), "a", "DE"))))


def test_every_type_is_listed_under_its_own_tag() -> None:
    for tag, kind in TYPES.items():
        assert tag == kind.__struct_config__.tag
        assert kind.__struct_config__.array_like
        assert kind.__struct_config__.forbid_unknown_fields
        light = 60 if tag == "payment.declare" else 80 if tag.startswith("case.") else 100
        assert kind.weight >= light, "a word about a payment and a letter write little"
    assert "vehicle.register" == type_of(register())


def unknown(*body: object) -> bytes:
    return msgspec.msgpack.encode([bytes(20), 1, 1, list(body)])


@pytest.mark.parametrize("tag", ["vehicle.teleport", "a.b", "_._", "x" * 40 + "." + "y" * 40])
@pytest.mark.parametrize("fields", [(), (VIN,), (b"x" * 100, [1, None], {"a": 1})])
def test_a_type_without_a_class_is_decoded_as_unknown(tag: str, fields: tuple) -> None:
    """Whether it is active only the ruleset decides: software must not call what is newer than itself malformed."""
    payload = decode_payload(unknown(tag, *fields))
    assert (UnknownBody(tag), tag) == (payload.body, type_of(payload.body))
    assert (bytes(20), 1, 1) == (payload.sender, payload.salt, payload.expires_at_ms)


@pytest.mark.parametrize(
    "tag",
    ["vehicle", "", ".", "a.", ".b", "a.b.c", "Vehicle.teleport", "a1.b", "a.b\n", "x" * 41 + ".b", "b." + "x" * 41,
     7, None, b"a.b"],
)  # fmt: skip
def test_a_tag_that_no_type_can_have_is_malformed(tag: object) -> None:
    with pytest.raises(Malformed):
        decode_payload(unknown(tag, VIN))


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (register(produced_on="2025-02-30"), "body.produced_on: 2025-02-30 is no calendar day"),
        (AccountOpen(KEYS[:2], 3, b""), "body.threshold: 3 is more than the number of keys, 2"),
        (maintenance(CHAIN, parts=(Part("A", 1, True, None), Part("B" * 41, 1, True, None))), "body.parts[1].number: "),
        (maintenance(CHAIN, parts=(Part("A", 1, True, None), Part(CARD, 1, True, None))), "body.parts[1].number: 4111"),
        (event(site=CARD), "body.site: 4111... looks like a payment card number"),
        (update(site(), site(code="B", services=("A", CARD))), "body.sites[1].services[1]: 4111"),
        (listing(CHAIN, price=Money(-1, "EUR")), "body.price.amount: "),
        (GovernancePropose(ParameterSet("block_txs_max", -1)), "body.action.value: "),
        (event(odometer=km(-1)), "body.odometer.value: "),
    ],
)
def test_a_refusal_names_the_field_as_json_does(body, told: str) -> None:
    with pytest.raises(Malformed) as refusal:
        decode_payload(encode(Payload(bytes(20), 1, 1, body)))
    assert str(refusal.value).startswith(told)


def test_an_unknown_type_has_a_canonical_payload() -> None:
    raw = unknown("vehicle.teleport", VIN)
    for bent in (raw + b"\x00", raw[:-1], raw.replace(b"\x01\x01", b"\xcc\x01\x01", 1), b"\xdc\x00\x04" + raw[1:]):
        with pytest.raises(Malformed):
            decode_payload(bent)
    with pytest.raises(Malformed):
        decode_payload(msgspec.msgpack.encode([bytes(19), 1, 1, ["vehicle.teleport"]]))
    with pytest.raises(Malformed):
        decode_payload(msgspec.msgpack.encode([bytes(20), 1, 1, []]))
    with pytest.raises(Malformed, match=r"^body: "):
        decode_payload(unknown("odometer.read", VIN))
