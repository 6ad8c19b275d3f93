"""The verifier: a certificate that a reader has, and what these pages show of a car."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from aiohttp import web

from node.chain.genesis import genesis_set
from node.ledger.json_form import time_to_text
from node.rules.vin import VIN_PATTERN
from wallet.paper.kinds import KINDS
from web.asking import Ask, Drawn, Page, PageProblem, Query
from web.digests import record_digest
from web.pages.car import Absent, NotForStrangers, car_for
from web.words import TAGS, Words

PAGE_RECORDS: Final = 1_000
PAGES_MAX: Final = 20
"""Requests for the records of one car. Above: the page shows the first 20,000, and the badge says that some lack."""
_VIN: Final = re.compile(VIN_PATTERN)


class VerifyQuery(Query, frozen=True):
    vin: str = ""


async def verify(ask: Ask) -> Drawn:
    """The verifier of files, and a form that leads to a car. Raises the redirection to that."""
    vin = ask.query(VerifyQuery).vin.strip().upper()
    if vin and _VIN.fullmatch(vin):
        raise web.HTTPSeeOther(ask.link(f"/verify/{vin}"))
    genesis = ask.site.genesis
    context = {"begun": time_to_text(genesis.time_ms), "validators": len(genesis_set(genesis).entries), "vin": vin}
    return Drawn("verify.html", context, 400 if vin else 200)


async def car(ask: Ask) -> Drawn:
    """The records of a car with their digests, which the reader's browser checks."""
    vin = ask.param("vin")
    if not _VIN.fullmatch(vin):
        raise PageProblem(404, "not_found")
    try:
        await car_for(ask, vin)
    except Absent:
        raise PageProblem(404, "not_found") from None
    except NotForStrangers:
        return Drawn("car_withheld.html", {"vin": vin}, 403)
    return Drawn("verify_car.html", records_shown(vin, await _history(ask, vin), ask.words), is_kept=False)


async def _history(ask: Ask, vin: str) -> list[Mapping[str, Any]]:
    found = list[Mapping[str, Any]]()
    query = {"limit": str(PAGE_RECORDS)}
    for _ in range(PAGES_MAX):
        answer = await ask.site.nodes.json(f"/v1/vehicles/{vin}/history", query)
        found += answer["records"]
        if answer["cursor"] is None:
            break
        query["cursor"] = answer["cursor"]
    return found


def records_shown(vin: str, records: Sequence[Mapping[str, Any]], words: Words) -> dict[str, Any]:
    """What the page of a car draws. Digests are of what is drawn (see `web.digests`)."""
    language = TAGS.index(words.tag)
    rows = [
        {
            "sequence": sequence, "day": words.day(record.get("event_at")), "author": record.get("author_name") or "–",
            "name": KINDS[kind][language] if (kind := str(record.get("kind", ""))) in KINDS else kind or "–",
            "digest": record_digest(record, sequence),
        }
        for sequence, record in enumerate(records)
    ]  # fmt: skip
    return {"vin": vin, "rows": rows}


PAGES: Final = (Page("/verify", verify, "verify", asks=False), Page("/verify/{vin}", car, "verify"))
