"""Settings of the HTTP interface."""

from __future__ import annotations

from dataclasses import dataclass

from node import limits

SERVER = {"Server": "bmw-node"}
"""A header of every response. aiohttp's own names its version and Python's."""


@dataclass(frozen=True, slots=True)
class RpcConfig:
    """The defaults are safe on loopback, and every resource is bounded."""

    host: str = "127.0.0.1"
    port: int = 26_700
    tls_certificate: str = ""
    """PEM file of the certificate chain; with `tls_key` it turns HTTPS on."""
    tls_key: str = ""

    body_bytes_max: int = limits.RPC_BODY_BYTES_MAX
    batch_max: int = limits.RPC_BATCH_MAX
    page_max: int = limits.RPC_PAGE_MAX
    header_bytes_max: int = 8_190
    """Maximum of the request line and of each header. Above: 400."""
    headers_max: int = 64
    """Above: 400."""

    connections_max: int = 2_000
    connections_per_address_max: int = 100
    """Open connections in total, and per address (IPv6: per /64). Above: 429, and the connection is closed."""
    requests_per_second: float = 200.0
    request_burst: int = 1_000
    """Token bucket per address. Empty: 429 with Retry-After."""
    is_loopback_limited: bool = False
    """Whether the limits per address also apply to 127.0.0.0/8 and ::1, where requests of a local reverse proxy come
    from."""

    keepalive_s: float = 30.0
    """Timeout of an idle connection, and of receiving the head of a request."""
    body_timeout_s: float = 10.0
    """Timeout of receiving the body of a request. Above: 408."""
    stop_s: float = 1.5
    """Time that open requests get to finish when the node stops."""
    wait_ms_default: int = 10_000
    wait_ms_max: int = 60_000
    """Timeout of `wait=commit`."""

    streams_max: int = limits.RPC_STREAMS_MAX
    streams_per_address_max: int = limits.RPC_STREAMS_MAX
    """Open event streams in total, and per address. Above: 503."""
    stream_heartbeat_s: float = 15.0
    stream_stall_s: float = 10.0
    """A client that reads nothing for this long is disconnected."""
    stream_buffer_bytes: int = 64 * 1024
    """Send buffer of one stream, small so that slow clients cost little memory."""

    witnesses: tuple[str, ...] = ()
    """Addresses of the witnesses that are asked to co-sign the head of a certificate."""
    cors_origins: tuple[str, ...] = ()
    """Allowed origins (CORS), `*` for all. Empty: CORS is off."""
    vehicle_cache: int = 8_192
    """Entries in the cache of rendered values, about 1 kB each."""
