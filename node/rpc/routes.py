"""Every call of the HTTP interface: one line each. The router, the query check and OpenAPI follow from this table."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Final, Literal

import msgspec
from aiohttp import web
from msgspec import Meta

from node.chain.genesis import Genesis, genesis_to_json
from node.ledger.family import Family
from node.ledger.json_form import to_json
from node.rpc import answers, chain_queries, transactions
from node.rpc.answers import PageOf, Shape, Stamped
from node.rpc.backend import Backend
from node.rpc.certificate import Certificate
from node.rpc.config import RpcConfig
from node.rpc.docs_page import DOCS_PAGE
from node.rpc.history import history_page
from node.rpc.metrics import METRICS_TYPE, RouteCounters, render_metrics
from node.rpc.moments import Moment, moment_of
from node.rpc.problems import Problem, language_of
from node.rpc.receipt_answers import touching_page
from node.rpc.request_parsing import (
    JSON,
    MSGPACK,
    NO_QUERY,
    LimitField,
    Nothing,
    PageQuery,
    Query,
    negotiate,
    read_body,
    read_hash,
    read_json,
    read_query,
)
from node.rpc.stream import EVENT_STREAM, StreamQuery, Streams
from node.rpc.values import ListRequest, canonical_ident, list_page, value_json
from node.txtypes.identity.account import ACCOUNT
from node.txtypes.registry import FAMILIES
from node.txtypes.sale.listing import LISTING, Disclosure
from node.txtypes.sale.order import ORDER
from node.txtypes.vehicle.vehicle import VEHICLE


class Rpc:
    """What the handlers share."""

    def __init__(self, backend: Backend, config: RpcConfig) -> None:
        self.backend = backend
        self.config = config
        self.streams = Streams(backend, config)
        self.counters = RouteCounters()
        self.rendered: OrderedDict[bytes, tuple[int, bytes]] = OrderedDict()
        """State key to the height at which its view was rendered, and the JSON."""
        self.openapi = b""
        self.certificate: Certificate | None = None


# --- queries ---------------------------------------------------------------------------------------------
class BlocksQuery(PageQuery, frozen=True, rename={"start": "from"}):
    limit: LimitField = 20
    start: Annotated[int, Meta(ge=0, description="first height; 0: the oldest that the node holds")] = 0


class ValidatorsQuery(Query, frozen=True):
    height: Annotated[int, Meta(ge=0, description="the height whose set is asked for; 0: the next one")] = 0


class StateQuery(Query, frozen=True):
    proof: Annotated[bool, Meta(description="with proof, header and certificate")] = False


class StateValuesQuery(StateQuery, frozen=True):
    keys: Annotated[str, Meta(description="comma-separated state keys, at most 100, all read at one height")] = ""


def list_query(family: Family[Any]) -> type[PageQuery]:
    """The query of a family's list: a parameter for each index and filter."""
    fields = [(entry.name, Annotated[str, Meta(description=entry.description)], "") for entry in family.parameters]
    name = f"{family.kind.__name__}Query"
    made = msgspec.defstruct(name, fields, bases=(PageQuery,), frozen=True, forbid_unknown_fields=True)
    assert issubclass(made, PageQuery), "by its base"
    return made


# --- answers ---------------------------------------------------------------------------------------------
def answer(value: Any, status: int = 200, height: int | None = None) -> web.Response:
    """JSON; `height` where what was read is older than now."""
    content = to_json(value) if isinstance(value, msgspec.Struct) else value
    response = web.Response(body=msgspec.json.encode(content), status=status, content_type=JSON)
    if height is not None:
        response.headers["X-Chain-Height"] = str(height)
    return response


def stamped(moment: Moment, view: msgspec.Struct) -> web.Response:
    """A view of state with the height and time it was read at."""
    return answer(to_json(view) | moment.stamp, height=moment.height)


def _language(request: web.Request) -> str:
    return language_of(request.headers.get("Accept-Language", ""))


async def status(rpc: Rpc, request: web.Request, query: Nothing) -> web.Response:
    return answer(chain_queries.status_answer(rpc.backend))


async def live(rpc: Rpc, request: web.Request, query: Nothing) -> web.Response:
    return answer(answers.Live(True))


async def ready(rpc: Rpc, request: web.Request, query: Nothing) -> web.Response:
    reasons = chain_queries.not_ready_reasons(rpc.backend)
    if reasons:
        raise Problem("not_ready", "; ".join(reasons), ready=False, reasons=reasons)
    return answer(answers.Ready(True, ()))


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
    return stamped(*await chain_queries.blocks_page(rpc.backend, query.start, query.limit, query.cursor))


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
    checked = transactions.check_answer(rpc.backend, tx, _language(request))
    return stamped(moment_of(rpc.backend.reader()), checked)


async def transaction(rpc: Rpc, request: web.Request, query: Nothing) -> web.Response:
    txid = read_hash(request.match_info["txid"], "a txid")
    return answer(transactions.transaction_answer(rpc.backend, txid, _language(request)))


# --- state values by family ----------------------------------------------------------------------------------
async def value(family: Family[Any], rpc: Rpc, request: web.Request, query: Nothing) -> web.Response:
    """The view of one value, rendered once for each height that it is asked at."""
    ident = canonical_ident(family, request.match_info[family.param])
    key, reader = family.key(ident), rpc.backend.reader()
    height = reader.height()
    rendered = rpc.rendered.get(key)
    if rendered is not None and rendered[0] == height:
        return web.Response(body=rendered[1], content_type=JSON)
    moment = moment_of(reader)
    body = msgspec.json.encode(value_json(moment, family, ident) | moment.stamp)
    rpc.rendered[key] = (height, body)
    rpc.rendered.move_to_end(key)
    if len(rpc.rendered) > rpc.config.vehicle_cache:
        rpc.rendered.popitem(last=False)
    return web.Response(body=body, content_type=JSON)


async def listed(family: Family[Any], rpc: Rpc, request: web.Request, query: PageQuery) -> web.Response:
    asked = {name: str(getattr(query, name)) for name in query.__struct_fields__}
    moment, page = await list_page(rpc.backend.reader(), ListRequest(family, asked), query.limit, query.cursor)
    return answer(page, height=moment.height)


async def listed_of_account(
    family: Family[Any], index: str, rpc: Rpc, request: web.Request, query: PageQuery
) -> web.Response:
    """The list of a family by an account in the path."""
    ident = canonical_ident(ACCOUNT, request.match_info[ACCOUNT.param])
    value_json(moment_of(rpc.backend.reader()), ACCOUNT, ident)
    wanted = ListRequest(family, {index: ident})
    moment, page = await list_page(rpc.backend.reader(), wanted, query.limit, query.cursor)
    return answer(page, height=moment.height)


async def touching(family: Family[Any], rpc: Rpc, request: web.Request, query: PageQuery) -> web.Response:
    """The transactions that concern a value of a family."""
    ident = canonical_ident(family, request.match_info[family.param])
    value_json(moment_of(rpc.backend.reader()), family, ident)
    moment, page = await touching_page(rpc.backend, family.subject(ident), query.limit, query.cursor)
    return stamped(moment, page)


async def history(rpc: Rpc, request: web.Request, query: PageQuery) -> web.Response:
    vin = canonical_ident(VEHICLE, request.match_info["vin"])
    moment, page = await history_page(rpc.backend.reader(), vin, query.limit, query.cursor)
    return stamped(moment, page)


async def disclosure(rpc: Rpc, request: web.Request, query: Nothing) -> web.Response:
    ident = canonical_ident(LISTING, request.match_info["listing"])
    moment = moment_of(rpc.backend.reader())
    listing = moment.get(LISTING, ident)
    if listing is None:
        raise Problem("listing_unknown", f"{ident}: no listing of this chain")
    return stamped(moment, Disclosure.of(ident, listing, moment, moment.as_of))


async def state(rpc: Rpc, request: web.Request, query: StateQuery) -> web.Response:
    key = request.match_info["key"]
    return stamped(*chain_queries.state_answer(rpc.backend, key, is_proof_wanted=query.proof))


async def state_values(rpc: Rpc, request: web.Request, query: StateValuesQuery) -> web.Response:
    return stamped(*chain_queries.state_values(rpc.backend, query.keys, is_proof_wanted=query.proof))


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
Tag = Literal["node", "chain", "transactions", "values", "stream", "documentation"]


@dataclass(frozen=True, slots=True)
class Route:
    """`answers`: status to the shape of the answer; `media`: the types it comes in; `name`: the operation's."""

    method: str
    path: str
    handler: Handler
    tag: Tag
    summary: str
    query: type[Query] = Nothing
    answers: tuple[tuple[int, Shape], ...] = ()
    media: tuple[str, ...] = (JSON,)
    body: str = ""
    body_media: tuple[str, ...] = (JSON,)
    problems: tuple[str, ...] = ()
    name: str = ""

    @property
    def operation(self) -> str:
        return self.name or getattr(self.handler, "__name__", "")

    async def __call__(self, rpc: Rpc, request: web.Request) -> web.StreamResponse:
        query = read_query(request, self.query, rpc.config) if request.rel_url.raw_query_string else self.query()
        if len(self.media) == 1:
            negotiate(request, *self.media)
        return await self.handler(rpc, request, query if self.query is not Nothing else NO_QUERY)


def _get(path: str, handler: Handler, tag: Tag, summary: str, shape: Shape, *problems: str, **more: Any) -> Route:
    return Route("GET", path, handler, tag, summary, answers=((200, shape),), problems=problems, **more)


_PAGE = ("bad_cursor", "limit_too_large")
_TX = ("malformed", "bad_signature", "not_permitted", "guards_unmet", "transaction_expired", "too_large",
       "unsupported_media_type", "timeout", "pool_full", "syncing")  # fmt: skip
_BOTH = (JSON, MSGPACK)
_TX_STATUS = (answers.Pending, answers.CommittedInFull, answers.Committed, answers.Rejected, answers.Expired)


def _of_family(family: Family[Any]) -> tuple[Route, ...]:
    """A value of a family, and lists of them."""
    assert family.view is not None, "only families with a view are served"
    plural = family.path.rpartition("/")[2]
    return (
        _get(f"{family.path}/{{{family.param}}}", partial(value, family), "values",
             f"The {family.name} as it counts now", Stamped(family.view), f"{family.name}_unknown", name=family.name),
        _get(family.path, partial(listed, family), "values", f"A list of {plural}", PageOf(family), *_PAGE,
             query=list_query(family), name=plural),
    )  # fmt: skip


def _touching(family: Family[Any]) -> Route:
    return _get(
        f"{family.path}/{{{family.param}}}/transactions", partial(touching, family), "values",
        f"Transactions that concern the {family.name}, the newest first", Stamped(answers.TouchingPage),
        f"{family.name}_unknown", *_PAGE, query=PageQuery, name=f"{family.name}_transactions",
    )  # fmt: skip


def _of_account(family: Family[Any], index: str, summary: str) -> Route:
    plural = family.path.rpartition("/")[2]
    return _get(
        f"/v1/accounts/{{address}}/{plural}", partial(listed_of_account, family, index), "values", summary,
        PageOf(family), "account_unknown", *_PAGE, query=PageQuery, name=f"account_{plural}",
    )  # fmt: skip


ROUTES: Final[tuple[Route, ...]] = (
    _get("/v1/status", status, "node", "The node and its head", answers.Status),
    _get("/health/live", live, "node", "Whether the process answers", answers.Live),
    _get("/health/ready", ready, "node", "Whether the node should get traffic", answers.Ready, "not_ready"),
    _get("/metrics", metrics, "node", "Metrics for Prometheus", "text", media=("text/plain",)),
    _get("/v1/peers", peers, "node", "Who is connected", answers.Peers),
    _get("/v1/genesis", genesis, "chain", "The genesis document", Genesis),
    _get("/v1/validators", validators, "chain", "The validator set of a height", answers.Validators, "block_unknown",
         query=ValidatorsQuery),
    _get("/v1/blocks", blocks, "chain", "Blocks upwards from a height", Stamped(answers.BlocksPage), *_PAGE,
         query=BlocksQuery, media=_BOTH),
    _get("/v1/blocks/{block}", block, "chain", "A block with its certificate", answers.Block, "block_unknown",
         media=_BOTH),
    _get("/v1/state", state_values, "chain", "State values of one height, and their proofs",
         Stamped(answers.StateValues), query=StateValuesQuery),
    _get("/v1/state/{key}", state, "chain", "A state value and its proof", Stamped(answers.StateAnswer),
         "state_unknown", query=StateQuery),
    Route("POST", "/v1/transactions", submit, "transactions", "Submit a signed transaction",
          transactions.SubmitQuery, ((202, answers.Pending), (200, answers.Committed)), body="SubmitRequest",
          body_media=_BOTH, problems=_TX),
    Route("POST", "/v1/transactions/encode", encode, "transactions", "Encode a transaction to be signed",
          answers=((200, answers.Encoded),), body="EncodeRequest", problems=("too_large", "unsupported_media_type")),
    Route("POST", "/v1/transactions/batch", batch, "transactions", "Submit up to 1,000 signed transactions",
          answers=((200, transactions.BatchResults),), body="BatchRequest",
          problems=("batch_too_large", "too_large", "unsupported_media_type")),
    Route("POST", "/v1/transactions/check", check, "transactions", "Whether a transaction would be valid now",
          answers=((200, Stamped(answers.Checked)),), body="CheckRequest", body_media=_BOTH,
          problems=("bad_signature", "too_large", "unsupported_media_type")),
    _get("/v1/transactions/{txid}", transaction, "transactions", "What has become of a transaction", _TX_STATUS,
         "transaction_unknown"),
    *(route for family in FAMILIES.values() if family.view is not None for route in _of_family(family)),
    *(_touching(family) for family in (VEHICLE, ORDER, ACCOUNT)),
    _of_account(VEHICLE, "holder", "Vehicles that an account holds"),
    _of_account(ORDER, "party", "Orders that an account is a party to"),
    _get("/v1/vehicles/{vin}/history", history, "values", "A vehicle's records, the oldest first",
         Stamped(answers.HistoryPage), "vehicle_unknown", *_PAGE, query=PageQuery),
    _get("/v1/listings/{listing}/disclosure", disclosure, "values", "What a buyer is shown, and its root",
         Stamped(Disclosure), "listing_unknown"),
    _get("/v1/stream", stream, "stream", "Events as Server-Sent Events", "text", "streams_full",
         query=StreamQuery, media=(EVENT_STREAM,)),
    _get("/openapi.json", openapi, "documentation", "This document", "object"),
    _get("/docs", docs, "documentation", "A page to try the calls", "text", media=("text/html",)),
)  # fmt: skip
