"""What a load writes: VINs that nobody has, transactions that are valid on a chain, each car within its daily limit."""

from __future__ import annotations

import re
from collections import Counter
from itertools import islice

from support.chain import Chain, address

from node.crypto.dev_keys import dev_key
from node.ledger.guards import GuardsUnmet
from node.load.mix import Kind, parse_mix
from node.load.preparing import by_kind
from node.load.writers import MODEL, RECORDS_PER_CAR, UNASSIGNED_WMI, Author, Writer, weights, writer_of
from node.rules.personal_data import has_card_in_vin
from node.rules.vin import has_serial_number, is_vin
from node.txtypes.envelope import decode_signed_tx
from node.txtypes.identity.quota import QUOTA
from node.txtypes.vehicle.vehicle import VEHICLE

KINDS: dict[str, frozenset[Kind]] = {
    "bmw": frozenset({"births", "odometer"}), "workshop-berlin": frozenset({"maintenance", "odometer"}),
}  # fmt: skip


def an_author(chain: Chain) -> Author:
    return Author(chain.genesis_hash, chain.now, chain.now + 600_000)


def writers() -> list[Writer]:
    return [Writer(dev_key("account", name), "WBA", "").able(able) for name, able in KINDS.items()]


def test_every_transaction_of_a_load_is_valid() -> None:
    chain = Chain()
    author, sequence = an_author(chain), list(parse_mix("mixed").sequence(80))
    needed = author.cars_needed(sequence)
    cars = list(author.births(writers()[:1], needed))
    chain.produce(*(signed.raw for _, signed in cars))
    able = by_kind(writers(), ("births", "maintenance", "odometer"))
    load = list(author.stream(iter(sequence), able, [vin for vin, _ in cars]))
    run, unmet = chain.run(), []
    for each in load:
        try:
            run.add(chain.check(each.raw))
        except GuardsUnmet as error:
            unmet.append((each.kind, error.unmet))
    assert (unmet, len(load)) == ([], 80)
    assert [each.kind for each in load] == sequence
    assert {each.sender for each in load} == {address("bmw"), address("workshop-berlin")}
    assert len({each.txid for each in load}) == 80


def test_a_car_gets_no_more_records_than_one_author_may_write_on_a_day() -> None:
    author = an_author(Chain())
    kinds: list[Kind] = ["odometer"] * 20
    assert author.cars_needed(kinds) == 3
    cars = [vin for vin, _ in author.births(writers()[:1], 3)]
    load = author.stream(iter(kinds), by_kind(writers(), ("odometer",)), cars)
    bodies = [decode_signed_tx(each.raw, author.genesis_hash).payload.body for each in load]
    assert Counter(body.vin for body in bodies) == dict(zip(cars, (RECORDS_PER_CAR, RECORDS_PER_CAR, 4), strict=True))


def test_later_readings_are_higher_in_any_order_of_blocks() -> None:
    """The verdict of no car is that of a wound back odometer, in whatever order its records are committed."""
    chain = Chain()
    author, kinds = an_author(chain), list(parse_mix("maintenance=1,odometer=1").sequence(8))
    ((vin, birth),) = author.births(writers()[:1], 1)
    load = list(author.stream(iter(kinds), by_kind(writers(), ("maintenance", "odometer")), [vin]))
    chain.produce(birth.raw)
    for each in reversed(load):
        chain.produce(each.raw, pass_ms=10)
    found = chain.state(VEHICLE, vin)
    assert (found.model, found.record_count, found.alerts) == (MODEL, 9, ())
    assert found.verdict in ("LOGICAL", "NO_VERDICT")


def test_vins_are_vins_and_no_two_are_the_same() -> None:
    author = an_author(Chain())
    maker = writers()[0]
    found = [vin for vin, _ in islice(author.births([maker], 300), 300)] + [author.example_vin(maker)]
    assert len(set(found)) == 301
    assert all(is_vin(vin) and has_serial_number(vin, "EU") and not has_card_in_vin(vin) for vin in found)
    assert not any(re.search("[0-9]{8}", vin) for vin in found)
    assert an_author(Chain()).example_vin(maker) != author.example_vin(maker), "of another run"


def test_a_writer_writes_from_its_own_site_under_its_own_identifier() -> None:
    key = dev_key("account", "bmw")
    maker = {"role": "manufacturer", "status": "active", "wmis": ["WB9001", "WBS"]}
    assert writer_of(key, {"grants": [maker], "sites": [{"code": "MUC-1"}]}) == Writer(key, "WBS", "MUC-1")
    assert writer_of(key, {"grants": [maker | {"wmis": []}]}) == Writer(key, UNASSIGNED_WMI, "")
    for grants in ([], None, "none", [7], [maker | {"status": "revoked"}], [maker | {"wmis": ["WB9001"]}],
                   [maker | {"role": "dealer"}]):  # fmt: skip
        assert writer_of(key, {"grants": grants, "sites": None}).wmi == ""


def test_weights_are_what_the_chain_charges() -> None:
    chain = Chain()
    load = [signed for _, signed in an_author(chain).births(writers()[:1], 3)]
    chain.produce(*(each.raw for each in load))
    assert weights(load) == {address("bmw"): chain.state(QUOTA, address("bmw")).weight}
