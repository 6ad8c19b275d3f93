"""State as of a height: an answer with `?height=` is the one that the head gave then, proven; over HTTP, with the
wallet, and of a real node that is killed."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from msgspec.structs import replace
from support.backend import SingleNode, serving
from support.chain import Chain, address
from support.http import get, over_http
from support.life import VIN, Life, maintenance
from support.lying import HomeWallet, lying, today, wallet_home
from support.processes import Fleet, answered, running_network, status_of, submit, wait_for, wait_height

from node.chain.block import block_id_of, decode_commit, decode_header, verify_commit
from node.chain.genesis import genesis_hash
from node.codec import encode
from node.crypto.addresses import to_text
from node.crypto.state_tree import verify_state_proof
from node.storage.chain_store import ChainStore
from node.txtypes.vehicle.vehicle import VEHICLE
from wallet.client import NodeClient, StateAnswer

KEPT = 6
HOLDER = to_text(address("buyer-1"))


async def told_by(http, path: str):
    """(status, JSON) of whatever the node answers."""
    async with http.get(path) as answer:
        document = await answer.json()
        assert answer.status != 200 or str(document["height"]) == answer.headers["X-Chain-Height"]
        return answer.status, document


def proven_height(answer: StateAnswer, chain: Chain) -> int:
    """The height of an answer, all of which is verified from header and certificate alone."""
    header, commit = decode_header(answer.header), decode_commit(answer.commit)
    assert commit.block_id == block_id_of(header, chain.genesis_hash)
    verify_commit(commit, chain.genesis_hash, chain.store.validators(header.height))
    for entry in answer.entries:
        verify_state_proof(entry.key, entry.value, entry.proof, header.state_root, chain.genesis.tree_depth)
    return header.height


@over_http
async def test_at_every_kept_height_the_answers_are_those_that_the_head_gave() -> None:
    life = Life(Chain(state_history=KEPT))
    done = Life(Chain()).to("handed_over")  # the same transactions, so that their ids are known beforehand
    paths = [
        f"/v1/vehicles/{VIN}", f"/v1/listings/{done.listing.hex()}", f"/v1/orders/{done.order.hex()}",
        f"/v1/accounts/{HOLDER}", f"/v1/payments/{done.payment.hex()}", "/v1/members/" + to_text(address("bmw")),
        f"/v1/state/vehicle/{VIN}?proof=true", f"/v1/state?keys=order/{done.order.hex()},chain/params&proof=true",
    ]  # fmt: skip
    told = {}
    async with serving(SingleNode(life.chain)) as (node, server, http):
        for stage in Life.STAGES:
            getattr(life, stage)()
            node.wake()
            told[life.chain.store.height()] = [await told_by(http, path) for path in paths]
        head = life.chain.store.height()
        assert (done.order, done.payment, len(told)) == (life.order, life.payment, head)
        statuses = {tuple(status for status, _ in answers) for answers in told.values()}
        assert len(statuses) > 2, "things came to be on the way"
        for height in range(head - KEPT, head + 1):
            for path, (status, document) in zip(paths, told[height], strict=True):
                assert (status, document) == await told_by(http, f"{path}{'&' if '?' in path else '?'}height={height}")
                assert status == 404 or (height, document["time"][:4]) == (document["height"], "2026")
        client, keys = NodeClient([server.url]), [VEHICLE.key(VIN), VEHICLE.key("WBA8E9G50GNU99999")]
        for height in range(head - KEPT, head + 1):
            answer = await asyncio.to_thread(client.states, keys, height)
            assert height == proven_height(answer, life.chain)
        assert await get(http, paths[0]) == await get(http, f"{paths[0]}?height={head}")


@over_http
async def test_a_height_that_is_not_kept_is_refused_with_those_that_are() -> None:
    life = Life(Chain(state_history=KEPT)).to("handed_over")
    head = life.chain.store.height()
    async with serving(SingleNode(life.chain)) as (node, _, http):
        for path in (f"/v1/vehicles/{VIN}?", f"/v1/state/vehicle/{VIN}?", "/v1/state?keys=chain/params&proof=true&"):
            for height in (head - KEPT - 1, head + 1, 2**63):
                problem = await get(http, f"{path}height={height}", 404)
                assert ("height_not_kept", head - KEPT, head) == (problem["code"], problem["first"], problem["last"])
            assert "malformed" == (await get(http, f"{path}height=-1", 400))["code"]
        assert "unknown_parameter" == (await get(http, "/v1/vehicles?height=1", 400))["code"], "lists are of the head"
        node.chain.store = ChainStore(life.chain.store.kv, life.chain.genesis)
        node.produce()
        assert head + 1 == (await get(http, f"/v1/vehicles/{VIN}?height={head}", 404))["first"]
        assert head + 1 == (await get(http, f"/v1/vehicles/{VIN}?height={head + 1}"))["height"]


class BusyNode(SingleNode):
    """Makes a block before each proof, as a node may that leaves an answer for a moment."""

    def proof(self, key: bytes, height: int | None = None):
        self.produce()
        return super().proof(key, height)


@pytest.mark.parametrize(("kept", "is_dropped"), [(3, True), (50, False)])
def test_while_an_answer_is_computed_its_height_may_be_dropped(kept: int, is_dropped: bool) -> None:
    """The answer is right, or there is none."""

    async def ask() -> None:
        life = Life(Chain(state_history=kept)).to("handed_over")
        head = life.chain.store.height()
        keys = ",".join(
            ["chain/params", *(f"vehicle/WBA8E9G50GNU{number:05}" for number in range(9)), f"vehicle/{VIN}"]
        )
        for height in (head - 2,) if is_dropped else (head - 2, head):
            path = f"/v1/state?keys={keys}&height={height}&proof=true"
            async with serving(SingleNode(life.chain)) as (_, _, http):
                honest = await get(http, path)
            async with serving(BusyNode(life.chain)) as (node, _, http):
                status, document = await told_by(http, path)
                assert is_dropped == (height not in node.chain.store.kept_heights())
                assert (404, "height_not_kept") == (status, document["code"]) if is_dropped else honest == document

    asyncio.run(ask())


def forged_root(answer) -> dict[str, str]:
    """The header of an answer about the state with another root."""
    header = decode_header(bytes.fromhex(answer["header"]["raw"]))
    return answer["header"] | {"raw": encode(replace(header, state_root=bytes(32))).hex()}


# --- the wallet -------------------------------------------------------------------------------------------------------
def test_the_wallet_shows_and_proves_a_vehicle_and_an_order_as_of_a_height(tmp_path: Path) -> None:
    life = today()
    chain = life.chain
    chain.store = ChainStore(chain.store.kv, chain.genesis, 50)
    base = chain.store.height()
    for number in range(3):
        chain.do("workshop-berlin", maintenance(chain, 7_000 + number))
    keys = wallet_home(tmp_path / "home", ("buyer-1",))
    with lying(chain) as node:
        wallet = HomeWallet(keys, node.url)
        now = wallet("vehicle", VIN, "--json").json
        for height, count in ((base, 3), (base + 1, 2), (base + 2, 1)):
            then = wallet("vehicle", VIN, "--height", str(height), "--json").json
            assert height == then["height"] and now["record_count"] == then["record_count"] + count
            proven = wallet("vehicle", VIN, "--height", str(height), "--verify", "--json").json
            assert base + 3 >= proven.pop("verified")["height"] >= height
            assert then == proven
        wallet("vehicle", VIN, "--verify")  # from now on the newest verified height is the head
        order = wallet("order", "show", life.order.hex(), "--height", str(base), "--verify", "--json").json
        assert base == order["height"] and life.order.hex() == order["id"]
        absent = wallet("vehicle", "WBA8E9G50GNU99999", "--height", str(base), "--verify")
        assert f"it is proven that WBA8E9G50GNU99999 was not on this chain at height {base}" in absent.err
        wallet("vehicle", VIN, "--height", str(base - 1)).refused(1, f"the heights kept are {base} to {base + 3}")
        query = {"keys": f"chain/params,vehicle/{VIN}", "proof": "true"}
        other = NodeClient([node.url]).call_json("/v1/state", query | {"height": str(base + 1)})
        later = {entry["key"]: entry for entry in other["entries"]}
        lies = {
            "gives another": lambda document: document | {name: other[name] for name in ("header", "commit")},
            "is not the one that was decided": lambda document: document | {"header": forged_root(document)},
            "another value": lambda document: (
                document | {"entries": [given | {"value": later[given["key"]]["value"]}
                                        for given in document["entries"] if given["key"] in later]}
            ),
        }  # fmt: skip
        for words, change in lies.items():
            node.lie = lambda path, document, change=change: change(document) if path == "/v1/state" else document
            wallet("vehicle", VIN, "--height", str(base), "--verify").refused(1, words)


# --- a real node ------------------------------------------------------------------------------------------------------
@pytest.mark.network
def test_a_node_that_is_killed_has_its_history_and_goes_on_with_it(tmp_path: Path) -> None:
    settings = {"consensus__block_interval_min_ms": 50, "storage__state_history": 500}
    with running_network(tmp_path, 1, **settings) as network:
        (node,) = network.nodes
        fleet, told = Fleet(genesis_hash(network.genesis)), {}
        for number in range(4):
            txid = submit(node, fleet.births(1, number)[0])[1]["txid"]
            wait_for(lambda txid=txid: status_of(node, txid) == "committed", 30, "committed")
            seen = node.get(f"/v1/vehicles/{fleet.vin(number)}")
            told[seen["height"], number] = seen
        node.kill()
        node.start()
        wait_height([node], max(told)[0] + 2, 60)
        for (height, number), seen in told.items():
            assert seen == node.get(f"/v1/vehicles/{fleet.vin(number)}?height={height}")
        first, *_, last = told
        assert first[0] < last[0]
        status, problem = answered(f"{node.url}/v1/vehicles/{fleet.vin(last[1])}?height={first[0]}")
        assert (404, "vehicle_unknown") == (status, problem["code"]), "that car was born later"
