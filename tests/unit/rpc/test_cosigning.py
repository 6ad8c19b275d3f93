"""Co-signatures that a node gathers: what it takes, and what it does not wait for."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from support.backend import SingleNode, serving
from support.chain import Chain
from support.http import over_http

from node.certificates.canonical import InvalidCertificateFile, decode, unpack
from node.certificates.cosignature import Cosignature
from node.certificates.roots import root_of_genesis
from node.certificates.verifier import verify
from node.crypto.dev_keys import dev_key
from node.ledger.json_form import to_json
from node.rpc import cosigning
from node.rpc.cosigning import Cosigning

UNBORN = "WBA8E9G50GNU99999"


class FakeWitness:
    """Signs whatever it is asked, in a way that a test says."""

    def __init__(self, chain: Chain, name: str = "witness") -> None:
        self.chain, self.key = chain, dev_key("node", name)
        self.url, self.asked, self.changes = "", 0, dict[str, Any]()
        self.gate = asyncio.Event()
        self.gate.set()
        self.status, self.raw = 200, b""

    async def answer(self, request: web.Request) -> web.Response:
        self.asked += 1
        await self.gate.wait()
        head = self.chain.store.head()
        made = {
            "genesis_hash": self.chain.genesis_hash, "key": self.key.public, "mode": "light", "height": head.height,
            "block_id": head.block_id, "state_root": head.state_root, "time_ms": self.chain.now, "signature": bytes(64),
        } | self.changes  # fmt: skip
        unsigned = Cosignature(**made)
        signature = self.changes.get("signature", self.key.sign(unsigned.message))
        document = to_json(Cosignature(**made | {"signature": signature}))
        return web.Response(body=self.raw, status=self.status) if self.raw else web.json_response(document)


@contextlib.asynccontextmanager
async def running(*witnesses: FakeWitness) -> AsyncIterator[Cosigning]:
    """What a node with these witnesses gathers by."""
    async with contextlib.AsyncExitStack() as stack:
        for witness in witnesses:
            app = web.Application()
            app.router.add_get("/v1/witness/{height}", witness.answer)
            runner = web.AppRunner(app)
            await runner.setup()
            stack.push_async_callback(runner.cleanup)
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            witness.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        gathering = Cosigning([each.url for each in witnesses], witnesses[0].chain.genesis_hash)
        stack.push_async_callback(gathering.close)
        yield gathering


def produced() -> Chain:
    chain = Chain()
    chain.produce()
    return chain


@over_http
async def test_every_witness_signs_once_and_a_key_counts_once() -> None:
    chain = produced()
    one, same, other = FakeWitness(chain), FakeWitness(chain), FakeWitness(chain, "other")
    async with running(one, same, other) as gathering:
        head = chain.store.head()
        found = await asyncio.gather(*(gathering.of(head) for _ in range(3)))
        assert 2 == len(found[0]) and found[0] == found[1] == found[2] == await gathering.of(head)
        assert sorted(each.key.public for each in (one, other)) == [entry[0] for entry in found[0]]
        assert (1, 1, 1) == (one.asked, same.asked, other.asked)
        chain.produce()
        await gathering.of(chain.store.head())
        assert 2 == one.asked


@over_http
async def test_what_does_not_verify_or_is_of_another_header_is_left_out() -> None:
    chain = produced()
    head, other = chain.store.head(), bytes(range(32))
    for changes in (
        {"signature": bytes(64)}, {"block_id": other}, {"state_root": other}, {"height": head.height + 1},
        {"genesis_hash": other},
    ):  # fmt: skip
        false, honest = FakeWitness(chain, "false"), FakeWitness(chain)
        false.changes = changes
        async with running(false, honest) as gathering:
            assert [honest.key.public] == [entry[0] for entry in await gathering.of(head)], changes
            await gathering.of(head)
            assert 1 == false.asked, "it is left alone for a while"
    for status, raw in ((409, b"{}"), (200, b"no json"), (200, b"{}"), (200, b"[" * 70_000), (302, b"x")):
        broken = FakeWitness(chain)
        broken.status, broken.raw = status, raw
        async with running(broken) as gathering:
            assert [] == await gathering.of(head)


def test_a_certificate_waits_only_so_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cosigning, "TIMEOUT_S", 0.2)
    chain = produced()
    root = root_of_genesis(chain.genesis)

    async def run() -> None:
        slow, quick = FakeWitness(chain, "slow"), FakeWitness(chain)
        slow.gate.clear()
        async with running(slow, quick), serving(SingleNode(chain), witnesses=(slow.url, quick.url)) as (node, _, http):
            async with http.get(f"/v1/absence/{UNBORN}") as answer:
                file = await answer.read()
            keys = (slow.key.public, quick.key.public)
            assert 1 == verify(file, root, chain.now, witnesses=keys, witnesses_needed=1)["trust"]["witnesses"]
            with pytest.raises(InvalidCertificateFile, match="witness_missing"):
                verify(file, root, chain.now, witnesses=keys, witnesses_needed=2)
            *_, note = decode(unpack(file), "a certificate")
            assert node.node_key == note[0]
            slow.gate.set()

    asyncio.run(run())
