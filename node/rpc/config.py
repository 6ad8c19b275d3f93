"""What an operator can set about the HTTP interface. Bounds per answer come from `limits`."""

from __future__ import annotations

from dataclasses import dataclass

from node import limits


@dataclass(frozen=True, slots=True)
class RpcConfig:
    """Every setting with its default: safe on loopback, bounded everywhere."""

    host: str = "127.0.0.1"
    port: int = 26_700
    tls_certificate: str = ""
    """PEM file of the certificate chain; with `tls_key` it turns HTTPS on."""
    tls_key: str = ""

    body_bytes_max: int = limits.RPC_BODY_BYTES_MAX
    batch_max: int = limits.RPC_BATCH_MAX
    page_max: int = limits.RPC_PAGE_MAX
    header_bytes_max: int = 8_190
    """The request line, and each single header. Above: 400."""
    headers_max: int = 64
    """Above: 400."""

    connections_max: int = 2_000
    connections_per_address_max: int = 100
    """Open connections in all, and of one address (IPv6: of one /64). Above: 429 and closed."""
    requests_per_second: float = 200.0
    request_burst: int = 1_000
    """Token bucket of one address. Empty: 429 with Retry-After."""
    is_loopback_limited: bool = False
    """Whether the two bounds per address also hold for 127.0.0.0/8 and ::1: set it behind a reverse proxy."""

    keepalive_s: float = 30.0
    """How long a connection may stand idle, or take over sending the head of a request."""
    body_timeout_s: float = 10.0
    """How long a request's body may take. Above: 408."""
    stop_s: float = 1.5
    """How long open requests may still run when the node stops."""
    wait_ms_default: int = 10_000
    wait_ms_max: int = 60_000
    """Of `wait=commit`."""

    streams_max: int = limits.RPC_STREAMS_MAX
    streams_per_address_max: int = limits.RPC_STREAMS_MAX
    """Open event streams in all, and of one address. Above: 503."""
    stream_heartbeat_s: float = 15.0
    stream_stall_s: float = 10.0
    """A reader that takes nothing for this long is cut off."""
    stream_buffer_bytes: int = 64 * 1024
    """What the kernel may hold for one stream, so that slow readers cost little."""

    cors_origins: tuple[str, ...] = ()
    """Origins whose pages may call, `*` for all. Empty: CORS is off."""
    vehicle_cache: int = 8_192
    """Rendered vehicles kept, about 1 kB each, each for the height it was read at."""
