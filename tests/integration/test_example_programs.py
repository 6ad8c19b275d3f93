"""The published examples (`docs/examples`), written from the documents alone, against nodes that lie and fail."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import AsyncGenerator, Callable, Iterator
from pathlib import Path
from typing import Any

import msgpack
import pytest
from aiohttp import web
from support.chain import address
from support.client_tools import node_js
from support.life import VIN
from support.processes import running_network

from node.chain.dev_genesis import dev_genesis
from node.chain.genesis import genesis_hash
from node.cli.local_network import LocalNetwork
from node.codec import encode
from node.crypto.addresses import to_text
from node.crypto.dev_keys import dev_seed
from node.ledger.json_form import to_json, union_from_json
from node.ledger.signed import sign_bytes, txid_of
from node.limits import TX_BYTES_MAX
from node.rpc.schema import example_body
from node.txtypes.envelope import CheckedTx, Payload, check_signatures, decode_signed_tx
from node.txtypes.registry import TYPES

EXAMPLES = Path(__file__).resolve().parents[2] / "docs" / "examples"
GENESIS_HASH = genesis_hash(dev_genesis())
OFFER = example_body("order.offer")
MINUTE_MS = 60_000
UNBORN = "WBA8E9G50GNU99999"

pytestmark = pytest.mark.network


async def run(
    *command: str, given: str = "", cwd: Path, account: str = "buyer-1", chain: str = GENESIS_HASH.hex()
) -> tuple[int, str]:
    """(exit code, standard output and error) of a program."""
    process = await asyncio.create_subprocess_exec(
        *command, cwd=cwd, env=os.environ | {"ACCOUNT": account, "GENESIS_HASH": chain}, stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    try:
        output, _ = await asyncio.wait_for(process.communicate(given.encode()), 60)
    except TimeoutError:
        process.kill()
        raise
    assert process.returncode is not None
    return process.returncode, output.decode()


def javascript(program: str, *arguments: str) -> list[str]:
    return [node_js(), str(EXAMPLES / program), *arguments]


def python(folder: Path, *arguments: str, account: str = "buyer-1") -> list[str]:
    seed = folder / "seed"
    seed.write_bytes(dev_seed("account", account))
    return [sys.executable, str(EXAMPLES / "write_chain.py"), *arguments, str(seed)]


# --- a node that lies ----------------------------------------------------------------------------------------
class ScriptedNode:
    """An HTTP server in the place of a node: encodes `lie` whatever is asked, answers submissions from `script`, the
    last entry again and again, and keeps what was submitted."""

    def __init__(self, lie: Callable[[Payload], Payload], script: list[tuple[int, dict[str, Any]]]) -> None:
        self.lie = lie
        self.script = script
        self.submitted: list[bytes] = []
        self.url = ""

    async def encode(self, request: web.Request) -> web.Response:
        asked = await request.json()
        honest = Payload(address("buyer-1"), 1, 2**42, union_from_json(dict(TYPES), asked["body"], "body"))
        payload = encode(self.lie(honest))
        message, txid = sign_bytes(GENESIS_HASH, payload), txid_of(GENESIS_HASH, payload)
        return web.json_response({"payload": payload.hex(), "sign_bytes": message.hex(), "txid": txid.hex()})

    async def submit(self, request: web.Request) -> web.Response:
        self.submitted.append(await request.read())
        status, answer = self.script[min(len(self.submitted), len(self.script)) - 1]
        return web.json_response(answer, status=status, headers={"Retry-After": "0"})

    async def answer(self, request: web.Request) -> web.Response:
        return web.json_response({"ok": True, "unmet": [], "genesis_hash": "00" * 32, "head": {"time": "2029-01-01"}})


@contextlib.asynccontextmanager
async def listening(node: ScriptedNode) -> AsyncGenerator[ScriptedNode, None]:
    app = web.Application()
    app.router.add_post("/v1/transactions/encode", node.encode)
    app.router.add_post("/v1/transactions", node.submit)
    app.router.add_route("*", "/{path:.*}", node.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    node.url = f"http://{host}:{port}"
    try:
        yield node
    finally:
        await runner.cleanup()


def signed(raw: bytes) -> CheckedTx:
    """A submission whose signatures verify for the development network."""
    assert len(raw) < TX_BYTES_MAX
    return check_signatures(decode_signed_tx(raw, GENESIS_HASH), GENESIS_HASH)


def with_body(**changes: Any) -> Callable[[Payload], Payload]:
    def lie(payload: Payload) -> Payload:
        shown = to_json(payload.body) | changes
        return Payload(payload.sender, payload.salt, payload.expires_at_ms, union_from_json(dict(TYPES), shown, "body"))

    return lie


def with_terms(**changes: Any) -> Callable[[Payload], Payload]:
    return with_body(terms=OFFER["terms"] | changes)


LIES: dict[str, Callable[[Payload], Payload]] = {
    "the price": with_terms(price={"amount": "999999999", "currency": "EUR"}),
    "the currency": with_terms(price={"amount": "5290000", "currency": "KWD"}),
    "the provider": with_terms(legs=[OFFER["terms"]["legs"][0] | {"provider": to_text(address("bank-1"))}]),
    "who gets the title": with_terms(
        finance={"lender": to_text(address("bank-1")), "title_to": "lender", "takes_lien": False}
    ),
    "what the seller keeps": with_terms(cancel_fee=500_000),
    "the listing": with_body(listing="ab" * 32),
    "the offer's expiry": with_body(expires_at="2036-01-02T10:00:00.000Z"),
    "the sender": lambda p: Payload(address("dealer-munich"), p.salt, p.expires_at_ms, p.body),
    "the expiry": lambda p: Payload(p.sender, p.salt, 2**47, p.body),
    "the salt": lambda p: Payload(p.sender, 0, p.expires_at_ms, p.body),
    "the type": lambda p: Payload(p.sender, p.salt, p.expires_at_ms, union_from_json(
        dict(TYPES), {"type": "order.claim_refund", "order": "ab" * 32}, "body")),
}  # fmt: skip
COMMITTED = (200, {"txid": "00" * 32, "status": "committed", "height": 7, "index": 0})


@pytest.mark.parametrize("language", ["javascript", "python"])
@pytest.mark.parametrize("what", LIES)
def test_what_a_lying_node_encodes_is_never_signed(what: str, language: str, tmp_path: Path) -> None:
    """Asked for an offer of 52,900.00, it encodes 9,999,999.99, or changes another field."""

    async def play() -> CheckedTx:
        async with listening(ScriptedNode(LIES[what], [COMMITTED])) as node:
            command = javascript("send.mjs", node.url) if language == "javascript" else python(tmp_path, node.url)
            code, output = await run(*command, given=json.dumps(OFFER), cwd=tmp_path)
            assert (0, 1) == (code, len(node.submitted)), output
            return signed(node.submitted[0])

    payload = asyncio.run(play()).payload
    assert union_from_json(dict(TYPES), OFFER, "body") == payload.body
    assert address("buyer-1") == payload.sender
    assert payload.salt > 2**20, "random"
    assert payload.expires_at_ms < 2**41


# --- delivery --------------------------------------------------------------------------------------------------
def about(status: str, *, final: bool, accepted: bool = True) -> dict[str, Any]:
    known = {"txid": "00" * 32, "status": status, "final": final, "accepted": accepted}
    return known | {"until": "2036-01-02T10:00:00.000Z"}


def problem(code: int, **members: Any) -> tuple[int, dict[str, Any]]:
    return code, {
        "type": "x",
        "title": "x",
        "status": code,
        "detail": "not valid now",
        "code": "guards_unmet",
    } | members


DELIVER = {
    "javascript": """
import { compose, deliver, keyOf } from "CHAIN";
const transaction = compose(Buffer.from("GENESIS", "hex"), keyOf(Buffer.alloc(32, 1)), BODY, LIFETIME);
try { console.log("committed", (await deliver(["URL"], transaction)).height); }
catch (error) { console.log("refused", error.message); }
""",
    "python": """
import json, sys
sys.path.insert(0, "FOLDER")
from write_chain import compose, deliver
_, signed, expires = compose(bytes.fromhex("GENESIS"), bytes([1]) * 32, json.loads('BODY'), LIFETIME // 1000)
try: print("committed", deliver(["URL"], signed, expires)["height"])
except ValueError as error: print("refused", error)
""",
}


def delivered(
    language: str, script: list[tuple[int, dict[str, Any]]], folder: Path, lifetime_ms: int = MINUTE_MS
) -> tuple[str, int]:
    """(what deliver() reports in its last line, number of submissions of the same bytes)."""

    async def play() -> tuple[str, int]:
        async with listening(ScriptedNode(lambda payload: payload, script)) as node:
            program = DELIVER[language].replace("CHAIN", (EXAMPLES / "chain.mjs").as_uri()).replace("URL", node.url)
            program = program.replace("GENESIS", GENESIS_HASH.hex()).replace("BODY", json.dumps(OFFER))
            program = program.replace("FOLDER", str(EXAMPLES)).replace("LIFETIME", str(lifetime_ms))
            file = folder / ("deliver.mjs" if language == "javascript" else "deliver.py")
            file.write_text(program)
            code, output = await run(node_js() if language == "javascript" else sys.executable, str(file), cwd=folder)
            assert 0 == code, output
            assert 1 == len(set(node.submitted)), "always the same bytes"
            return output.strip().splitlines()[-1], len(node.submitted)

    return asyncio.run(play())


UNDECIDED = [
    (202, {"txid": "00" * 32, "status": "pending", "until": "2036-01-02T10:00:00.000Z"}),
    problem(422, transaction=about("rejected", final=False)),
    problem(422, transaction=about("rejected", final=False, accepted=False)),
    problem(403, transaction=about("rejected", final=False)),
    problem(422, transaction=about("rejected", final=True)),
    problem(422, transaction=about("expired", final=True)),
    problem(401, transaction=about("pending", final=False)),
    problem(429), problem(503), problem(500),
]  # fmt: skip
"""Answers after which any node may still commit it: the claim of one node that it is over proves nothing."""


@pytest.mark.parametrize("language", DELIVER)
def test_the_same_bytes_are_sent_until_they_are_committed(language: str, tmp_path: Path) -> None:
    assert ("committed 7", len(UNDECIDED) + 1) == delivered(language, [*UNDECIDED, COMMITTED], tmp_path)


@pytest.mark.parametrize("language", DELIVER)
@pytest.mark.parametrize(
    ("answer", "lifetime_ms"),
    [
        (problem(422, transaction=about("expired", final=True)), -MINUTE_MS),
        (problem(422, transaction=about("rejected", final=True)), -MINUTE_MS),
        (problem(400), MINUTE_MS),
        (problem(413), MINUTE_MS),
        (problem(401, transaction=about("", final=False, accepted=False)), MINUTE_MS),
    ],
    ids=["expired", "rejected for good", "malformed", "too large", "a wrong signature"],
)
def test_what_can_never_commit_is_given_up(
    answer: tuple[int, Any], lifetime_ms: int, language: str, tmp_path: Path
) -> None:
    assert ("refused not valid now", 1) == delivered(language, [answer], tmp_path, lifetime_ms)


# --- a node that does not lie -----------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalNetwork]:
    with running_network(tmp_path_factory.mktemp("net"), 1) as started:
        yield started


def test_both_clients_write_to_a_real_node_and_sign_nothing_that_would_be_refused(
    network: LocalNetwork, tmp_path: Path
) -> None:
    node = network.nodes[0]
    chain = node.get("/v1/status")["genesis_hash"]

    def send(tag: str, command: list[str], account: str, **changes: Any) -> tuple[int, str]:
        body = json.dumps(example_body(tag) | changes)
        return asyncio.run(run(*command, given=body, cwd=tmp_path, account=account, chain=chain))

    code, output = send("vehicle.register", javascript("send.mjs", node.url), "bmw")
    assert (0, True) == (code, "committed" in output), output
    code, output = send("maintenance.record", javascript("send.mjs", node.url), "workshop-berlin")
    assert (0, True) == (code, "committed" in output), output
    code, output = send("odometer.read", python(tmp_path, node.url, account="inspector-1"), "")
    assert (0, True) == (code, "committed" in output), output

    kept = len(list(tmp_path.glob("outbox-*")))
    for command in (javascript("send.mjs", node.url), python(tmp_path, node.url, account="workshop-berlin")):
        code, output = send("maintenance.record", command, "workshop-berlin", vin=UNBORN)
        assert (1, True) == (code, "vehicle_unknown" in output), output
        assert (3, 3) == (kept, len(list(tmp_path.glob("outbox-*")))), "nothing was signed"
    code, output = send("maintenance.record", python(tmp_path, node.url), "buyer-1", vine=VIN)
    assert (1, True) == (code, "not signed" in output and "body.vine" in output and "Traceback" not in output), output
    records = node.get(f"/v1/vehicles/{VIN}/history")["records"]
    assert ["vehicle.register", "maintenance.record", "odometer.read"] == [record["kind"] for record in records]


# --- encoding --------------------------------------------------------------------------------------------------
def test_javascript_packs_every_size_of_integer_string_and_binary_as_msgpack_does(tmp_path: Path) -> None:
    edges = {
        sign * (2**bits + step) for bits in (0, 5, 7, 8, 15, 16, 31, 32, 63) for step in (-1, 0, 1) for sign in (1, -1)
    }
    integers = sorted(n for n in edges | {0, 2**64 - 1, 48_177_000, -118_243_000} if -(2**63) <= n < 2**64)
    sizes = (0, 1, 15, 16, 31, 32, 255, 256, 65_535, 65_536)
    program = f"""
import {{ pack }} from "{(EXAMPLES / "chain.mjs").as_uri()}";
const values = [...{json.dumps([str(n) for n in integers])}.map(BigInt), null, true, false,
  ...{list(sizes)}.flatMap((n) => ["é".repeat(n), Buffer.alloc(n, 1), Array(n).fill(7)])];
console.log(values.map((value) => pack(value).toString("hex")).join(" "));
"""
    (tmp_path / "pack.mjs").write_text(program)
    code, output = asyncio.run(run(node_js(), str(tmp_path / "pack.mjs"), cwd=tmp_path))
    values = [*integers, None, True, False, *(v for n in sizes for v in ("é" * n, b"\1" * n, [7] * n))]
    assert 0 == code, output
    assert [msgpack.packb(value).hex() for value in values] == output.split()


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"vine": VIN}, "payload.body.vine: unknown field"),
        ({"vin": None}, None),
        ({"event_at": "2026-01-02T10:00:00"}, "payload.body.event_at: an RFC 3339 time expected"),
        ({"event_at": ""}, "payload.body.event_at: an RFC 3339 time expected"),
        ({"type": "odometer.written"}, "payload.body.type: "),
        ({"context": 7}, "payload.body.context: a string expected"),
        ({"odometer": {"value": "12000", "unit": "km", "source": "cluster"}}, "payload.body.odometer.value: a number"),
    ],
)
def test_javascript_refuses_what_is_not_of_the_schema(
    changes: dict[str, Any], error: str | None, tmp_path: Path
) -> None:
    body = {k: v for k, v in (example_body("odometer.read") | changes).items() if v is not None}
    program = f"""
import {{ compose, keyOf }} from "{(EXAMPLES / "chain.mjs").as_uri()}";
try {{ compose(Buffer.alloc(32), keyOf(Buffer.alloc(32)), {json.dumps(body)}); }}
catch (error) {{ console.log(error.message); }}
"""
    (tmp_path / "compose.mjs").write_text(program)
    _, output = asyncio.run(run(node_js(), str(tmp_path / "compose.mjs"), cwd=tmp_path))
    assert output.startswith(error or "payload.body.vin: missing")
