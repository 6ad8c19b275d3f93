"""The table of routes. The router, the query check and the OpenAPI document follow from it."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import msgspec
from aiohttp import web
from msgspec import Meta

from node.chain.genesis import Genesis, genesis_to_json
from node.ledger.family import Family
from node.ledger.ruleset import Ruleset
from node.rpc import (
    answers,
    certificates,
    chain_queries,
    conduct_answers,
    obligations,
    order_answers,
    readiness,
    sites,
    transactions,
    values,
    vehicle_answers,
)
from node.rpc.answers import OneOf, PageOf, Shape, Stamped
from node.rpc.call import (
    JSON,
    MSGPACK,
    Answer,
    Call,
    HeightQuery,
    PageQuery,
    Query,
    Rpc,
    negotiate,
    not_modified,
    read_query,
    respond,
)
from node.rpc.codes import codes_document
from node.rpc.events import EVENTS
from node.rpc.metrics import METRICS_TYPE, render_metrics
from node.rpc.problems import PROBLEMS
from node.rpc.schema import EXAMPLE_TIME, schema_document
from node.rpc.stream import EVENT_STREAM, StreamQuery
from node.rpc.transaction_answers import (
    Accepted,
    Checked,
    Committed,
    CommittedInFull,
    Encoded,
    Expired,
    Pending,
    Rejected,
    TouchingPage,
)
from node.rpc.values import plural_of
from node.txtypes.identity.account import ACCOUNT
from node.txtypes.members.member import MEMBER
from node.txtypes.registry import FAMILIES
from node.txtypes.sale.delivery import Deliveries
from node.txtypes.sale.disclosure import Disclosure
from node.txtypes.sale.listing import LISTING
from node.txtypes.sale.order_family import ORDER
from node.txtypes.service.recall import RecallsOnCar
from node.txtypes.vehicle.bindings import PART
from node.txtypes.vehicle.series import OdometerSeries
from node.txtypes.vehicle.vehicle import VEHICLE
from node.views.car_report import CarReport
from node.views.next_steps import NextSteps

PROBLEM_ROWS = "".join(
    f'<tr id="{code}"><td><code>{code}</code></td><td>{status}</td><td>{title}</td></tr>'
    for code, (status, title) in PROBLEMS.items()
)
_PAGE_TEXT = Path(__file__).with_name("docs.html").read_text("utf-8")
_FILLED = {"problems": PROBLEM_ROWS, "events": " ".join(EVENTS), "example_time": EXAMPLE_TIME}
DOCS_PAGE = re.sub(r"{{(\w+)}}", lambda place: _FILLED[place[1]], _PAGE_TEXT).encode()
"""Has a form for each transaction type and each call of /openapi.json. It loads nothing from other hosts."""
DOCS_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
}


# --- handlers --------------------------------------------------------------------------------------------
async def live(_: Call) -> answers.Live:
    return answers.Live(True)


async def metrics(call: Call) -> web.Response:
    node = {**call.backend.metrics(), "rpc_streams": call.rpc.streams.open}
    if call.rpc.certificate is not None:
        node["rpc_certificate_seconds_left"] = call.rpc.certificate.seconds_left()
    text = render_metrics(node, call.rpc.counters)
    return web.Response(body=text.encode("utf-8"), headers={"Content-Type": METRICS_TYPE})


async def genesis(call: Call) -> web.Response:
    """The genesis document in the format of a genesis file."""
    body = genesis_to_json(call.backend.genesis).encode("utf-8")
    return web.Response(body=body, content_type=JSON, headers={"X-Genesis-Hash": call.backend.genesis_hash.hex()})


async def codes(call: Call) -> web.Response:
    return _of_ruleset(call, codes_document)


async def schema(call: Call) -> web.Response:
    return _of_ruleset(call, schema_document)


def _of_ruleset(call: Call, write: Callable[[Ruleset], dict[str, Any]]) -> web.Response:
    """A document about the ruleset in force, written once per ruleset."""
    rules = call.moment().as_of.rules
    return web.Response(body=_written(write, rules), content_type=JSON)


@cache
def _written(write: Callable[[Ruleset], dict[str, Any]], rules: Ruleset) -> bytes:
    return msgspec.json.encode(write(rules))


async def openapi(call: Call) -> web.Response:
    return web.Response(body=call.rpc.openapi, content_type=JSON)


async def docs(_: Call) -> web.Response:
    return web.Response(body=DOCS_PAGE, content_type="text/html", charset="utf-8", headers=DOCS_HEADERS)


# --- the table -------------------------------------------------------------------------------------------
Handler = Callable[[Call], Awaitable[Answer]]
Tag = Literal["node", "chain", "transactions", "values", "stream", "documentation"]


@dataclass(frozen=True, slots=True)
class Route:
    """`answers`: (status, shape of the body); `media`: media types of the body; `name`: operation id, by default the
    handler's name."""

    method: str
    path: str
    handler: Handler
    tag: Tag
    summary: str
    query: type[Query] = Query
    answers: tuple[tuple[int, Shape], ...] = ()
    media: tuple[str, ...] = (JSON,)
    body: str = ""
    body_media: tuple[str, ...] = (JSON,)
    problems: tuple[str, ...] = ()
    name: str = ""
    is_tagged: bool = False
    """Whether the answer follows from the state at the head alone: from no clock, language, pool or pruning. It has an
    ETag then."""

    async def serve(self, rpc: Rpc, request: web.Request) -> web.StreamResponse:
        query = read_query(request, self.query, rpc.config) if request.rel_url.raw_query_string else self.query()
        if len(self.media) == 1:
            negotiate(request, *self.media)
        if self.is_tagged and "If-None-Match" in request.headers:
            moment = rpc.at_head().moment
            if moment.etag in request.headers["If-None-Match"]:
                return not_modified(moment)
        return respond(await self.handler(Call(rpc, request, query)), is_tagged=self.is_tagged)


def _get(path: str, handler: Handler, tag: Tag, summary: str, shape: Shape, *problems: str, **more: Any) -> Route:
    return Route("GET", path, handler, tag, summary, answers=((200, shape),), problems=problems, **more)


def _post(path: str, handler: Handler, summary: str, body: str, *shapes: tuple[int, Shape], **more: Any) -> Route:
    return Route("POST", "/v1/transactions" + path, handler, "transactions", summary, answers=shapes, body=body, **more)


_PAGE = ("bad_cursor", "limit_too_large")
_TX = ("malformed", "bad_signature", "not_permitted", "guards_unmet", "transaction_expired", "too_large",
       "unsupported_media_type", "timeout", "pool_full", "syncing")  # fmt: skip
_BODY = ("too_large", "unsupported_media_type")
_BOTH = (JSON, MSGPACK)
_TX_STATUS = OneOf("TransactionStatus", "status", {
    "pending": Pending, "committed": CommittedInFull, "rejected": Rejected, "expired": Expired,
})  # fmt: skip


def list_query(family: Family[Any]) -> type[PageQuery]:
    """The query of a family's list: one parameter per index and filter."""
    fields = [(entry.name, Annotated[str, Meta(description=entry.description)], "") for entry in family.parameters]
    name = f"{family.kind.__name__}Query"
    query: type[Any] = msgspec.defstruct(name, fields, bases=(PageQuery,), frozen=True, forbid_unknown_fields=True)
    return query


def _of_family(family: Family[Any]) -> tuple[Route, ...]:
    """The routes of a value and of the list of values of a family."""
    assert family.view is not None, "only families with a view are served"
    plural = plural_of(family)
    return (
        _get(f"{family.path}/{{{family.param}}}", partial(values.value, family), "values",
             f"The {family.name} as it counts now, or as it counted after a height", Stamped(family.view),
             f"{family.word}_unknown", "height_not_kept", query=HeightQuery, name=family.word, is_tagged=True),
        _get(family.path, partial(values.listed, family), "values", f"A list of {plural}", PageOf(family), *_PAGE,
             query=list_query(family), name=plural, is_tagged=True),
    )  # fmt: skip


def _touching(family: Family[Any]) -> Route:
    return _get(f"{family.path}/{{{family.param}}}/transactions", partial(chain_queries.touching, family), "values",
                f"Transactions that concern the {family.name}, the newest first", Stamped(TouchingPage),
                f"{family.word}_unknown", *_PAGE, query=PageQuery, name=f"{family.word}_transactions")  # fmt: skip


def _derived(family: Family[Any], name: str, view: type[Any], summary: str, operation: str = "") -> Route:
    """A further view of a family's value, below its path. `operation`: its id, where another path ends alike."""
    return _get(f"{family.path}/{{{family.param}}}/{name}", partial(values.derived, family, view), "values", summary,
                Stamped(view), f"{family.word}_unknown", name=operation or name, is_tagged=True)  # fmt: skip


def _conduct(family: Family[Any]) -> Route:
    return _get(f"{family.path}/{{{family.param}}}/conduct", partial(conduct_answers.conduct, family), "values",
                f"How the records, deals and cases of the {family.name} fared", Stamped(conduct_answers.AccountConduct),
                f"{family.word}_unknown", name=f"{family.word}_conduct", is_tagged=True)  # fmt: skip


def _listed_of(owner: Family[Any], family: Family[Any], index: str, summary: str) -> Route:
    """The list of what an account or a vehicle has."""
    name, handler = plural_of(family), partial(values.listed_of, owner, family, index)
    return _get(f"{owner.path}/{{{owner.param}}}/{name}", handler, "values", summary, PageOf(family),
                f"{owner.word}_unknown", *_PAGE, query=PageQuery, name=f"{owner.word}_{name}",
                is_tagged=True)  # fmt: skip


ROUTES: Final[tuple[Route, ...]] = (
    _get("/v1/status", chain_queries.status, "node", "The node and its head", answers.Status),
    _get("/health/live", live, "node", "Whether the process responds", answers.Live),
    _get("/health/ready", chain_queries.ready, "node", "Whether the node should receive traffic", answers.Ready,
         "not_ready"),
    _get("/metrics", metrics, "node", "Metrics for Prometheus", "text", media=("text/plain",)),
    _get("/v1/peers", chain_queries.peers, "node", "The connected nodes", answers.Peers),
    _get("/v1/genesis", genesis, "chain", "The genesis document", Genesis),
    _get("/v1/codes", codes, "chain", "All code tables of the ruleset in force, and the codes of guards, outcomes and "
         "problems", "codes"),
    _get("/v1/schema", schema, "chain", "The fields of every transaction type, for clients that encode themselves",
         "object"),
    _get("/v1/validators", chain_queries.validators, "chain", "The validator set of a height", answers.Validators,
         "block_unknown", query=chain_queries.ValidatorsQuery),
    _get("/v1/blocks", chain_queries.blocks, "chain", "Blocks in ascending order", Stamped(answers.BlocksPage),
         *_PAGE, query=chain_queries.BlocksQuery, media=_BOTH),
    _get("/v1/blocks/{block}", chain_queries.block, "chain", "A block with its certificate", answers.Block,
         "block_unknown", media=_BOTH),
    _get("/v1/headers/{block}", chain_queries.header, "chain", "The header of a block with its certificate, for light "
         "clients", answers.CertifiedHeader, "block_unknown", media=_BOTH),
    _get("/v1/state", chain_queries.state_values, "chain", "State values of one height, and their proofs",
         Stamped(answers.StateValues), "height_not_kept", query=chain_queries.StateValuesQuery),
    _get("/v1/state/{key}", chain_queries.state, "chain", "A state value and its proof", Stamped(answers.StateAnswer),
         "state_unknown", "height_not_kept", query=chain_queries.StateQuery),
    _post("", transactions.submit, "Submit a signed transaction", "SubmitRequest",
          (202, Accepted), (200, Committed), query=transactions.SubmitQuery, body_media=_BOTH,
          problems=_TX),
    _post("/encode", transactions.encode_transaction, "Encode an unsigned transaction", "EncodeRequest",
          (200, Encoded), name="encode", problems=_BODY),
    _post("/batch", transactions.batch, "Submit up to 1,000 signed transactions", "BatchRequest",
          (200, transactions.BatchResults), problems=("batch_too_large", *_BODY)),
    _post("/check", transactions.check, "Whether a transaction would be valid now", "CheckRequest",
          (200, Stamped(Checked)), body_media=_BOTH, problems=("bad_signature", *_BODY)),
    _get("/v1/transactions/{txid}", transactions.transaction, "transactions", "The status of a transaction",
         _TX_STATUS, "transaction_unknown"),
    *(route for family in FAMILIES.values() if family.view is not None for route in _of_family(family)),
    *(_touching(family) for family in (VEHICLE, ORDER, ACCOUNT)),
    _listed_of(ACCOUNT, VEHICLE, "holder", "Vehicles that an account holds"),
    _listed_of(ACCOUNT, ORDER, "party", "Orders that an account is a party to"),
    _listed_of(VEHICLE, PART, "vehicle", "Parts that are bound to a vehicle, as far as anybody has recorded it"),
    _get("/v1/vehicles/{vin}/history", values.history, "values", "The records of a vehicle, the oldest first",
         Stamped(vehicle_answers.HistoryPage), "vehicle_unknown", *_PAGE, query=PageQuery, is_tagged=True),
    _get("/v1/vehicles/{vin}/report", values.report, "values", "What a buyer has to know of a vehicle, the most "
         "important first", Stamped(CarReport), "vehicle_unknown", name="vehicle_report", is_tagged=True),
    _get("/v1/vehicles/{vin}/odometer", values.odometer, "values", "The readings of a vehicle, and the verdict "
         "over them", Stamped(OdometerSeries), "vehicle_unknown", is_tagged=True),
    _get("/v1/vehicles/{vin}/sale-readiness", readiness.sale_readiness, "values", "Whether the sale of a vehicle can "
         "take its next steps, and who can cure what stands in the way", Stamped(readiness.SaleReadiness),
         "vehicle_unknown", "order_unknown", "malformed", query=readiness.ReadinessQuery),
    _get("/v1/vehicles/{vin}/certificate", certificates.vehicle_certificate, "values", "The history of a vehicle as a "
         "file that proves itself", "binary", "vehicle_unknown", "certificate_unavailable", "malformed",
         query=certificates.CertificateQuery, media=certificates.MEDIA_TYPES),
    _get("/v1/absence/{vin}", certificates.absence_certificate, "values", "The proof that there is no vehicle with a "
         "VIN", "binary", "vehicle_exists", "certificate_unavailable", media=certificates.MEDIA_TYPES[:1]),
    _get("/v1/orders/{order}/certificate", certificates.order_certificate, "values", "An order with its payments as a "
         "file that proves itself", "binary", "order_unknown", "certificate_unavailable",
         media=certificates.MEDIA_TYPES[:1]),
    _derived(VEHICLE, "recalls", RecallsOnCar, "The recalls that are open on a vehicle", "vehicle_recalls"),
    _get("/v1/alerts", values.alerts, "values", "Vehicles whose records contradict each other, by the alert",
         Stamped(vehicle_answers.AlertsPage), *_PAGE, query=values.AlertsQuery, is_tagged=True),
    _derived(LISTING, "disclosure", Disclosure, "The disclosure to buyers, and its root"),
    _get(f"{ACCOUNT.path}/{{{ACCOUNT.param}}}/obligations", obligations.obligations, "values", "What an account owes "
         "and is owed by its orders", Stamped(obligations.Obligations), "account_unknown", is_tagged=True),
    _get("/v1/sites", sites.sites, "values", "Places of business, the nearest first", Stamped(sites.SitesPage),
         "malformed", *_PAGE, query=sites.SitesQuery, is_tagged=True),
    _get(f"{ORDER.path}/{{{ORDER.param}}}/next", order_answers.order_next, "values", "What an order waits for: who can "
         "do what, by when, and what follows if nobody does", Stamped(NextSteps), "order_unknown"),
    _get(f"{ORDER.path}/{{{ORDER.param}}}/timeline", order_answers.timeline, "values", "What happened to an order, the "
         "newest first", Stamped(order_answers.Timeline), "order_unknown", *_PAGE, query=PageQuery,
         name="order_timeline"),
    _derived(ORDER, "payments", order_answers.OrderPayments, "The payments of an order, and its money",
             "order_payments"),
    _derived(ORDER, "deliveries", Deliveries, "The delivery events of an order, in their order"),
    *(_conduct(family) for family in (MEMBER, ACCOUNT)),
    _get("/v1/stream", lambda call: call.rpc.streams.serve(call.request, call.query), "stream",
         "Events as Server-Sent Events", "text", "streams_full", query=StreamQuery, media=(EVENT_STREAM,),
         name="stream"),
    _get("/openapi.json", openapi, "documentation", "This document", "object"),
    _get("/docs", docs, "documentation", "A page to try the calls", "text", media=("text/html",)),
)  # fmt: skip
