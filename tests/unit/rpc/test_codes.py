"""`GET /v1/codes` and the published schema: complete, and about the ruleset in force."""

from __future__ import annotations

import json
import re

import msgspec
import pytest
from support.backend import SingleNode, serving
from support.chain import Chain
from support.http import get, over_http
from support.life import VIN, Life, accident, maintenance, register

from node.ledger.body import TransactionBody
from node.ledger.guards import GUARDS
from node.ledger.kinds import fields_of
from node.ledger.static_rules import rules_of
from node.rpc.codes import codes_document
from node.rpc.problems import PROBLEMS
from node.rpc.schema import schema_document
from node.rules.services import SERVICE_CODES
from node.rules.texts.tables import TEXTS
from node.txtypes.chain.actions import ValidatorSetPower
from node.txtypes.registry import TYPES
from node.txtypes.rulesets import RULESETS
from node.txtypes.vehicle.record import Content, stored_record

CODES = codes_document(RULESETS[1])
SCHEMA = schema_document(RULESETS[1])


def test_a_workshop_finds_its_service_codes_and_their_texts() -> None:
    assert set(SERVICE_CODES) == set(CODES["codes"]["services"])
    wanted = {"en": "front brake pads", "de": "Bremsbeläge vorn", "zh": "前制动摩擦片"}
    assert wanted == CODES["texts"]["services"]["BRAKE_PADS_FRONT"]


def test_every_code_of_a_table_with_texts_is_served_with_them() -> None:
    assert {name: set(texts) for name, texts in CODES["texts"].items()} == {
        name: set(codes) for name, codes in CODES["codes"].items() if name in TEXTS
    }
    assert {"brands", "inspection_items", "stop_flags", "zones"} <= set(CODES["texts"])


def test_a_table_with_an_order_keeps_it() -> None:
    assert ["minor", "moderate", "severe", "total_candidate"] == CODES["codes"]["damage_severities"]


def test_every_table_of_the_ruleset_is_there() -> None:
    assert set(RULESETS[1].tables._asdict()) == set(CODES["tables"])
    stolen = {"set_by": [["police"]], "cleared_by": [["police", "same_country"], ["police", "registrar"]]}
    assert stolen.items() <= json.loads(json.dumps(CODES["tables"]["stop_flags"]["stolen"])).items()


def test_every_table_that_a_field_names_has_codes() -> None:
    named = set(re.findall(r'"table": "(\w+)"', json.dumps(SCHEMA)))
    assert {"services", "zones", "countries", "currencies", "roles", "rails"} <= named
    assert not named - set(CODES["codes"])


def test_every_guard_has_its_texts_and_every_problem_its_status() -> None:
    assert set(GUARDS) == set(CODES["guards"])
    assert all(text for guard in CODES["guards"].values() for text in (guard["en"], guard["de"], guard["zh"]))
    assert CODES["guards"]["signature_missing"]["is_permission"] is True
    assert CODES["guards"]["vehicle_unknown"]["is_permission"] is False
    assert {code: status for code, (status, _) in PROBLEMS.items()} == {
        code: problem["status"] for code, problem in CODES["problems"].items()
    }


def test_every_outcome_of_a_life_is_explained() -> None:
    chain = Chain()
    chain.do("bmw", register())
    chain.do("workshop-berlin", maintenance(chain))
    chain.do("bmw", accident(chain))
    life = Life(Chain()).to("handed_over").chain
    outcomes = set()
    for lived in (chain, life):
        for _, raw in lived.store.records(VIN, 0, 100):
            outcomes |= set(_content(raw).outcome)
    assert {"severity", "verdict", "self_reported"} == {outcome.partition(":")[0] for outcome in outcomes}
    assert not outcomes - set(CODES["outcomes"])


def _content(raw: bytes) -> Content:
    return msgspec.msgpack.decode(stored_record(raw).content, type=Content)


# --- the schema -----------------------------------------------------------------------------------------
@pytest.mark.parametrize("tag", TYPES)
def test_a_type_is_described_with_its_fields_in_order(tag: str) -> None:
    document = SCHEMA["types"][tag]
    assert [field.json_name for field in fields_of(TYPES[tag])] == [field["name"] for field in document["fields"]]
    assert all(field["kind"] in SCHEMA["kinds"] for field in document["fields"])
    assert len(rules_of(TYPES[tag])) == len(document["static_rules"])
    assert document["description"].endswith(".")
    assert document["example"]["body"]["type"] == tag


def test_the_weight_of_a_body_follows_from_what_is_described() -> None:
    types = SCHEMA["types"]
    assert (100, {"vins": 30}) == (types["recall.extend"]["weight"], types["recall.extend"]["weight_each"])
    assert (200, {"parts_kept": 2}) == (types["vehicle.scrap"]["weight"], types["vehicle.scrap"]["weight_each"])
    for tag, kind in TYPES.items():
        assert kind.weigh is TransactionBody.weigh, tag
        lists = {field["name"] for field in types[tag]["fields"] if field["kind"] == "list"}
        assert set(types[tag]["weight_each"]) <= lists


def test_every_struct_and_kind_that_is_named_is_described() -> None:
    text = json.dumps(SCHEMA)
    named = set(re.findall(r'"struct": "(\w+)"', text))
    assert {"Odometer", "Part", "Due", "Site", "AcceptedRail", "TxSignature"} <= named
    assert not named - set(SCHEMA["structs"])
    assert {"kind": "union"}.items() <= SCHEMA["types"]["governance.propose"]["fields"][0].items()
    assert set(SCHEMA["types"]["governance.propose"]["fields"][0]["structs"]) <= set(SCHEMA["structs"])
    declared = {tag: {**document, "example": None} for tag, document in SCHEMA["types"].items()}
    kinds = set(re.findall(r'"kind": "(\w+)"', json.dumps([declared, SCHEMA["structs"]])))
    assert "union" in kinds and not kinds - set(SCHEMA["kinds"])


def test_a_static_rule_is_data_and_a_sentence() -> None:
    rules = SCHEMA["structs"]["validator.set_power"]["static_rules"]
    assert len(rules_of(ValidatorSetPower)) == len(rules) == 1
    assert {"rule": "lengths", "allowed": ((32, 64), (0, 0))}.items() <= rules[0].items()
    assert "consensus_key and possession: 32 bytes and 64 bytes, or empty and empty" == rules[0]["text"]
    assert "keys: no entry occurs twice" == SCHEMA["types"]["account.open"]["static_rules"][0]["text"]


@over_http
async def test_a_node_serves_both_for_the_ruleset_in_force() -> None:
    async with serving(SingleNode()) as (_, _, http):
        assert json.loads(json.dumps(CODES)) == await get(http, "/v1/codes")
        assert json.loads(json.dumps(SCHEMA)) == await get(http, "/v1/schema")
        assert RULESETS[1].hash.hex() == CODES["ruleset_hash"] == SCHEMA["ruleset_hash"]
