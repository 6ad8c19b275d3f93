"""Settings of `bmw-node serve`, the web pages over one or several nodes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, get_args

import msgspec
from msgspec import Meta

from node.errors import OperatorError
from node.settings import Count, Positive, Section, Settings

Tier = Literal["showroom", "open"]
"""What strangers may read. `showroom`: cars on sale, members, validators, counts; accounts that are no members' by a
number for each car. `open`: everything, for development and for networks that say so."""
TIERS: Final[tuple[str, ...]] = get_args(Tier)
ENV_PREFIX: Final = "BMW_WEB_"
LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")


class WebSettings(Section, frozen=True):
    nodes: Annotated[
        tuple[str, ...], "addresses of the nodes; the first one that answers and is not behind is asked"
    ] = ("http://127.0.0.1:26700",)
    host: Annotated[str, "address to listen on; keep it on loopback behind a proxy"] = "127.0.0.1"
    port: Annotated[Count, "port to listen on; 0: any free one"] = 26_900
    tls_certificate: Annotated[str, "PEM file; empty: plain HTTP"] = ""
    tls_key: Annotated[str, "PEM file of the certificate's key"] = ""
    tier: Annotated[str, "what strangers may read: showroom or open"] = "showroom"
    genesis: Annotated[str, "the chain's genesis file; empty: genesis.json of the home"] = ""
    checkpoint: Annotated[
        str, "checkpoint that readers' browsers verify from; empty: the genesis file, until it is 180 days old"
    ] = ""
    contact: Annotated[
        str, "folder with the operator's imprint, en.txt, de.txt and zh.txt; needed unless host is loopback"
    ] = ""
    page_size: Annotated[int, Meta(ge=1, le=96), "cars on one page of the showroom"] = 24
    requests_per_second: Annotated[Positive, "requests per second from one address, on average"] = 20
    request_burst: Annotated[Positive, "requests from one address in a burst"] = 120
    limit_loopback: Annotated[bool, "apply the limits per address to loopback too"] = False
    forwarded: Annotated[bool, "take the client's address from X-Forwarded-For, which a proxy in front has to set"] = (
        False
    )
    board: Annotated[
        bool, "in the tier showroom, show the operator board to clients on loopback; not together with a proxy"
    ] = False
    connections_max: Annotated[Positive, "open connections in total"] = 2_000
    connections_per_address: Annotated[Positive, "open connections per address"] = 100
    streams_max: Annotated[Positive, "open event streams in total"] = 500
    node_requests_max: Annotated[Positive, "requests that wait for the nodes at once; more are answered 503"] = 64
    node_requests_per_second: Annotated[
        Positive, "requests per second that reach the nodes, on average; more are answered 503"
    ] = 150
    node_seconds_max: Annotated[Positive, "time that a page waits for the nodes"] = 10
    query_ms_max: Annotated[Positive, "time after which a query of the read model is ended"] = 300
    check_rows_per_hour: Annotated[Count, "rows of the read model that are checked against state proofs each hour"] = (
        200
    )
    log_level: Annotated[str, "debug, info, warning or error"] = "info"
    log_format: Annotated[str, "text or json (one object per line)"] = "text"


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """The settings in force, by section."""

    web: WebSettings


SETTINGS: Final = Settings(Config, "these web pages", ENV_PREFIX, not_settings=("BMW_WEB_HOME",))


def load_settings(path: Path | None, environment: Mapping[str, str], flags: Mapping[str, Any]) -> WebSettings:
    """`flags` by "web.key", None where not given. Raises `OperatorError`, which names the key and the fix."""
    web = SETTINGS.load(path, environment, flags).web
    if not web.nodes:
        raise OperatorError("web.nodes is empty: name a node, such as http://127.0.0.1:26700")
    for url in web.nodes:
        if not url.startswith(("http://", "https://")):
            raise OperatorError(f"web.nodes: {url!r} is not an address such as http://127.0.0.1:26700")
    if web.tier not in TIERS:
        raise OperatorError(f"web.tier must be {' or '.join(TIERS)}, not {web.tier!r}")
    if not 0 <= web.port <= 65_535:
        raise OperatorError(f"web.port must be between 0 and 65535, not {web.port}")
    if bool(web.tls_certificate) != bool(web.tls_key):
        raise OperatorError("web.tls_certificate and web.tls_key must be set together")
    if web.board and web.forwarded:
        raise OperatorError(
            "web.board and web.forwarded exclude each other: run another `bmw-node serve` without a proxy for the board"
        )
    if web.host not in LOOPBACK and not web.contact:
        raise OperatorError(
            "web.contact is needed where others can reach the pages: a folder with en.txt, de.txt, zh.txt"
        )
    if web.log_format not in ("text", "json"):
        raise OperatorError(f"web.log_format must be text or json, not {web.log_format!r}")
    if web.log_level not in ("debug", "info", "warning", "error"):
        raise OperatorError(f"web.log_level must be debug, info, warning or error, not {web.log_level!r}")
    return web
