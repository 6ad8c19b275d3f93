"""A forecast says before a transaction is sent what it would change; it is computed from declarations, of any type."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

from support.chain import DAY_MS, Chain, address
from support.life import VIN, accident, attest, handover, km, listing, offer, read, register
from support.stages import at
from support.vectors import story
from support.views import view_of
from support.walk import Walk, state_of

from node.crypto.addresses import to_text
from node.errors import Malformed
from node.ledger.guards import Unmet
from node.ledger.json_form import to_json
from node.txtypes.envelope import CheckedTx, SignedTx
from node.txtypes.forecast import Forecast, forecast_of
from node.txtypes.identity.account import ACCOUNT
from node.txtypes.identity.quota import QUOTA
from node.txtypes.registry import FAMILIES, TYPES
from node.txtypes.service.records import OdometerRead

VEHICLE_KEY = f"vehicle/{VIN}"


def forecast(life, sender: str, body, *cosigners: str, signed: bool = True) -> Forecast:
    tx = life.chain.check(life.chain.sign(sender, body, *cosigners))
    if not signed:
        tx = CheckedTx(SignedTx(b"", tx.payload_bytes, tx.payload, (), tx.txid, b""))
    return forecast_of(life.chain.run().foresee(tx))


def changed(found: Forecast, key: str) -> dict[str, tuple[Any, Any]]:
    """Field to (before, after) of one state value."""
    (entry,) = (change for change in found.changes if change.key == key)
    return {field.field: (field.before, field.after) for field in entry.fields}


def reading(life, value: int) -> OdometerRead:
    return read(VIN, km(value), life.chain.now, "reading")


def test_a_reading_below_an_earlier_one_is_valid_and_its_forecast_says_that_the_verdict_turns() -> None:
    life = at("wholesale")
    life.chain.now += 200 * DAY_MS
    life.chain.do("workshop-berlin", reading(life, 20_002))
    found = forecast(life, "workshop-berlin", reading(life, 12_500))
    assert () == found.unmet
    fields = changed(found, VEHICLE_KEY)
    assert ("LOGICAL", "CONTESTED") == fields["verdict"]
    assert fields["odometer.explanations"][1]
    assert not {name for name in fields if "history_head" in name or "record_count" in name}, "nobody reads hashes"
    assert [("odometer.read", ("verdict:CONTESTED",))] == [(record.kind, record.outcome) for record in found.records]
    ((caution, subject),) = found.cautions
    assert ("odometer_contradiction", VEHICLE_KEY) == (caution.code, subject)
    assert "disclosed" in caution.text("en") and "offengelegt" in caution.text("de")
    assert () == forecast(life, "workshop-berlin", reading(life, 20_500)).cautions
    life.chain.do("workshop-berlin", reading(life, 12_500))
    assert () == forecast(life, "workshop-berlin", reading(life, 12_600)).cautions, "it is illogical already"


def total(fields: dict[str, tuple[Any, Any]], name: str) -> int:
    """What is used and left together, the same before and after."""
    (before, after), (left_before, left_after) = fields[name], fields[f"{name}_left"]
    assert before + left_before == after + left_after
    return before + left_before


def test_quotas_are_shown_as_used_and_left_of_each_payer() -> None:
    life = at("offered")
    params = life.chain.store.head().params
    registered = register("WBA8E9G50GNU54321")
    fields = changed(forecast(life, "bmw", registered), f"quota/{address('bmw').hex()}")
    used = life.chain.state(QUOTA, address("bmw"))
    assert (used.weight, used.keys) == (fields["weight"][0], fields["keys"][0])
    assert fields["weight"][1] > used.weight and fields["keys"][1] > used.keys
    assert params.weight_per_sponsor_day == total(fields, "weight")
    assert params.keys_per_sponsor_day == total(fields, "keys")
    found = forecast(life, "buyer-1", offer(life.chain, life.listing))
    sponsor = life.chain.state(ACCOUNT, address("buyer-1")).sponsor
    own, sponsored = (changed(found, f"quota/{payer.hex()}") for payer in (address("buyer-1"), sponsor))
    assert params.weight_per_account_day == total(own, "weight")
    assert params.weight_per_sponsor_day == total(sponsored, "weight")
    life.chain.now += DAY_MS
    fields = changed(forecast(life, "bmw", registered), f"quota/{address('bmw').hex()}")
    assert (0, params.weight_per_sponsor_day) == (fields["weight"][0], fields["weight_left"][0]), "a new day"


def test_brands_and_computed_severity_are_shown() -> None:
    life = at("wholesale")
    found = forecast(life, "workshop-berlin", accident(life.chain, 200, extent="structural"))
    assert any(code.startswith("severity:") for record in found.records for code in record.outcome)
    before, after = changed(found, VEHICLE_KEY)["brands"]
    assert [] == before and after


def test_an_unsigned_transaction_shows_who_must_sign_and_what_follows_once_they_have() -> None:
    life = at("paid")
    unsigned = forecast(life, "dealer-munich", handover(life.chain, life.order), signed=False)
    assert {"signature_missing"} == {guard.code for guard in unsigned.unmet}
    assert [("dealer-munich", 0, 1), ("", 0, 1)] == [(s.name, s.have, s.need) for s in unsigned.signatures]
    assert [address(name) for name in ("dealer-munich", "buyer-1")] == [s.address for s in unsigned.signatures]
    assert to_text(address("buyer-1")) == changed(unsigned, VEHICLE_KEY)["holder"][1]
    assert ("title.moved",) == tuple(happening.name for happening in unsigned.happenings)


def test_a_transaction_that_is_not_valid_shows_no_changes() -> None:
    life = at("wholesale")
    found = forecast(life, "buyer-1", listing(life.chain))
    assert "not_a_party" in {guard.code for guard in found.unmet}
    assert () == found.changes == found.records == found.happenings == found.cautions


def test_values_derived_from_a_changed_one_are_shown_with_their_own_value() -> None:
    """Whether the order is paid, and what a payment is called, is stored nowhere."""
    life = at("paying")
    found = forecast(life, "payment-provider-1", attest(life.chain, life.payment))
    assert (False, True) == changed(found, f"order/{life.order.hex()}")["is_paid"]
    assert ("initiated", "final") == changed(found, f"payment/{life.payment.hex()}")["status"]


def test_nothing_of_a_forecast_stays() -> None:
    life = at("wholesale")
    run = life.chain.run()
    tx = life.chain.check(life.chain.sign("workshop-berlin", reading(life, 200)))
    assert forecast_of(run.foresee(tx)) == forecast_of(run.foresee(tx))
    assert run.finish().changes == life.chain.run().finish().changes


def test_what_is_foreseen_happens_in_a_random_life() -> None:
    """Every field of every forecast of a random life is what the views say before and after the block."""
    walk, types, seen = Walk(1), set(), 0
    chain = walk.chain
    for _ in range(50):
        with suppress(Malformed):
            tx = walk._made(*walk._step())
            found = forecast_of(chain.run().foresee(tx))
            if found.unmet:
                continue
            shown = {change.key: [view(chain, change.key)] for change in found.changes if FAMILIES[change.family].view}
            chain.produce(tx.raw, pass_ms=60_000)
            walk.state = state_of(chain)
            for key, views in shown.items():
                views.append(view(chain, key))
                for field, values in changed(found, key).items():
                    assert values == tuple(at_path(view, field) for view in views), (key, field)
                    seen += 1
            types.add(type(tx.payload.body))
    assert len(types) > 4 and seen > 40


def test_every_type_has_a_forecast_signed_or_not_that_is_its_receipt_with_fields() -> None:
    """The story plays every type; each forecast is compared with what the block has done."""
    played, types = story().chain, set()
    chain = Chain(played.genesis)
    for height in range(1, played.store.height() + 1):
        block, receipts = played.store.block(height), played.store.receipts(height)
        chain.now = block.header.time_ms
        run = chain.run()
        for raw, receipt in zip(block.transactions, receipts.transactions, strict=True):
            tx = chain.check(raw)
            found = forecast_of(run.foresee(tx))
            bare = CheckedTx(SignedTx(b"", tx.payload_bytes, tx.payload, (), tx.txid, b""))
            unsigned = forecast_of(run.foresee(bare))
            assert () == found.unmet == found.signatures
            assert {"signature_missing"} == {guard.code for guard in unsigned.unmet} and unsigned.signatures
            assert unsigned[2:] == found[2:], "what follows once all have signed"
            assert receipt.happenings == found.happenings
            assert [f"{record.vin}/{record.sequence}" for record in receipt.records] == [r.id for r in found.records]
            new = {(change.key, change.how) for change in receipt.changes if change.how != "changed"}
            assert new == {(c.key, c.change) for c in found.changes if c.change != "changed" and c.family != "quota"}
            assert json.dumps([to_json(change) for change in found.changes])
            assert found.changes, type(tx.payload.body)
            run.add(tx)
            types.add(type(tx.payload.body))
        chain.produce(*block.transactions, evidence=block.evidence)
    assert types == set(TYPES.values())


def view(chain, key: str) -> dict[str, Any] | None:
    family, _, ident = key.partition("/")
    known = chain.state(FAMILIES[family], ident)
    return None if known is None else view_of(chain, FAMILIES[family], ident)


def at_path(shown: Any, path: str) -> Any:
    for name in path.split("."):
        shown = None if shown is None else shown[name]
    return shown


def test_the_guard_says_what_can_be_done() -> None:
    unmet = Unmet("verdict_illogical", VIN, "ILLOGICAL", "")
    for text in map(unmet.text, ("en", "de", "zh")):
        assert "odometer" in text and "order.acknowledge" in text


def test_a_created_value_shows_its_fields_and_what_is_empty_is_left_out() -> None:
    life = at("wholesale")
    found = forecast(life, "dealer-munich", listing(life.chain))
    (entry,) = (change for change in found.changes if change.family == "listing")
    assert "created" == entry.change
    fields = changed(found, entry.key)
    assert (None, "open") == fields["status"]
    assert all(before is None and after not in (None, "", []) for before, after in fields.values())
    assert ("off", "listed") == changed(found, VEHICLE_KEY)["market.status"]
