"""Every call of the HTTP interface: one line each. The router, the query check and OpenAPI follow from this table."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, get_args

import msgspec
from aiohttp import web
from msgspec import Meta

from node.chain.genesis import genesis_to_json
from node.rpc import chain_queries, queries, transactions
from node.rpc.backend import Backend
from node.rpc.certificate import Certificate
from node.rpc.config import RpcConfig
from node.rpc.docs_page import DOCS_PAGE
from node.rpc.metrics import METRICS_TYPE, RouteCounters, render_metrics
from node.rpc.problems import Problem, language_of
from node.rpc.queries import ListingFilter, moment_of
from node.rpc.request_parsing import (
    JSON,
    MSGPACK,
    NO_QUERY,
    LimitField,
    Nothing,
    PageQuery,
    Query,
    nearest_of,
    negotiate,
    read_address,
    read_body,
    read_hash,
    read_json,
    read_query,
    read_vin,
)
from node.rpc.stream import EVENT_STREAM, StreamQuery, Streams
from node.txtypes.members import Role

ROLES: Final[tuple[str, ...]] = get_args(Role)


class Rpc:
    """What the handlers share."""

    def __init__(self, backend: Backend, config: RpcConfig) -> None:
        self.backend = backend
        self.config = config
        self.streams = Streams(backend, config)
        self.counters = RouteCounters()
        self.vehicles: OrderedDict[str, tuple[int, bytes]] = OrderedDict()
        self.openapi = b""
        self.certificate: Certificate | None = None


# --- queries ---------------------------------------------------------------------------------------------
class BlocksQuery(PageQuery, frozen=True, rename={"start": "from"}):
    limit: LimitField = 20
    start: Annotated[int, Meta(ge=0, description="first height; 0: the oldest that the node holds")] = 0


class ValidatorsQuery(Query, frozen=True):
    height: Annotated[int, Meta(ge=0, description="the height whose set is asked for; 0: the next one")] = 0


class ListingsQuery(PageQuery, frozen=True):
    country: Annotated[str, Meta(description="ISO 3166-1 alpha-2")] = ""
    model: Annotated[str, Meta(description="model code")] = ""
    seller: Annotated[str, Meta(description="address of the seller")] = ""
    vin: Annotated[str, Meta(description="the vehicle's")] = ""


class MembersQuery(PageQuery, frozen=True):
    role: Annotated[str, Meta(description="a role that the member holds now", extra_json_schema={"enum": ROLES})] = ""


class StateQuery(Query, frozen=True):
    proof: Annotated[bool, Meta(description="with proof, header and certificate")] = False


# --- answers ---------------------------------------------------------------------------------------------
def answer(value: Any, status: int = 200, height: int | None = None) -> web.Response:
    """JSON; `height` where what was read is older than now."""
    response = web.Response(body=msgspec.json.encode(value), status=status, content_type=JSON)
    if height is not None:
        response.headers["X-Chain-Height"] = str(height)
    return response


def _language(request: web.Request) -> str:
    return language_of(request.headers.get("Accept-Language", ""))


async def status(rpc: Rpc, request: web.Request, query: Nothing) -> web.Response:
    return answer(chain_queries.status_answer(rpc.backend))


async def live(rpc: Rpc, request: web.Request, query: Nothing) -> web.Response:
    return answer({"live": True})


async def ready(rpc: Rpc, request: web.Request, query: Nothing) -> web.Response:
    reasons = chain_queries.not_ready_reasons(rpc.backend)
    if reasons:
        raise Problem("not_ready", "; ".join(reasons), ready=False, reasons=reasons)
    return answer({"ready": True, "reasons": []})


async def metrics(rpc: Rpc, request: web.Request, query: Nothing) -> web.Response:
    node = {**rpc.backend.metrics(), "rpc_streams": rpc.streams.open}
    if rpc.certificate is not None:
        node["rpc_certificate_seconds_left"] = rpc.certificate.seconds_left()
    text = render_metrics(node, rpc.counters)
    return web.Response(body=text.encode("utf-8"), headers={"Content-Type": METRICS_TYPE})


async def genesis(rpc: Rpc, request: web.Request, query: Nothing) -> web.Response:
    """The document itself, so that saving it gives a genesis file."""
    body = genesis_to_json(rpc.backend.genesis).encode("utf-8")
    return web.Response(body=body, content_type=JSON, headers={"X-Genesis-Hash": rpc.backend.genesis_hash.hex()})


async def validators(rpc: Rpc, request: web.Request, query: ValidatorsQuery) -> web.Response:
    return answer(chain_queries.validators_answer(rpc.backend.reader(), query.height))


async def peers(rpc: Rpc, request: web.Request, query: Nothing) -> web.Response:
    return answer(chain_queries.peers_answer(rpc.backend))


async def blocks(rpc: Rpc, request: web.Request, query: BlocksQuery) -> web.Response:
    if negotiate(request, JSON, MSGPACK) == MSGPACK:
        raw = await chain_queries.blocks_bytes(rpc.backend.reader(), query.start, query.limit, query.cursor)
        return web.Response(body=raw, content_type=MSGPACK)
    height, page = await chain_queries.blocks_page(rpc.backend, query.start, query.limit, query.cursor)
    return answer(page, height=height)


async def block(rpc: Rpc, request: web.Request, query: Nothing) -> web.Response:
    reference = request.match_info["block"]
    if negotiate(request, JSON, MSGPACK) == MSGPACK:
        reader = rpc.backend.reader()
        raw = chain_queries.committed_bytes(reader, chain_queries.height_of(reader, reference))
        return web.Response(body=raw, content_type=MSGPACK)
    height, shown = await chain_queries.block_answer(rpc.backend, reference)
    return answer(shown, height=height)


async def submit(rpc: Rpc, request: web.Request, query: transactions.SubmitQuery) -> web.Response:
    raw = await transactions.read_transaction(request, rpc.config)
    stopping = rpc.streams.stopping
    code, shown = await transactions.submit(rpc.backend, rpc.config, raw, query, _language(request), stopping)
    return answer(shown, code)


async def encode(rpc: Rpc, request: web.Request, query: Nothing) -> web.Response:
    _, raw = await read_body(request, rpc.config, JSON)
    return answer(transactions.encode_answer(rpc.backend, read_json(raw, transactions.EncodeRequest)))


async def batch(rpc: Rpc, request: web.Request, query: Nothing) -> web.Response:
    _, raw = await read_body(request, rpc.config, JSON)
    asked = read_json(raw, transactions.BatchRequest)
    return answer(await transactions.submit_batch(rpc.backend, rpc.config, asked, _language(request)))


async def check(rpc: Rpc, request: web.Request, query: Nothing) -> web.Response:
    tx = await transactions.read_check(request, rpc.backend, rpc.config)
    return answer(transactions.check_answer(rpc.backend, tx, _language(request)))


async def transaction(rpc: Rpc, request: web.Request, query: Nothing) -> web.Response:
    txid = read_hash(request.match_info["txid"], "a txid")
    return answer(chain_queries.transaction_answer(rpc.backend, txid, _language(request)))


async def vehicle(rpc: Rpc, request: web.Request, query: Nothing) -> web.Response:
    """Rendered once for each height it is asked at."""
    vin = read_vin(request.match_info["vin"])
    reader = rpc.backend.reader()
    height = reader.height()
    known = rpc.vehicles.get(vin)
    if known is not None and known[0] == height:
        return web.Response(body=known[1], content_type=JSON)
    body = msgspec.json.encode(queries.vehicle_answer(moment_of(reader), vin))
    rpc.vehicles[vin] = (height, body)
    rpc.vehicles.move_to_end(vin)
    if len(rpc.vehicles) > rpc.config.vehicle_cache:
        rpc.vehicles.popitem(last=False)
    return web.Response(body=body, content_type=JSON)


async def history(rpc: Rpc, request: web.Request, query: PageQuery) -> web.Response:
    vin = read_vin(request.match_info["vin"])
    height, page = await queries.history_page(rpc.backend.reader(), vin, query.limit, query.cursor)
    return answer(page, height=height)


async def listings(rpc: Rpc, request: web.Request, query: ListingsQuery) -> web.Response:
    seller = read_address(query.seller) if query.seller else b""
    wanted = ListingFilter(query.country, query.model, seller, read_vin(query.vin) if query.vin else "")
    height, page = await queries.listings_page(rpc.backend.reader(), wanted, query.limit, query.cursor)
    return answer(page, height=height)


async def listing(rpc: Rpc, request: web.Request, query: Nothing) -> web.Response:
    ident = read_hash(request.match_info["listing"], "a listing's id")
    return answer(queries.listing_answer(moment_of(rpc.backend.reader()), ident))


async def disclosure(rpc: Rpc, request: web.Request, query: Nothing) -> web.Response:
    ident = read_hash(request.match_info["listing"], "a listing's id")
    return answer(queries.disclosure_answer(moment_of(rpc.backend.reader()), ident))


async def order(rpc: Rpc, request: web.Request, query: Nothing) -> web.Response:
    ident = read_hash(request.match_info["order"], "an order's id")
    return answer(queries.order_answer(moment_of(rpc.backend.reader()), ident))


async def payment(rpc: Rpc, request: web.Request, query: Nothing) -> web.Response:
    ident = read_hash(request.match_info["payment"], "a payment's id")
    return answer(queries.payment_answer(moment_of(rpc.backend.reader()), ident))


async def account(rpc: Rpc, request: web.Request, query: Nothing) -> web.Response:
    address = read_address(request.match_info["address"])
    return answer(queries.account_answer(moment_of(rpc.backend.reader()), address))


async def account_vehicles(rpc: Rpc, request: web.Request, query: PageQuery) -> web.Response:
    address = read_address(request.match_info["address"])
    height, page = await queries.account_vehicles_page(rpc.backend.reader(), address, query.limit, query.cursor)
    return answer(page, height=height)


async def account_orders(rpc: Rpc, request: web.Request, query: PageQuery) -> web.Response:
    address = read_address(request.match_info["address"])
    height, page = await queries.account_orders_page(rpc.backend.reader(), address, query.limit, query.cursor)
    return answer(page, height=height)


async def members(rpc: Rpc, request: web.Request, query: MembersQuery) -> web.Response:
    if query.role and query.role not in ROLES:
        raise nearest_of(query.role, ROLES, "role")
    height, page = await queries.members_page(rpc.backend.reader(), query.role, query.limit, query.cursor)
    return answer(page, height=height)


async def proposal(rpc: Rpc, request: web.Request, query: Nothing) -> web.Response:
    ident = read_hash(request.match_info["proposal"], "a proposal's id")
    return answer(queries.proposal_answer(moment_of(rpc.backend.reader()), ident))


async def state(rpc: Rpc, request: web.Request, query: StateQuery) -> web.Response:
    return answer(chain_queries.state_answer(rpc.backend, request.match_info["key"], is_proof_wanted=query.proof))


async def stream(rpc: Rpc, request: web.Request, query: StreamQuery) -> web.StreamResponse:
    return await rpc.streams.serve(request, query)


async def openapi(rpc: Rpc, request: web.Request, query: Nothing) -> web.Response:
    return web.Response(body=rpc.openapi, content_type=JSON)


async def docs(rpc: Rpc, request: web.Request, query: Nothing) -> web.Response:
    return web.Response(body=DOCS_PAGE, content_type="text/html", charset="utf-8", headers=DOCS_HEADERS)


DOCS_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
}

# --- the table -------------------------------------------------------------------------------------------
Handler = Callable[[Rpc, web.Request, Any], Awaitable[web.StreamResponse]]
Tag = Literal["node", "chain", "transactions", "vehicles", "sale", "accounts", "stream", "documentation"]


@dataclass(frozen=True, slots=True)
class Route:
    """`answers`: status to the name of a schema in OpenAPI; `media`: the types it comes in."""

    method: str
    path: str
    handler: Handler
    tag: Tag
    summary: str
    query: type[Query] = Nothing
    answers: tuple[tuple[int, str], ...] = ()
    media: tuple[str, ...] = (JSON,)
    body: str = ""
    body_media: tuple[str, ...] = (JSON,)
    problems: tuple[str, ...] = ()

    async def __call__(self, rpc: Rpc, request: web.Request) -> web.StreamResponse:
        query = read_query(request, self.query, rpc.config) if request.rel_url.raw_query_string else self.query()
        if len(self.media) == 1:
            negotiate(request, *self.media)
        return await self.handler(rpc, request, query if self.query is not Nothing else NO_QUERY)


def _get(path: str, handler: Handler, tag: Tag, summary: str, schema: str, *problems: str, **more: Any) -> Route:
    return Route("GET", path, handler, tag, summary, answers=((200, schema),), problems=problems, **more)


_PAGE = ("bad_cursor", "limit_too_large")
_TX = ("malformed", "bad_signature", "not_permitted", "guards_unmet", "transaction_expired", "too_large",
       "unsupported_media_type", "timeout", "pool_full", "syncing")  # fmt: skip
_BOTH = (JSON, MSGPACK)

ROUTES: Final[tuple[Route, ...]] = (
    _get("/v1/status", status, "node", "The node and its head", "Status"),
    _get("/health/live", live, "node", "Whether the process answers", "Live"),
    _get("/health/ready", ready, "node", "Whether the node should get traffic", "Ready", "not_ready"),
    _get("/metrics", metrics, "node", "Metrics for Prometheus", "Text", media=("text/plain",)),
    _get("/v1/peers", peers, "node", "Who is connected", "Peers"),
    _get("/v1/genesis", genesis, "chain", "The genesis document", "Genesis"),
    _get("/v1/validators", validators, "chain", "The validator set of a height", "Validators", "block_unknown",
         query=ValidatorsQuery),
    _get("/v1/blocks", blocks, "chain", "Blocks upwards from a height", "BlocksPage", *_PAGE,
         query=BlocksQuery, media=_BOTH),
    _get("/v1/blocks/{block}", block, "chain", "A block with its certificate", "Block", "block_unknown", media=_BOTH),
    _get("/v1/state/{key}", state, "chain", "A state value and its proof", "State", "state_unknown",
         query=StateQuery),
    _get("/v1/proposals/{proposal}", proposal, "chain", "A governance proposal", "ProposalAnswer", "proposal_unknown"),
    Route("POST", "/v1/transactions", submit, "transactions", "Submit a signed transaction",
          transactions.SubmitQuery, ((202, "Pending"), (200, "Committed")), body="SubmitRequest", body_media=_BOTH,
          problems=_TX),
    Route("POST", "/v1/transactions/encode", encode, "transactions", "Encode a transaction to be signed",
          answers=((200, "Encoded"),), body="EncodeRequest", problems=("too_large", "unsupported_media_type")),
    Route("POST", "/v1/transactions/batch", batch, "transactions", "Submit up to 1,000 signed transactions",
          answers=((200, "BatchResults"),), body="BatchRequest",
          problems=("batch_too_large", "too_large", "unsupported_media_type")),
    Route("POST", "/v1/transactions/check", check, "transactions", "Whether a transaction would hold now",
          answers=((200, "Checked"),), body="CheckRequest", body_media=_BOTH,
          problems=("bad_signature", "too_large", "unsupported_media_type")),
    _get("/v1/transactions/{txid}", transaction, "transactions", "What has become of a transaction", "Fate",
         "transaction_unknown"),
    _get("/v1/vehicles/{vin}", vehicle, "vehicles", "A vehicle as it is now", "VehicleAnswer", "vehicle_unknown"),
    _get("/v1/vehicles/{vin}/history", history, "vehicles", "A vehicle's records, the oldest first", "HistoryPage",
         "vehicle_unknown", *_PAGE, query=PageQuery),
    _get("/v1/listings", listings, "sale", "Open listings", "ListingsPage", *_PAGE, query=ListingsQuery),
    _get("/v1/listings/{listing}", listing, "sale", "A listing", "ListingAnswer", "listing_unknown"),
    _get("/v1/listings/{listing}/disclosure", disclosure, "sale", "What a buyer is shown, and its root", "Disclosure",
         "listing_unknown"),
    _get("/v1/orders/{order}", order, "sale", "An order with its payments", "OrderAnswer", "order_unknown"),
    _get("/v1/payments/{payment}", payment, "sale", "A payment", "PaymentAnswer", "payment_unknown"),
    _get("/v1/accounts/{address}", account, "accounts", "An account", "AccountAnswer", "account_unknown"),
    _get("/v1/accounts/{address}/vehicles", account_vehicles, "accounts", "Vehicles that an account holds",
         "VehiclesPage", "account_unknown", *_PAGE, query=PageQuery),
    _get("/v1/accounts/{address}/orders", account_orders, "accounts", "Orders that an account is a party to",
         "OrdersPage", "account_unknown", *_PAGE, query=PageQuery),
    _get("/v1/members", members, "accounts", "Members, or those with a role", "MembersPage", *_PAGE,
         query=MembersQuery),
    _get("/v1/stream", stream, "stream", "Events as Server-Sent Events", "Text", "streams_full",
         query=StreamQuery, media=(EVENT_STREAM,)),
    _get("/openapi.json", openapi, "documentation", "This document", "Object"),
    _get("/docs", docs, "documentation", "A page to try the calls", "Text", media=("text/html",)),
)  # fmt: skip
