"""What holds for every request: limits, headers, problem documents, CORS, health, metrics, TLS and the port."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import socket
import ssl
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from support.backend import SingleNode, serving
from support.certificates import a_certificate
from support.http import get, over_http, post, problem_in
from support.json_schema import errors
from support.life import register
from support.prometheus import prometheus

from node.errors import Busy, OperatorError
from node.rpc.app import RPC, RpcServer
from node.rpc.config import RpcConfig

SUBMIT = "/v1/transactions"


async def said(server: RpcServer, request: bytes, *, until_closed: bool = True) -> tuple[str, dict[str, str], bytes]:
    """(status line, headers, body) of an answer to raw bytes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(request)
    head = (await reader.readuntil(b"\r\n\r\n")).decode("ascii")
    lines = head.split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:] if line)}
    body = await reader.readexactly(int(headers["content-length"]))
    if until_closed:
        assert b"" == await reader.read(), "closed after the answer"
    writer.close()
    return lines[0], headers, body


# --- problem documents ---------------------------------------------------------------------------------
@over_http
async def test_every_refusal_is_a_problem_document_with_the_height() -> None:
    async with serving() as (_, server, http), asyncio.timeout(20):
        assert "not_found" == (await get(http, "/v1/nothing", 404))["code"]
        async with http.delete("/v1/status") as answer:
            assert 405 == answer.status
            assert "GET" in answer.headers["Allow"]
            assert "method_not_allowed" == problem_in(answer, await answer.text())["code"]
            assert "0" == answer.headers["X-Chain-Height"]
        assert "not_acceptable" == (await get(http, "/v1/status", 406, Accept="text/html"))["code"]
        line, _, body = await said(
            server, b"GET /v1/status HTTP/1.1\r\nHost: a\r\nAccept: text/\xe9\r\n\r\n", until_closed=False
        )
        assert "406" in line and "not_acceptable" == json.loads(body)["code"]
        problem = await get(http, "/v1/blocks?limt=5", 400)
        assert ("unknown_parameter", "limit") == (problem["code"], problem["nearest"])
        assert "limit_too_large" == (await get(http, "/v1/blocks?limit=1001", 422))["code"]
        assert "malformed" == (await get(http, "/v1/blocks?limit=0", 400))["code"]
        assert "bad_cursor" == (await get(http, "/v1/members?cursor=abc", 400))["code"]
        for request in (
            b"nonsense\r\n\r\n",
            b"GET / HTTP/9.9\r\n\r\n",
            b"GET /v1/status HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n",
            b"GET /v1/status HTTP/1.1\r\nHost: a\r\n bad\x00header: 1\r\n\r\n",
            b"POST /v1/transactions HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64) + b"\r\n\r\n",
        ):
            line, headers, body = await said(server, request)
            assert "400" in line, request
            assert ("application/problem+json", "0") == (headers["content-type"], headers["x-chain-height"])
            assert "malformed" == json.loads(body)["code"]
        await get(http, "/health/live")


@over_http
async def test_an_expectation_that_is_not_met_is_a_problem_document() -> None:
    """aiohttp answers it before any middleware."""
    async with serving() as (_, server, _http), asyncio.timeout(20):
        for path in (b"/v1/status", b"/v1/nothing"):
            request = b"GET " + path + b" HTTP/1.1\r\nHost: a\r\nExpect: 200-ok\r\n\r\n"
            line, headers, body = await said(server, request, until_closed=False)
            assert "417" in line
            assert ("application/problem+json", "0") == (headers["content-type"], headers["x-chain-height"])
            document = json.loads(body)
            assert ("expectation_failed", 417) == (document["code"], document["status"])
            assert "Expect: 200-ok" in document["detail"]


@over_http
async def test_the_server_header_names_no_versions() -> None:
    async with serving() as (_, server, http), asyncio.timeout(20):
        for path in ("/v1/status", "/v1/nothing", "/docs", "/metrics", "/v1/stream"):
            async with http.get(path) as answer:
                assert "bmw-node" == answer.headers["Server"], path
        for request in (b"nonsense\r\n\r\n", b"GET / HTTP/1.1\r\nHost: a\r\nExpect: x\r\nConnection: close\r\n\r\n"):
            _, headers, _ = await said(server, request)
            assert "bmw-node" == headers["server"], request


@over_http
async def test_a_key_that_is_given_twice_in_a_json_body_is_malformed() -> None:
    """Two readers could each take another of the two values."""
    bodies = {
        "/v1/transactions": '{"transaction": "00", "tr\\u0061nsaction": "01"}',
        "/v1/transactions/batch": '{"transactions": [], "transactions": ["00"]}',
        "/v1/transactions/encode": '{"sender": "bmw1x", "body": {"type": "a", "x": [{"type": 1, "type": 2}]}}',
        "/v1/transactions/check": '{"transaction": "00", "transaction": "00"}',
    }
    async with serving() as (_, _server, http), asyncio.timeout(20):
        for path, body in bodies.items():
            async with http.post(path, data=body, headers={"Content-Type": "application/json"}) as answer:
                problem = problem_in(answer, await answer.text())
                assert (400, "malformed") == (answer.status, problem["code"]), path
                key = "type" if path.endswith("encode") else path.split("/")[2] if "batch" in path else "transaction"
                assert f'body: the key "{key}" is given twice' == problem["detail"], path


@over_http
async def test_head_answers_like_get_without_a_body() -> None:
    async with serving() as (_, _, http), asyncio.timeout(10):
        for path in ("/v1/status", "/health/live", "/metrics", "/openapi.json"):
            async with http.head(path) as answer:
                assert (200, b"") == (answer.status, await answer.read())
                assert answer.headers["X-Chain-Height"].isdecimal()
                assert int(answer.headers["Content-Length"]) > 0


@over_http
async def test_a_failure_of_our_own_is_500_and_says_nothing_of_the_inside() -> None:
    class Broken(SingleNode):
        def peers(self):
            raise RuntimeError("secret of the inside")

    async with serving(Broken()) as (_, _, http):
        problem = await get(http, "/v1/peers", 500)
        assert "internal" == problem["code"]
        assert "secret" not in json.dumps(problem)
        await get(http, "/v1/status")


# --- limits --------------------------------------------------------------------------------------------
@over_http
async def test_requests_of_one_address_are_limited_where_the_limit_holds() -> None:
    settings = {"requests_per_second": 0.001, "request_burst": 3, "is_loopback_limited": True}
    async with serving(**settings) as (_, _, http):
        for _ in range(3):
            await get(http, "/v1/status")
        async with http.get("/v1/status") as answer:
            assert 429 == answer.status
            assert int(answer.headers["Retry-After"]) > 0
            assert "rate_limited" == problem_in(answer, await answer.text())["code"]
    async with serving(requests_per_second=0.001, request_burst=3) as (_, _, http):
        for _ in range(10):
            await get(http, "/v1/status")


@over_http
async def test_connections_of_one_address_are_limited_and_given_back() -> None:
    async with serving(connections_per_address_max=2, is_loopback_limited=True) as (_, server, _), asyncio.timeout(10):
        status = b"GET /v1/status HTTP/1.1\r\nHost: a\r\n\r\n"
        open_ones = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(2)]
        for _, writer in open_ones:
            writer.write(status)
        for reader, _ in open_ones:
            assert b"200" in await reader.readuntil(b"\r\n\r\n")
        line, headers, body = await said(server, status)
        assert "429" in line
        assert {"retry-after", "x-chain-height"} <= set(headers)
        assert "too_many_connections" == json.loads(body)["code"]
        for _, writer in open_ones:
            writer.close()
            await writer.wait_closed()
        while True:
            line, _, _ = await said(server, status, until_closed=False)
            if "200" in line:
                break


@over_http
async def test_whoever_does_not_read_its_answers_is_given_up() -> None:
    """They would stay in memory for as long as it likes."""
    async with serving(stream_stall_s=0.05) as (_, server, _), asyncio.timeout(20):
        end = socket.socket()
        end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        end.setblocking(False)
        await asyncio.get_running_loop().sock_connect(end, ("127.0.0.1", server.port))
        asked = b"GET /openapi.json HTTP/1.1\r\nHost: a\r\n\r\n"
        with contextlib.closing(end), contextlib.suppress(ConnectionError):
            while True:
                await asyncio.get_running_loop().sock_sendall(end, 10 * asked)
                await asyncio.sleep(0)
        while server.connections.open:
            await asyncio.sleep(0.01)


@over_http
async def test_connections_in_all_are_limited_also_from_loopback() -> None:
    async with serving(connections_max=1) as (_, server, _), asyncio.timeout(10):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"GET /v1/status HTTP/1.1\r\nHost: a\r\n\r\n")
        assert b"200" in await reader.readuntil(b"\r\n\r\n")
        line, _, _ = await said(server, b"GET /v1/status HTTP/1.1\r\nHost: a\r\n\r\n")
        assert "429" in line
        writer.close()


@over_http
async def test_headers_are_bounded_in_size_and_number() -> None:
    async with serving(header_bytes_max=1_000, headers_max=10) as (_, server, http), asyncio.timeout(10):
        many = b"".join(b"X-%d: 1\r\n" % i for i in range(20))
        for request, status, code in (
            (b"GET /v1/status?" + b"a" * 2_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", "413", "too_large"),
            (b"GET /v1/status HTTP/1.1\r\nHost: a\r\nX-Long: " + b"a" * 2_000 + b"\r\n\r\n", "413", "too_large"),
            (b"GET /v1/status HTTP/1.1\r\nHost: a\r\n" + many + b"\r\n", "400", "malformed"),
        ):
            line, headers, body = await said(server, request)
            assert status in line, request[:60]
            assert code == json.loads(body)["code"]
            assert "0" == headers["x-chain-height"]
        await get(http, "/v1/status")


@over_http
async def test_a_body_is_bounded_before_it_is_read_and_while_it_comes() -> None:
    async with serving(body_bytes_max=1_000, body_timeout_s=0.2) as (_, server, http), asyncio.timeout(10):
        head = b"POST /v1/transactions HTTP/1.1\r\nHost: a\r\nContent-Type: application/msgpack\r\n"
        line, headers, body = await said(server, head + b"Content-Length: 1001\r\n\r\n")
        assert "413" in line, "refused by its length alone"
        assert ("too_large", "0") == (json.loads(body)["code"], headers["x-chain-height"])

        async def endless():
            for _ in range(100):
                yield bytes(100)

        async with http.post(SUBMIT, data=endless(), headers={"Content-Type": "application/msgpack"}) as answer:
            assert 413 == answer.status
            assert "too_large" == problem_in(answer, await answer.text())["code"]
        line, _, body = await said(server, head + b"Content-Length: 100\r\n\r\nabc")
        assert "408" in line, "a body that never comes whole"
        assert "timeout" == json.loads(body)["code"]


@over_http
async def test_a_connection_that_sends_half_a_request_head_is_closed() -> None:
    async with serving(keepalive_s=0.2) as (_, server, http), asyncio.timeout(10):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"GET /v1/status HTTP/1.1\r\nHo")
        assert b"" == await reader.read()
        writer.close()
        await get(http, "/health/live")


# --- CORS ----------------------------------------------------------------------------------------------
@over_http
async def test_cors_is_off_by_default() -> None:
    async with serving() as (_, _, http):
        async with http.get("/v1/status", headers={"Origin": "https://shop.example"}) as answer:
            assert 200 == answer.status
            assert not [name for name in answer.headers if name.lower().startswith("access-control")]
        preflight = {"Origin": "https://shop.example", "Access-Control-Request-Method": "POST"}
        async with http.options(SUBMIT, headers=preflight) as answer:
            assert 405 == answer.status
            assert "Access-Control-Allow-Origin" not in answer.headers


@over_http
async def test_cors_answers_the_configured_origins_alone() -> None:
    async with serving(cors_origins=("https://shop.example",)) as (_, _, http):
        preflight = {"Origin": "https://shop.example", "Access-Control-Request-Method": "POST"}
        async with http.options(SUBMIT, headers=preflight) as answer:
            assert 204 == answer.status
            assert "https://shop.example" == answer.headers["Access-Control-Allow-Origin"]
            assert "Content-Type" in answer.headers["Access-Control-Allow-Headers"]
        for path, status in (("/v1/status", 200), ("/v1/nothing", 404)):
            async with http.get(path, headers={"Origin": "https://shop.example"}) as answer:
                assert status == answer.status
                assert "https://shop.example" == answer.headers["Access-Control-Allow-Origin"]
                assert "Origin" in answer.headers["Vary"]
            async with http.get(path, headers={"Origin": "https://other.example"}) as answer:
                assert status == answer.status
                assert "Access-Control-Allow-Origin" not in answer.headers
        async with http.get("/v1/stream", headers={"Origin": "https://shop.example"}) as answer:
            assert "https://shop.example" == answer.headers["Access-Control-Allow-Origin"]


# --- health, metrics, the document ---------------------------------------------------------------------
@over_http
async def test_readiness_names_every_reason_at_once() -> None:
    async with serving() as (node, _, http):
        node.now_status = replace(node.now_status, is_syncing=True, peers=0, halted="the disk is full")
        problem = await get(http, "/health/ready", 503)
        assert 3 == len(problem["reasons"])
        assert all(any(word in reason for reason in problem["reasons"]) for word in ("disk", "syncing", "peers"))
        assert {"live": True} == await get(http, "/health/live")


@over_http
async def test_metrics_are_prometheus_text() -> None:
    async with serving() as (node, _, http):
        node.produce(node.chain.sign("bmw", register()))
        await get(http, "/v1/status")
        await get(http, '/v1/blocks/"quoted\\', 400)
        await get(http, "/nothing", 404)
        async with http.get("/metrics") as answer:
            found = prometheus(await answer.text())
        assert 1.0 == found["bmw_height", ""]
        assert 1.0 == found["bmw_rpc_requests_total", 'method="GET",route="/v1/status",status="200"']
        assert all(name.startswith("bmw_") for name, _ in found)


@over_http
async def test_answers_to_posts_fit_the_schemas_that_openapi_promises() -> None:
    async with serving() as (node, _, http):
        document = await get(http, "/openapi.json")
        raw = node.chain.sign("bmw", register())

        async def fits(path: str, value, status: int) -> None:
            shown = await post(http, path, value, status)
            media = "application/json" if status < 400 else "application/problem+json"
            schema = document["paths"][path]["post"]["responses"][str(status)]["content"][media]["schema"]
            assert [] == errors(document, schema, shown), (path, status)

        await fits(SUBMIT, {"transaction": raw.hex()}, 202)
        node.produce()
        await fits(SUBMIT, {"transaction": raw.hex()}, 200)
        await fits(SUBMIT, {"transaction": "zz"}, 400)
        await fits(SUBMIT, {"transaction": node.chain.sign("buyer-1", register("WBA8E9G50GNU12346")).hex()}, 403)
        await fits(SUBMIT, {"transaction": node.chain.sign("bmw", register()).hex()}, 422)
        await fits(SUBMIT + "/batch", {"transactions": [raw.hex(), "zz"]}, 200)
        await fits(SUBMIT + "/check", {"transaction": node.chain.sign("bmw", register()).hex()}, 200)


# --- the listener --------------------------------------------------------------------------------------
@over_http
async def test_a_taken_port_is_named_with_the_mend_and_nothing_is_left_open() -> None:
    async with serving() as (_, first, http):
        second = RpcServer(SingleNode(), RpcConfig(port=first.port))
        with pytest.raises(Busy, match=rf"127\.0\.0\.1:{first.port} is taken .*set another rpc port"):
            await second.start()
        await get(http, "/v1/status")


@over_http
async def test_a_host_that_is_not_ours_is_an_operators_error() -> None:
    with pytest.raises(OperatorError, match=r"192\.0\.2\.1:0"):
        await RpcServer(SingleNode(), RpcConfig(host="192.0.2.1", port=0)).start()


def test_a_certificate_is_read_again_where_its_files_change_and_its_end_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("node.rpc.tls_certificate.CHECK_EVERY_S", 0.02)
    certificate, key = a_certificate(tmp_path)
    first = Path(certificate).read_text()

    async def shown(port: int) -> str:
        return await asyncio.to_thread(ssl.get_server_certificate, ("127.0.0.1", port))

    async def play() -> None:
        async with serving(tls_certificate=certificate, tls_key=key) as (_, server, _), asyncio.timeout(20):
            assert first.strip() == (await shown(server.port)).strip()
            assert 0 < server.app[RPC].certificate.seconds_left() < 86_400
            Path(certificate).write_text("half a file")
            while "certificate_unusable" not in caplog.text:
                await asyncio.sleep(0.01)
            assert first.strip() == (await shown(server.port)).strip()
            a_certificate(tmp_path)
            while first.strip() == (await shown(server.port)).strip():
                await asyncio.sleep(0.01)

    asyncio.run(play())
    assert 1 == caplog.text.count("certificate_ends"), "it ends tomorrow, which is told once a day"


@pytest.mark.parametrize("broken", ["missing", "garbage", "swapped", "encrypted"])
def test_a_certificate_that_can_not_be_used_names_the_files(tmp_path: Path, broken: str) -> None:
    certificate, key = a_certificate(tmp_path)
    if broken == "missing":
        key = str(tmp_path / "nowhere.key")
    elif broken == "encrypted":
        secret = serialization.BestAvailableEncryption(b"secret")
        private = serialization.load_pem_private_key(Path(key).read_bytes(), None)
        pkcs8 = serialization.PrivateFormat.PKCS8
        Path(key).write_bytes(private.private_bytes(serialization.Encoding.PEM, pkcs8, secret))
    elif broken == "garbage":
        Path(key).write_text("not a key")
    else:
        certificate, key = key, certificate
    with pytest.raises(OperatorError, match=re.escape(key)):
        asyncio.run(RpcServer(SingleNode(), RpcConfig(port=0, tls_certificate=certificate, tls_key=key)).start())
