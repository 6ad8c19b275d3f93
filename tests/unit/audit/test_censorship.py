"""What became of transactions whose acceptance a node has signed."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from support.chain import HOUR_MS, Chain, dev_test_genesis
from support.life import register
from support.sources import ChainSource
from support.stages import fork

from node.audit.censorship import Inquiry, Search, read_receipts
from node.audit.divergence import Diverged
from node.chain.acceptance import accept
from node.crypto.dev_keys import dev_key
from node.errors import BadSignature, Malformed, OperatorError
from node.execution.block_run import BlockFull
from node.ledger.json_form import to_json
from node.ledger.params import ChainParams
from node.rpc.transaction_answers import Pending
from node.txtypes.members.member import MemberUpdate

NODE = dev_key("node", "bmw")


def vin(number: int) -> str:
    return f"WBA8E9G5A{number:08d}"


def receipt(chain: Chain, raw: bytes) -> dict[str, Any]:
    """What a wallet keeps of an answer 202 that the node of bmw gave at the chain's head."""
    tx, head = chain.check(raw), chain.store.head()
    accepted = [(tx.txid, tx.payload.expires_at_ms)]
    signed = accept(
        chain.genesis_hash, accepted, head.height, head.block_id, chain.now, NODE.public, NODE.sign
    )  # fmt: skip
    return {"acceptance": to_json(signed.receipts(accepted)[0]), "transaction": raw.hex()}


def batch_answer(chain: Chain, *raws: bytes) -> dict[str, Any]:
    """The answer of the node of bmw to a batch in which it has refused a transaction."""
    txs, head = [chain.check(raw) for raw in raws], chain.store.head()
    accepted = [(tx.txid, tx.payload.expires_at_ms) for tx in txs]
    signed = accept(chain.genesis_hash, accepted, head.height, head.block_id, chain.now, NODE.public, NODE.sign)
    pending = [to_json(Pending(txid, "pending", until_ms)) for txid, until_ms in accepted]
    results = [*pending[:1], {"txid": "", "status": "refused", "problem": {}}, *pending[1:]]
    return {"results": results, "acceptance": to_json(signed)}


def inquiry(chain: Chain, document: dict[str, Any], *raws: bytes) -> Inquiry:
    (found,) = read_receipts(document, raws, chain.genesis_hash, "receipt")
    return found


def searched(chain: Chain, *documents: dict[str, Any]) -> list[dict[str, Any]]:
    inquiries = [inquiry(chain, document) for document in documents]
    return [each.to_json() for each in Search(chain.genesis, ChainSource(chain), inquiries).run()]


def started(**params: Any) -> Chain:
    chain = Chain(dev_test_genesis(params=ChainParams(**params)))
    chain.do("bmw", register())
    return chain


def test_committed_invalid_left_out_and_open() -> None:
    chain = started()
    chain.do("bmw", MemberUpdate((), NODE.public, "node.example.com:26656"))
    raws = [chain.sign("bmw", register(vin(n)), lifetime_ms=4_500) for n in range(3)]
    raws.append(chain.sign("bmw", register(vin(3)), lifetime_ms=HOUR_MS))
    twin = chain.sign("bmw", register(vin(1)), lifetime_ms=HOUR_MS)
    documents = [receipt(chain, raw) for raw in raws]
    chain.produce()
    chain.produce(raws[0])
    chain.produce(twin)
    for _ in range(3):
        chain.produce()
    committed, invalid, left_out, still_open = searched(chain, *documents)
    assert ("committed", 4, 1) == (committed["verdict"], committed["height"], committed["blocks_with_room"])
    assert ("invalid", 5, 2) == (invalid["verdict"], invalid["height"], invalid["blocks_with_room"])
    assert ["vehicle_exists"] == [guard["code"] for guard in invalid["unmet"]]
    assert ("left_out", 8, 5) == (left_out["verdict"], left_out["height"], left_out["blocks_with_room"])
    assert ("open", None, 6) == (still_open["verdict"], still_open["height"], still_open["blocks_with_room"])
    by = left_out["left_out_by"]
    assert 5 == sum(each["blocks"] for each in by)
    assert {"bmw": True, "dealer-munich": False, "dealer-shanghai": False, "workshop-berlin": False} == {
        each["name"]: each["accepted_it"] for each in by
    }
    proposers = {chain.store.block(height).header.proposer for height in range(3, 8)}
    assert len(proposers) == len(by)


def test_the_head_of_the_receipt_may_have_the_transaction_already() -> None:
    """A block was made while the node wrote its journal."""
    chain = started()
    raw = chain.sign("bmw", register(vin(0)))
    chain.produce(raw)
    document = receipt(chain, raw)
    chain.produce()
    (found,) = searched(chain, document)
    assert ("committed", 2, 0) == (found["verdict"], found["height"], found["blocks_with_room"])


def test_full_blocks_leave_nobody_out() -> None:
    chain = started(block_txs_max=1)
    raw = chain.sign("bmw", register(vin(0)), lifetime_ms=2_500)
    document = receipt(chain, raw)
    for number in range(1, 5):
        chain.produce(chain.sign("bmw", register(vin(number))))
    (found,) = searched(chain, document)
    assert ("no_room", 0, 3) == (found["verdict"], found["blocks_with_room"], found["blocks_full"])


def test_a_block_that_its_weight_fills_has_no_room() -> None:
    chain = started(block_weight_max=10_000)
    document = receipt(chain, chain.sign("bmw", register(vin(0)), lifetime_ms=1_500))
    run, raws = chain.run(), list[bytes]()
    with suppress(BlockFull):
        for number in range(1, 1_000):
            raw = chain.sign("bmw", register(vin(number)))
            run.add(chain.check(raw))
            raws.append(raw)
    assert 0 < len(raws) < 999
    chain.produce(*raws)
    chain.produce(raw)
    chain.produce()
    (found,) = searched(chain, document)
    assert ("left_out", 1, 1) == (found["verdict"], found["blocks_with_room"], found["blocks_full"])
    assert [3] == [each["first"] for each in found["left_out_by"]]


def test_a_receipt_over_a_block_that_the_chain_does_not_have_is_another_chains() -> None:
    chain = started()
    other = fork(chain)
    other.now += 7
    for each in (chain, other):
        each.produce()
    document = receipt(other, other.sign("bmw", register(vin(0))))
    chain.produce()
    assert ["another_chain"] == [found["verdict"] for found in searched(chain, document)]
    assert ["open"] == [found["verdict"] for found in searched(other, document)]


def test_what_is_no_receipt_is_refused() -> None:
    chain = started()
    raw, other = (chain.sign("bmw", register(vin(n))) for n in (0, 1))
    document = receipt(chain, raw)
    answer = {"acceptance": document["acceptance"], "status": "pending"}
    assert "open" == inquiry(chain, answer, other, raw).verdict
    for wrong in (answer, answer | {"transaction": other.hex()}, answer | {"transaction": "x"}, {}):
        with pytest.raises(Malformed):
            inquiry(chain, wrong, other)
    later = document["acceptance"] | {"height": 2}
    with pytest.raises(BadSignature):
        inquiry(chain, {"acceptance": later, "transaction": raw.hex()})


def test_the_answer_to_a_batch_is_the_receipt_of_each_pending_one() -> None:
    chain = started()
    raws = [chain.sign("bmw", register(vin(n))) for n in range(5)]
    answer = batch_answer(chain, *raws)
    texts = [raw.hex() for raw in raws]
    found = read_receipts(answer | {"transactions": texts}, [], chain.genesis_hash, "answer")
    assert raws == [each.tx.raw for each in found]
    assert raws == [each.tx.raw for each in read_receipts(answer, raws, chain.genesis_hash, "answer")]

    with pytest.raises(Malformed, match="not given"):
        read_receipts(answer, raws[:4], chain.genesis_hash, "answer")
    for wrong in ("x", ["x"], 1, [None]):
        with pytest.raises(Malformed, match="hex expected"):
            read_receipts(answer | {"transactions": wrong}, [], chain.genesis_hash, "answer")
    for results in ([answer["results"][0]], answer["results"][::-1], [*answer["results"], answer["results"][0]]):
        with pytest.raises(BadSignature):
            read_receipts(answer | {"results": results}, raws, chain.genesis_hash, "answer")
    for wrong in (answer | {"acceptance": None}, answer | {"results": [{"status": "pending"}]}):
        with pytest.raises(Malformed):
            read_receipts(wrong, raws, chain.genesis_hash, "answer")
    assert [] == read_receipts(answer | {"results": []}, raws, chain.genesis_hash, "answer")
    assert [] == read_receipts(answer | {"results": {"status": "pending"}}, raws, chain.genesis_hash, "answer")


def test_sources_that_cannot_tell_are_refused() -> None:
    chain = started()
    document = receipt(chain, chain.sign("bmw", register(vin(0))))
    source = ChainSource(chain)
    source.first = 2
    with pytest.raises(OperatorError, match="all blocks from 1"):
        Search(chain.genesis, source, [inquiry(chain, document)])
    source = ChainSource(chain)
    source.genesis_hash = bytes(32)
    with pytest.raises(OperatorError, match="another chain"):
        Search(chain.genesis, source, [inquiry(chain, document)])
    lying = fork(chain)
    lying.produce()
    committed = lying.store.committed(2)
    assert committed is not None
    with pytest.raises(Diverged, match="commit_certificate"):
        Search(chain.genesis, ChainSource(chain, type(committed)(committed.block, chain.store.commit(1))),
               [inquiry(chain, document)]).run()  # fmt: skip
