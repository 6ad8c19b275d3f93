"""Handlers of certificates: a car's history, the absence of a car, an order (docs/CERTIFICATES.md)."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable
from typing import Annotated, Final, Literal

from aiohttp import web
from msgspec import Meta

from node.certificates.build import Certificates, CertificateUnavailable, Form, completed, note_bytes, packed
from node.certificates.canonical import INFLATED_MAX
from node.certificates.compact import to_texts
from node.rpc.call import Call, Query
from node.rpc.problems import Problem
from node.rpc.values import path_ident
from node.txtypes.sale.order_family import ORDER
from node.txtypes.vehicle.vehicle import VEHICLE

MEDIA_TYPE: Final = "application/octet-stream"
COMPACT_TYPE: Final = "text/plain"
MEDIA_TYPES: Final = (MEDIA_TYPE, COMPACT_TYPE)
RANGES_MAX: Final = 100
_RANGE: Final = re.compile(r"(\d{1,9})(?:-(\d{1,9}))?")


class CertificateQuery(Query, frozen=True):
    form: Annotated[Literal["full", "compact"], Meta(description="the file, or the text of codes, a line each")] = (
        "full"
    )
    redact: Annotated[str, Meta(description='records whose content is left out: "all", or sequences such as 3,7-9')] = (
        ""
    )
    hide: Annotated[str, Meta(description="records of which only the digest is given, named alike")] = ""
    members: Annotated[bool, Meta(description="with the proven values of the authors that are members")] = False
    odometer: Annotated[bool, Meta(description="with the proven odometer of the car")] = False


async def vehicle_certificate(call: Call) -> web.Response:
    """The history of a car as a file that proves itself."""
    vin, query = path_ident(VEHICLE, call), call.query
    makes = _makes(call)
    if query.form == "compact":
        raw = _available(lambda: makes.compact(vin))
        text = "" if raw is None else "\n".join(to_texts(raw)) + "\n"
        return _found(text.encode("ascii"), vin, VEHICLE.word, COMPACT_TYPE)
    redacted, hidden = _sequences(query.redact, "redact"), _sequences(query.hide, "hide")

    def form_of(sequence: int) -> Form:
        return "hidden" if hidden(sequence) else "redacted" if redacted(sequence) else "whole"

    raw = _available(lambda: makes.history(vin, form_of, with_odometer=query.odometer, with_members=query.members))
    return _found(await _file(call, raw), vin, VEHICLE.word, MEDIA_TYPE)


async def absence_certificate(call: Call) -> web.Response:
    """The proof that no car with a VIN was born on this chain."""
    vin = path_ident(VEHICLE, call)
    raw = _available(lambda: _makes(call).absence(vin))
    if raw is None:
        raise Problem("vehicle_exists", f"{vin}: there is a car with this VIN; ask for its certificate")
    return _found(await _file(call, raw), vin, VEHICLE.word, MEDIA_TYPE)


async def order_certificate(call: Call) -> web.Response:
    """An order with its payments as a file that proves itself."""
    ident = path_ident(ORDER, call)
    raw = _available(lambda: _makes(call).order(bytes.fromhex(ident)))
    return _found(await _file(call, raw), ident, ORDER.word, MEDIA_TYPE)


def _makes(call: Call) -> Certificates:
    return Certificates(call.backend.genesis, call.reader(), call.backend.proof)


def _available(make: Callable[[], bytes | None]) -> bytes | None:
    try:
        return make()
    except CertificateUnavailable as error:
        raise Problem("certificate_unavailable", str(error)) from None


async def _file(call: Call, raw: bytes | None) -> bytes:
    """The file of a certificate of the head, with the co-signatures of the head and the node's note. The head is taken
    before anything is awaited."""
    if raw is None:
        return b""
    backend, head = call.backend, call.reader().head()
    witnesses = await call.rpc.witnesses.of(head)
    issued_ms = time.time_ns() // 1_000_000

    def note(before: bytes) -> list[object]:
        return [backend.node_key, issued_ms, backend.sign(note_bytes(backend.genesis_hash, issued_ms, before))]

    raw = completed(raw, witnesses, note)
    if len(raw) > INFLATED_MAX:
        text = f"the certificate would have {len(raw)} bytes, at most {INFLATED_MAX} are allowed: hide records"
        raise Problem("certificate_unavailable", text)
    return await asyncio.to_thread(packed, raw)


def _found(body: bytes, ident: str, word: str, media: str) -> web.Response:
    if not body:
        raise Problem(f"{word}_unknown", f"{ident}: no {word} of this chain")
    if media == COMPACT_TYPE:
        return web.Response(body=body, content_type=media, charset="us-ascii")
    headers = {"Content-Disposition": f'attachment; filename="{ident}.bmwc"'}
    return web.Response(body=body, content_type=media, headers=headers)


def _sequences(text: str, name: str) -> Callable[[int], bool]:
    """Whether a list such as `3,7-9` or `all` names a sequence. Raises `Problem`."""
    if text in ("", "all"):
        return lambda _: text == "all"
    ranges = list[range]()
    for part in text.split(","):
        found = _RANGE.fullmatch(part)
        if found is None or len(ranges) == RANGES_MAX:
            form = f'"all", or at most {RANGES_MAX} sequences or ranges such as 3,7-9 expected'
            raise Problem("malformed", f"{name}: {text[:80]!r}: {form}")
        ranges.append(range(int(found[1]), int(found[2] or found[1]) + 1))
    return lambda sequence: any(sequence in each for each in ranges)
