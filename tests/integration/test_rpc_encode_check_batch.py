"""What a program in any language needs: encode, check, and a thousand transactions at once."""

from __future__ import annotations

from hashlib import sha256

import msgpack
import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from support.backend import SingleNode, serving
from support.chain import DAY_MS, START_MS, Chain, address
from support.http import codes, get, over_http, post
from support.json_schema import errors
from support.life import VIN, Life, handover, km, maintenance, read, register

from node.crypto.addresses import to_text
from node.crypto.dev_keys import dev_key
from node.ledger.body import type_of
from node.ledger.json_form import time_to_text, to_json
from node.txtypes.registry import TYPES

SUBMIT, BATCH = "/v1/transactions", "/v1/transactions/batch"
ENCODE, CHECK = "/v1/transactions/encode", "/v1/transactions/check"
EXPIRES_MS = START_MS + 25 * 3_600_000

REGISTER = {
    "type": "vehicle.register", "vin": VIN, "model": "330I", "configuration": ["S205A", "P337A"], "plant": "MUC",
    "produced_on": "2025-12-01", "powertrain": "petrol", "odometer_unit": "km", "vin_scheme": "EU",
    "engine_serial": "B48B20",
}  # fmt: skip


def an_encode_request(**changes):
    fields = {"sender": to_text(address("bmw")), "salt": "7", "expires_at": time_to_text(EXPIRES_MS), "body": REGISTER}
    return fields | changes


# --- encode --------------------------------------------------------------------------------------------
@over_http
async def test_encode_gives_what_a_foreign_program_would_make_by_hand() -> None:
    """Packed by another codec, hashed by hashlib, signed by another Ed25519: the chain takes it."""
    async with serving() as (node, _, http):
        shown = await post(http, ENCODE, an_encode_request(), status=200)
        body = [
            "vehicle.register",
            VIN,
            "330I",
            ["S205A", "P337A"],
            "MUC",
            "2025-12-01",
            "petrol",
            "km",
            "EU",
            "B48B20",
        ]
        payload = msgpack.packb([address("bmw"), 7, EXPIRES_MS, body], use_bin_type=True)
        signed = b"bmw/tx\x00" + node.genesis_hash + payload
        assert payload.hex() == shown["payload"]
        assert signed.hex() == shown["sign_bytes"]
        assert sha256(signed).hexdigest() == shown["txid"]
        assert (to_text(address("bmw")), "7", time_to_text(EXPIRES_MS)) == tuple(
            shown[name] for name in ("sender", "salt", "expires_at")
        )
        key = Ed25519PrivateKey.from_private_bytes(sha256(b"bmw-dev/account/bmw").digest())
        public = key.public_key().public_bytes_raw()
        entry = [address("bmw"), public, key.sign(bytes.fromhex(shown["sign_bytes"]))]
        raw = msgpack.packb([payload, [entry]], use_bin_type=True)
        sent = await post(http, SUBMIT, raw=raw, status=202)
        assert shown["txid"] == sent["txid"]


@over_http
async def test_encode_chooses_salt_and_expiry_where_they_are_left_out() -> None:
    async with serving() as (node, _, http):
        asked = {"sender": to_text(address("bmw")), "body": REGISTER}
        one, other = [await post(http, ENCODE, asked, status=200) for _ in range(2)]
        assert one["salt"] != other["salt"] and one["txid"] != other["txid"]
        assert time_to_text(node.chain.store.head().time_ms + 30 * 60_000) == one["expires_at"]


@over_http
async def test_encode_takes_the_body_of_every_type_as_the_chain_shows_it() -> None:
    """What a block shows of a transaction can be given back, and gives the same bytes."""
    life = Life(Chain()).to("handed_over")
    async with serving(SingleNode(life.chain)) as (node, _, http):
        seen = set()
        for height in range(1, node.chain.store.height() + 1):
            block = await get(http, f"/v1/blocks/{height}")
            (tx,) = block["transactions"]
            asked = {name: tx[name] for name in ("sender", "salt", "expires_at", "body")}
            assert tx["txid"] == (await post(http, ENCODE, asked, status=200))["txid"]
            seen.add(tx["type"])
        assert len(seen) >= 8 and seen <= set(TYPES)


@over_http
async def test_encode_names_what_is_wrong_and_where() -> None:
    async with serving() as (_, _, http):
        cases = (
            ({"sender": "bmw1qqqq"}, "bmw1qqqq"),
            ({"body": {**REGISTER, "vin": "WBA8E9G50GNU1234I"}}, "body.vin: "),
            ({"body": {**REGISTER, "engin_serial": "X"}}, "engin_serial"),
            ({"body": {name: value for name, value in REGISTER.items() if name != "model"}}, "model"),
            ({"body": {**REGISTER, "powertrain": "steam"}}, "powertrain"),
            ({"body": {**REGISTER, "configuration": "S205A"}}, "configuration"),
            ({"body": {**REGISTER, "produced_on": 20251201}}, "produced_on"),
            ({"body": {**REGISTER, "type": "vehicle.registre"}}, "vehicle.registre"),
            ({"body": {"vin": VIN}}, "body.type"),
            ({"salt": -1}, "salt"),
            ({"salt": str(2**64)}, "salt"),
            ({"expires_at": "tomorrow"}, "tomorrow"),
            ({"expires_at": "0001-01-01T00:00:00.000Z"}, "expires_at"),
            ({"sendr": "x"}, "sendr"),
        )
        for change, word in cases:
            problem = await post(http, ENCODE, an_encode_request(**change), status=400)
            assert "malformed" == problem["code"], change
            assert word in problem["detail"], (change, problem["detail"])


@over_http
async def test_encode_refuses_numbers_that_would_be_rounded_and_nesting_without_end() -> None:
    async with serving() as (_, _, http):
        for text in (
            '{"sender":"x","body":' + '{"a":' * 5_000 + "1" + "}" * 5_000 + "}",
            '{"sender":"x","body":{"type":"odometer.read","odometer":{"value":1e400}}}',
            '{"sender":"x","sender":"y"',
        ):
            async with http.post(ENCODE, data=text, headers={"Content-Type": "application/json"}) as answer:
                assert 400 == answer.status
                assert "malformed" == (await answer.json(content_type=None))["code"]
        whole = {"type": "odometer.read"} | to_json(read(VIN, km(1), START_MS))
        asked = an_encode_request(body=whole | {"odometer": whole["odometer"] | {"value": 1.5}})
        assert "odometer" in (await post(http, ENCODE, asked, status=400))["detail"]


# --- check ---------------------------------------------------------------------------------------------
@over_http
async def test_check_says_that_it_would_hold_and_sends_nothing() -> None:
    async with serving() as (node, _, http):
        raw = node.chain.sign("bmw", register())
        shown = await post(http, CHECK, raw=raw, status=200)
        assert (True, [], node.chain.check(raw).txid.hex()) == (shown["ok"], shown["unmet"], shown["txid"])
        assert shown == await post(http, CHECK, {"transaction": raw.hex()}, status=200)
        assert 0 == node.status().pool_txs
        await get(http, f"{SUBMIT}/{shown['txid']}", 404)


@over_http
async def test_check_of_an_unsigned_transaction_counts_signatures_among_the_guards() -> None:
    async with serving() as (_, _, http):
        shown = await post(http, CHECK, an_encode_request(), status=200)
        assert (False, ["signature_missing"]) == (shown["ok"], [guard["code"] for guard in shown["unmet"]])
        encoded = await post(http, ENCODE, an_encode_request(), status=200)
        assert encoded["txid"] == shown["txid"]
        body = {**REGISTER, "vin": "WAUZZZ8V5KA012345"}
        shown = await post(http, CHECK, an_encode_request(sender=to_text(address("dealer-munich")), body=body))
        assert {"signature_missing", "role_missing"} <= {guard["code"] for guard in shown["unmet"]}


@over_http
async def test_check_says_what_would_change_and_what_should_be_known_before() -> None:
    """A reading below an earlier one is stored, so it is valid; but it turns the verdict, and that stays."""
    life = Life(Chain()).to("wholesale")
    life.chain.now += 200 * DAY_MS
    life.chain.do("workshop-berlin", read(VIN, km(20_002), life.chain.now, "reading"))
    async with serving(SingleNode(life.chain)) as (node, _, http):
        body = read(VIN, km(12_500), life.chain.now, "reading")
        raw = node.chain.sign("workshop-berlin", body)
        shown = await post(http, CHECK, raw=raw, status=200, Accept_Language="de")
        assert (True, []) == (shown["ok"], shown["signatures"])
        (car,) = (change for change in shown["changes"] if change["key"] == f"vehicle/{VIN}")
        assert {"field": "verdict", "before": "LOGICAL", "after": "CONTESTED"} in car["fields"]
        (caution,) = shown["cautions"]
        assert "odometer_contradiction" == caution["code"] and "Kilometerstände" in caution["text"]
        assert [["verdict:CONTESTED"]] == [record["outcome"] for record in shown["records"]]
        registered = await post(http, CHECK, raw=node.chain.sign("bmw", register("WBA8E9G50GNU54321")), status=200)
        (quota,) = (change for change in registered["changes"] if change["family"] == "quota")
        assert to_text(address("bmw")) == quota["id"]
        assert ["weight", "weight_left", "keys", "keys_left"] == [field["field"] for field in quota["fields"]]
        asked = {"sender": to_text(address("workshop-berlin")), "body": {"type": "odometer.read"} | to_json(body)}
        unsigned = await post(http, CHECK, asked, status=200)
        assert [{"address": to_text(address("workshop-berlin")), "name": "workshop-berlin", "have": 0, "need": 1}] == (
            unsigned["signatures"]
        )
        assert [change["key"] for change in shown["changes"]] == [change["key"] for change in unsigned["changes"]]
        document = await get(http, "/openapi.json")
        assert [] == errors(document, document["components"]["schemas"]["Checked"], without_stamp(shown))


def without_stamp(shown):
    return {name: value for name, value in shown.items() if name not in ("height", "time")}


@over_http
async def test_check_collects_every_guard_in_the_language_asked_for() -> None:
    life = Life(Chain()).to("accepted")
    async with serving(SingleNode(life.chain)) as (node, _, http):
        body = msgspec.structs.replace(handover(node.chain, life.order), odometer=None)
        raw = node.chain.sign("dealer-munich", body)
        texts = {}
        for header, language in (
            ("en", "en"), ("de-AT,de;q=0.9,en;q=0.5", "de"), ("zh-CN", "zh"), ("fr, zh;q=0.8, de;q=0.1", "zh"),
            ("fr", "en"), ("*", "en"), ("de;q=0", "en"),
        ):  # fmt: skip
            shown = await post(http, CHECK, raw=raw, Accept_Language=header)
            assert {"payment_not_final", "signature_missing", "odometer_missing"} == codes(shown)
            texts.setdefault(language, set()).add(tuple(guard["text"] for guard in shown["unmet"]))
        assert {"en", "de", "zh"} == set(texts)
        assert all(len(found) == 1 for found in texts.values()), "one text for one language"
        assert len(set.union(*texts.values())) == 3
        problem = await post(http, SUBMIT, raw=raw, status=422, Accept_Language="de")
        assert texts["de"] == {tuple(guard["text"] for guard in problem["unmet"])}


@over_http
async def test_check_refuses_what_is_no_transaction_before_it_judges() -> None:
    async with serving() as (node, _, http):
        raw = node.chain.sign("bmw", register())
        assert "bad_signature" == (await post(http, CHECK, raw=raw[:-1] + bytes([raw[-1] ^ 1]), status=401))["code"]
        assert "malformed" == (await post(http, CHECK, raw=raw[:-1], status=400))["code"]
        for wrong in ({}, {"sender": to_text(address("bmw"))}, {"transaction": raw.hex(), "salt": 1}):
            assert "either transaction, or sender and body" in (await post(http, CHECK, wrong, status=400))["detail"]


# --- batch ---------------------------------------------------------------------------------------------
@over_http
async def test_one_bad_item_never_spoils_the_others() -> None:
    async with serving(SingleNode(Life(Chain()).to("born").chain)) as (node, _, http):
        chain = node.chain
        vins = [f"WBA8E9G50GNU2000{i}" for i in range(4)]
        good = [chain.sign("bmw", register(vin)) for vin in vins]
        flipped = good[3][:-1] + bytes([good[3][-1] ^ 1])
        refused = chain.sign("buyer-1", maintenance(chain))
        unmet = chain.sign("bmw", register(VIN))
        items = [good[0].hex(), "xyz", 5, good[1].hex()[:-2], good[1].hex(), refused.hex(), unmet.hex(),
                 flipped.hex(), good[0].hex(), None, good[2].hex(), (bytes(70_000)).hex()]  # fmt: skip
        results = (await post(http, BATCH, {"transactions": items}, status=200))["results"]
        assert len(items) == len(results)
        pending = [i for i, result in enumerate(results) if result["status"] == "pending"]
        assert [0, 4, 8, 10] == pending
        assert [chain.check(raw).txid.hex() for raw in (good[0], good[1], good[0], good[2])] == [
            results[i]["txid"] for i in pending
        ]
        found = {i: result["problem"]["code"] for i, result in enumerate(results) if "problem" in result}
        assert {1: "malformed", 2: "malformed", 3: "malformed", 5: "not_permitted", 6: "guards_unmet",
                7: "bad_signature", 9: "malformed", 11: "too_large"} == found  # fmt: skip
        assert chain.check(refused).txid.hex() == results[5]["txid"]
        assert "role_missing" in codes(results[5]["problem"])
        assert "transactions[1]" in results[1]["problem"]["detail"]
        assert 3 == node.status().pool_txs
        document = await get(http, "/openapi.json")
        schema = document["components"]["schemas"]["BatchResults"]
        assert [] == errors(document, schema, {"results": results})


@over_http
async def test_a_thousand_at_once_and_not_one_more() -> None:
    async with serving() as (node, _, http):
        raws = [node.chain.sign("bmw", register(f"WBA8E9G50GNU{i:05d}")).hex() for i in range(1_000)]
        results = (await post(http, BATCH, {"transactions": raws}, status=200))["results"]
        assert {"pending"} == {result["status"] for result in results}
        assert 1_000 == len({result["txid"] for result in results}) == node.status().pool_txs
        problem = await post(http, BATCH, {"transactions": ["00"] * 1_001}, status=422)
        assert "batch_too_large" == problem["code"]
        assert "1001" in problem["detail"] and "1000" in problem["detail"]
        assert [] == (await post(http, BATCH, {"transactions": []}, status=200))["results"]
        for wrong in ({}, [], {"transactions": "ab"}, {"transactions": [], "wait": True}):
            assert "malformed" == (await post(http, BATCH, wrong, status=400))["code"]


@over_http
async def test_a_batch_again_answers_where_each_stands() -> None:
    async with serving() as (node, _, http):
        raws = [node.chain.sign("bmw", register(f"WBA8E9G50GNU3000{i}")) for i in range(2)]
        asked = {"transactions": [raw.hex() for raw in raws]}
        await post(http, BATCH, {"transactions": asked["transactions"][:1]}, status=200)
        node.produce()
        results = (await post(http, BATCH, asked, status=200))["results"]
        assert [("committed", 1, 0), ("pending", None, None)] == [
            (result["status"], result.get("height"), result.get("index")) for result in results
        ]


def test_a_body_of_json_is_the_body_that_the_type_shows() -> None:
    """The request above is not of our own making alone."""
    body = register(produced_on="2025-12-01", engine_serial="B48B20")
    assert REGISTER == to_json(body) | {"type": type_of(body)}
    assert address("bmw") == sha256(b"bmw/address\x00" + dev_key("account", "bmw").public).digest()[:20]
