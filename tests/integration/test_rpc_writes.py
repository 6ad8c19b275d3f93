"""Transactions over a real socket: submit, wait, again, and every way to be refused."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import msgspec
from support.backend import SingleNode, serving
from support.chain import DAY_MS, HOUR_MS, Chain, address, dev_test_genesis
from support.http import codes, get, over_http, post
from support.life import VIN, Life, attest, handover, maintenance, register

from node.chain.acceptance import Acceptance, receipts_of
from node.crypto.dev_keys import dev_key
from node.ledger.json_form import from_json, to_json
from node.ledger.signed import assemble
from node.limits import TX_BYTES_MAX
from node.txtypes.vehicle.vehicle import VEHICLE
from wallet.txfile import sign_payload

SUBMIT = "/v1/transactions"
WAIT = "/v1/transactions?wait=commit&timeout_ms=10000"


def state_of(node: SingleNode) -> tuple[int, bytes, dict[bytes, bytes]]:
    """All that a refused request must leave as it is."""
    store = node.chain.store
    return store.height(), store.head().state_root, dict(store.kv.scan(b"", b"\xff" * 64))


@over_http
async def test_raw_bytes_and_json_are_the_same_request() -> None:
    async with serving() as (node, _, http):
        raw = node.chain.sign("bmw", register())
        txid = node.chain.check(raw).txid.hex()
        first = await post(http, SUBMIT, raw=raw, status=202)
        assert (txid, "pending") == (first["txid"], first["status"])
        again = await post(http, SUBMIT, {"transaction": raw.hex()}, status=202)
        assert first | {"acceptance": {}} == again | {"acceptance": {}}
        assert "pending" == (await get(http, f"{SUBMIT}/{txid}"))["status"]


@over_http
async def test_a_202_carries_a_receipt_that_the_node_has_signed() -> None:
    async with serving() as (node, _, http):
        node.produce()
        raws = [node.chain.sign("bmw", register(f"WBA8E9G5A{n:08d}")) for n in range(6)]
        answer = await post(http, SUBMIT, raw=raws[0], status=202)
        given = [raws[1].hex(), "00", *(raw.hex() for raw in raws[2:])]
        batch = await post(http, f"{SUBMIT}/batch", {"transactions": given})
        results = [result for result in batch["results"] if result["status"] == "pending"]
        head = node.chain.store.head()
        assert not any("acceptance" in result for result in results)
        receipts = [to_json(receipt) for _, receipt in receipts_of(batch)]
        assert (1, []) == (answer["acceptance"]["count"], answer["acceptance"]["path"])
        for raw, answered, told in zip(raws, (answer, *results), (answer["acceptance"], *receipts), strict=True):
            receipt = from_json(Acceptance, told)
            assert receipt.is_signed(node.genesis_hash) and not receipt.is_signed(bytes(32))
            tx = node.chain.check(raw)
            assert (tx.txid, tx.payload.expires_at_ms) == (receipt.txid, receipt.expires_at_ms)
            assert (head.height, head.block_id, node.node_key) == (receipt.height, receipt.block_id, receipt.node_key)
            assert answered["until"] == told["expires_at"]
            for other in ({"txid": "00" * 32}, {"block_id": "00" * 32}, {"index": told["index"] + 1},
                          {"count": 9}, {"path": [*told["path"], "00" * 32]}):  # fmt: skip
                assert not from_json(Acceptance, told | other).is_signed(node.genesis_hash)
        refused = await post(http, f"{SUBMIT}/batch", {"transactions": ["00"]})
        assert "acceptance" not in refused
        assert "acceptance" not in await get(http, f"{SUBMIT}/{answer['txid']}")


@over_http
async def test_the_same_bytes_again_answer_202_while_pending_and_200_once_committed() -> None:
    async with serving() as (node, _, http):
        raw = node.chain.sign("bmw", register())
        for _ in range(2):
            await post(http, SUBMIT, raw=raw, status=202)
        node.produce()
        for _ in range(2):
            again = await post(http, SUBMIT, raw=raw, status=200)
            assert ("committed", 1, 0) == (again["status"], again["height"], again["index"])
        assert 1 == len(node.chain.store.block(1).transactions)
        node.produce()
        assert 0 == len(node.chain.store.block(2).transactions)


@over_http
async def test_waiting_answers_once_it_is_committed() -> None:
    async with serving() as (node, _, http):
        asking = asyncio.create_task(post(http, WAIT, raw=node.chain.sign("bmw", register()), status=200))
        while not node.status().pool_txs:
            await asyncio.sleep(0)
        assert not asking.done()
        node.produce()
        shown = await asking
        assert ("committed", 1, 0) == tuple(shown[n] for n in ("status", "height", "index"))


@over_http
async def test_a_wait_that_runs_out_answers_what_is_pending() -> None:
    async with serving() as (node, _, http):
        raw = node.chain.sign("bmw", register())
        assert "pending" == (await post(http, SUBMIT + "?wait=commit&timeout_ms=1", raw=raw, status=202))["status"]
        problem = await post(http, SUBMIT + "?timeout_ms=1", raw=raw, status=400)
        assert "wait=commit" in problem["detail"]
        assert "malformed" == (await post(http, SUBMIT + "?wait=now", raw=raw, status=400))["code"]
        assert "wait" == (await post(http, SUBMIT + "?wiat=commit", raw=raw, status=400))["nearest"]


@over_http
async def test_waiting_ends_with_the_reason_where_it_is_rejected() -> None:
    """Two handovers of one car stand in two pools: the other one commits first."""
    async with serving(SingleNode(Life(Chain()).to("paid").chain)) as (node, _, http):
        order = VEHICLE.decode(node.chain.store.state.get(VEHICLE.key(VIN))).market.order
        mine, other = (
            node.chain.sign("dealer-munich", handover(node.chain, order, km), "buyer-1") for km in (160, 161)
        )
        asking = asyncio.create_task(post(http, WAIT, raw=mine, status=422))
        while not node.status().pool_txs:
            await asyncio.sleep(0)
        node.produce(other)
        problem = await asking
        assert "order_status" in codes(problem)
        shown = problem["transaction"]
        assert (False, True, node.chain.check(mine).txid.hex()) == (shown["final"], shown["accepted"], shown["txid"])
        assert shown["until"].endswith("Z")


@over_http
async def test_malformed_bytes_are_400_and_change_nothing() -> None:
    async with serving() as (node, _, http):
        raw = node.chain.sign("bmw", register())
        payload, signatures = msgspec.msgpack.decode(raw)
        envelope = msgspec.msgpack.encode
        sender, salt, expires, body = msgspec.msgpack.decode(payload)
        twice = envelope([payload, signatures * 2])
        cases = {
            "empty": b"",
            "text": b"vehicle.register",
            "cut off": raw[:-1],
            "one byte more": raw + b"\x00",
            "a longer number": raw.replace(b"\xc4" + bytes([len(payload)]), b"\xc5\x00" + bytes([len(payload)]), 1),
            "a map": envelope({"payload": payload, "signatures": signatures}),
            "signature twice": twice,
            "short key": envelope([payload, [[*signatures[0][:1], signatures[0][1][:-1], signatures[0][2]]]]),
            "no type": envelope([envelope([sender, salt, expires, ["Vehicle Explode", *body[1:]]]), signatures]),
            "missing field": envelope([envelope([sender, salt, expires, body[:-1]]), signatures]),
            "extra field": envelope([envelope([sender, salt, expires, [*body, 0]]), signatures]),
            "short address": envelope([envelope([sender[:-1], salt, expires, body]), signatures]),
            "deep": b"\x91" * 20_000,
        }
        before = state_of(node)
        for name, bad in cases.items():
            assert bad != raw, name
            problem = await post(http, SUBMIT, raw=bad, status=400)
            assert "malformed" == problem["code"], name
            assert "malformed" == (await post(http, SUBMIT, {"transaction": bad.hex()}, status=400))["code"], name
        assert before == state_of(node)
        assert 0 == node.status().pool_txs


@over_http
async def test_what_a_malformed_transaction_is_told_names_the_place() -> None:
    async with serving() as (node, _, http):
        raw = node.chain.sign("bmw", register())
        payload, signatures = msgspec.msgpack.decode(raw)
        sender, salt, expires, body = msgspec.msgpack.decode(payload)
        unknown = msgspec.msgpack.encode([sender, salt, expires, ["Vehicle.Explode", *body[1:]]])
        problem = await post(http, SUBMIT, raw=msgspec.msgpack.encode([unknown, signatures]), status=400)
        assert "body.type: Invalid value 'Vehicle.Explode'" == problem["detail"]
        bent = msgspec.msgpack.encode([sender, salt, expires, [*body[:5], 7, *body[6:]]])
        for sent in ({"raw": msgspec.msgpack.encode([bent, signatures])},
                     {"value": {"transaction": msgspec.msgpack.encode([bent, signatures]).hex()}}):  # fmt: skip
            problem = await post(http, SUBMIT, status=400, **sent)
            assert "body.produced_on: Expected `str`, got `int`" == problem["detail"]
        cut = msgspec.msgpack.encode([payload, [[b"x", *signatures[0][1:]]]])
        assert "signatures[0].address: " in (await post(http, SUBMIT, raw=cut, status=400))["detail"]
        assert "transaction: " in (await post(http, SUBMIT, raw=raw[:-1], status=400))["detail"]
        assert "lower-case hex" in (await post(http, SUBMIT, {"transaction": "AB"}, status=400))["detail"]


@over_http
async def test_a_type_that_no_ruleset_has_is_refused_with_its_code() -> None:
    async with serving() as (node, _, http):
        payload, _ = msgspec.msgpack.decode(node.chain.sign("bmw", register()))
        sender, salt, expires, body = msgspec.msgpack.decode(payload)
        unknown = msgspec.msgpack.encode([sender, salt, expires, ["vehicle.explode", *body[1:]]])
        signature = sign_payload(unknown, node.chain.genesis_hash, address("bmw"), dev_key("account", "bmw"))
        problem = await post(http, SUBMIT, raw=assemble(unknown, [signature]), status=422)
        assert [("type_not_active", "vehicle.explode")] == [(u["code"], u["subject"]) for u in problem["unmet"]]
        assert 0 == node.status().pool_txs


@over_http
async def test_bodies_that_are_no_request() -> None:
    async with serving() as (node, _, http):
        raw = node.chain.sign("bmw", register())
        for text in ("", "[]", "{", '{"transaction": 5}', "{}", f'{{"transaction": "{raw.hex()}", "wait": true}}'):
            async with http.post(SUBMIT, data=text, headers={"Content-Type": "application/json"}) as answer:
                assert 400 == answer.status, text
                assert "malformed" == (await answer.json(content_type=None))["code"]
        for name in ("text/plain", "application/octet-stream", ""):
            async with http.post(SUBMIT, data=raw, headers={"Content-Type": name}) as answer:
                assert 415 == answer.status
                assert "application/msgpack" in answer.headers["Accept-Post"]
        async with http.post(
            SUBMIT, data=raw, headers={"Content-Type": "application/msgpack", "Content-Encoding": "gzip"}
        ) as answer:
            assert 415 == answer.status
        assert 0 == node.status().pool_txs


@over_http
async def test_a_signature_that_does_not_verify_is_401() -> None:
    async with serving() as (node, _, http):
        raw = node.chain.sign("bmw", register())
        flipped = raw[:-1] + bytes([raw[-1] ^ 1])
        assert "bad_signature" == (await post(http, SUBMIT, raw=flipped, status=401))["code"]
        payload, signatures = msgspec.msgpack.decode(raw)
        sender, salt, expires, body = msgspec.msgpack.decode(payload)
        other = msgspec.msgpack.encode([sender, salt + 1, expires, body])
        changed = msgspec.msgpack.encode([other, signatures])
        assert "bad_signature" == (await post(http, SUBMIT, raw=changed, status=401))["code"]
        assert 0 == node.status().pool_txs


@over_http
async def test_a_transaction_of_another_chain_does_not_verify_here() -> None:
    foreign = Chain(dev_test_genesis(depth=7))
    async with serving() as (node, _, http):
        assert foreign.genesis_hash != node.genesis_hash
        problem = await post(http, SUBMIT, raw=foreign.sign("bmw", register()), status=401)
        assert "bad_signature" == problem["code"]


@over_http
async def test_only_permissions_missing_is_403_and_anything_else_beside_them_422() -> None:
    async with serving(SingleNode(Life(Chain()).to("born").chain)) as (node, _, http):
        chain = node.chain
        before = state_of(node)
        problem = await post(http, SUBMIT, raw=chain.sign("buyer-1", maintenance(chain)), status=403)
        assert "not_permitted" == problem["code"]
        assert {"role_missing"} <= codes(problem)
        both = maintenance(chain, event_at_ms=chain.now + DAY_MS)
        problem = await post(http, SUBMIT, raw=chain.sign("buyer-1", both), status=422)
        assert "guards_unmet" == problem["code"]
        assert {"role_missing", "event_in_future"} <= codes(problem)
        for guard in problem["unmet"]:
            assert {"code", "subject", "have", "need", "text"} == set(guard)
            assert guard["text"] in problem["detail"]
        assert before == state_of(node)


@over_http
async def test_a_raw_client_can_not_hand_over_without_payment_signature_and_odometer() -> None:
    """Well-formed and signed by the dealer alone: all three are named, and nothing has changed."""
    life = Life(Chain()).to("accepted")
    async with serving(SingleNode(life.chain)) as (node, _, http):
        body = replace_odometer(handover(node.chain, life.order))
        before = state_of(node)
        problem = await post(http, SUBMIT, raw=node.chain.sign("dealer-munich", body), status=422)
        assert {"payment_not_final", "signature_missing", "odometer_missing"} == codes(problem)
        assert before == state_of(node)
        assert 0 == node.status().pool_txs
        assert "reserved" == (await get(http, f"/v1/vehicles/{VIN}"))["summary"]


def replace_odometer(body):
    return msgspec.structs.replace(body, odometer=None)


@over_http
async def test_expired_too_far_ahead_and_twice() -> None:
    async with serving() as (node, _, http):
        late = node.chain.sign("bmw", register(), lifetime_ms=-1)
        assert "transaction_expired" in codes(await post(http, SUBMIT, raw=late, status=422))
        far = node.chain.sign("bmw", register(), lifetime_ms=30 * DAY_MS)
        assert "expiry_too_far" in codes(await post(http, SUBMIT, raw=far, status=422))
        await post(http, SUBMIT, raw=node.chain.sign("bmw", register()), status=202)
        again = node.chain.sign("bmw", register())
        assert "vehicle_exists" in codes(await post(http, SUBMIT, raw=again, status=422))


@over_http
async def test_too_large_is_413() -> None:
    async with serving(body_bytes_max=200_000) as (_, _, http):
        problem = await post(http, SUBMIT, raw=bytes(TX_BYTES_MAX + 1), status=413)
        assert "too_large" == problem["code"]
        assert str(TX_BYTES_MAX) in problem["detail"]
        async with http.post(SUBMIT, data=bytes(200_001), headers={"Content-Type": "application/msgpack"}) as answer:
            assert 413 == answer.status
            assert "200000" in (await answer.json(content_type=None))["detail"]
        await get(http, "/health/live")


@over_http
async def test_a_full_pool_is_429_with_the_time_to_wait() -> None:
    async with serving() as (node, _, http):
        node.pool_max = 1
        first, second = (node.chain.sign("bmw", register(vin)) for vin in (VIN, "WBA8E9G50GNU12346"))
        await post(http, SUBMIT, raw=first, status=202)
        async with http.post(SUBMIT, data=second, headers={"Content-Type": "application/msgpack"}) as answer:
            assert (429, "2") == (answer.status, answer.headers["Retry-After"])
            assert "pool_full" == (await answer.json(content_type=None))["code"]
        await post(http, SUBMIT, raw=first, status=202)
        node.produce()
        await post(http, SUBMIT, raw=second, status=202)


@over_http
async def test_a_node_that_is_behind_takes_nothing() -> None:
    async with serving() as (node, _, http):
        node.now_status = replace(node.now_status, is_syncing=True)
        raw = node.chain.sign("bmw", register())
        async with http.post(SUBMIT, data=raw, headers={"Content-Type": "application/msgpack"}) as answer:
            assert 503 == answer.status
            assert int(answer.headers["Retry-After"]) >= 1
            assert "syncing" == (await answer.json(content_type=None))["code"]
        shown = await post(http, SUBMIT + "/batch", {"transactions": [raw.hex()]}, status=200)
        assert "syncing" == shown["results"][0]["problem"]["code"]


# --- fates ---------------------------------------------------------------------------------------------
@over_http
async def test_every_fate_of_a_transaction() -> None:
    life = Life(Chain()).to("paying")
    async with serving(SingleNode(life.chain)) as (node, _, http):
        chain = node.chain
        unknown = await get(http, f"{SUBMIT}/{'ab' * 32}", 404)
        assert "transaction_unknown" == unknown["code"]
        assert "malformed" == (await get(http, f"{SUBMIT}/xyz", 400))["code"]

        bodies = [attest(chain, life.payment, reference=ref) for ref in (b"a", b"b")]
        taken, other = (chain.sign("payment-provider-1", body) for body in bodies)
        txid = chain.check(taken).txid.hex()
        await post(http, SUBMIT, raw=taken, status=202)
        assert "pending" == (await get(http, f"{SUBMIT}/{txid}"))["status"]

        node.produce(other)
        shown = await get(http, f"{SUBMIT}/{txid}")
        assert ("rejected", False) == (shown["status"], shown["final"])
        assert shown["unmet"] and shown["until"]
        why = shown["unmet"]
        again = (await post(http, SUBMIT, raw=taken, status=422))["transaction"]
        assert ("rejected", False, True) == tuple(again[name] for name in ("status", "final", "accepted"))
        assert (txid, shown["until"]) == (again["txid"], again["until"])
        broken = (await post(http, SUBMIT, raw=taken[:-1] + bytes([taken[-1] ^ 1]), status=401))["transaction"]
        assert again == broken, "a broken copy of a known transaction shows its status"
        batch = (await post(http, SUBMIT + "/batch", {"transactions": [taken.hex()]}))["results"][0]
        assert (txid, "rejected", again) == (batch["txid"], batch["status"], batch["problem"]["transaction"])
        committed = await get(http, f"{SUBMIT}/{chain.check(other).txid.hex()}")
        assert ("committed", chain.store.height(), 0) == tuple(committed[n] for n in ("status", "height", "index"))
        assert "payment.attest" == committed["transaction"]["type"]

        chain.now += 2 * HOUR_MS
        node.produce()
        shown = await get(http, f"{SUBMIT}/{txid}")
        assert ("expired", True) == (shown["status"], shown["final"])
        assert why == shown["unmet"]
        problem = await post(http, SUBMIT, raw=taken, status=422)
        assert ("transaction_expired", "expired", True) == (
            problem["code"], problem["transaction"]["status"], problem["transaction"]["final"],
        )  # fmt: skip


@over_http
async def test_bytes_that_were_never_accepted_are_known_as_such() -> None:
    async with serving() as (node, _, http):
        early = node.chain.sign("workshop-berlin", maintenance(node.chain))
        txid = node.chain.check(early).txid.hex()
        refused = (await post(http, SUBMIT, raw=early, status=422))["transaction"]
        assert (txid, "rejected", False, False) == tuple(refused[n] for n in ("txid", "status", "final", "accepted"))
        assert "transaction_unknown" == (await get(http, f"{SUBMIT}/{txid}", 404))["code"]
        broken = (await post(http, SUBMIT, raw=early[:-1] + bytes([early[-1] ^ 1]), status=401))["transaction"]
        assert (txid, "", False) == tuple(broken[n] for n in ("txid", "status", "accepted"))


@over_http
async def test_records_of_a_committed_transaction_lead_to_the_history() -> None:
    life = Life(Chain()).to("born")
    async with serving(SingleNode(life.chain)) as (node, _, http):
        raw = node.chain.sign("workshop-berlin", maintenance(node.chain))
        node.produce(raw)
        shown = await get(http, f"{SUBMIT}/{node.chain.check(raw).txid.hex()}")
        page = await get(http, f"/v1/vehicles/{VIN}/history")
        record = next(r for r in page["records"] if r["txid"] == shown["txid"])
        assert [f"{VIN}/{record['sequence']}"] == shown["records"]
