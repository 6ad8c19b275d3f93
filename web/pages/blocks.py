"""The explorer's pages about blocks: the head, one block, the validators who sign them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from statistics import median
from typing import Any, Final, NamedTuple

from aiohttp import web

from web.asking import Ask, Drawn, Page, PageProblem, Query
from web.decoding import kind_name
from web.nodes import NodeRefusal
from web.pages.search import place_of
from web.party import Parties, Party
from web.recent import BlockSummary, Sent

BLOCKS_SHOWN: Final = 12
SENT_SHOWN: Final = 12
WATCHED: Final = 100
"""Newest blocks that uptime, missed signatures and the time between blocks are counted over."""
SEARCHED: Final = 300
"""Newest blocks that are searched for transactions where the chain is quiet."""
SILENT: Final = 10
"""Newest blocks without a validator's signature from which it is called silent. A validator that is alive is missing
from a certificate at most every other time; ten times in a row, less than once in a thousand."""
_HEIGHT: Final = re.compile(r"[1-9][0-9]{0,14}")
_HASH: Final = re.compile(r"[0-9a-f]{64}")


class ExplorerQuery(Query, frozen=True):
    """`q`: what is looked for; `before`: show blocks below this height."""

    q: str = ""
    before: str = ""


async def explorer(ask: Ask) -> Drawn | web.StreamResponse:
    """The head of the chain, its newest blocks and transactions, and the field that leads to everything else."""
    query = ask.query(ExplorerQuery)
    if (sought := query.q.strip()) and (place := await place_of(ask, sought)) is not None:
        raise web.HTTPSeeOther(ask.link(place))
    status = await ask.site.nodes.json("/v1/status")
    head = status["head"]["height"]
    top = _top(query.before, head)
    watched = await ask.site.recent.between(max(status["first_height"], head - WATCHED + 1), head)
    shown = watched if top == head else await ask.site.recent.between(top - BLOCKS_SHOWN + 1, top)
    validators = await ask.site.recent.validators(watched[0]) if watched else ()
    parties = await Parties.of(ask)
    context = {
        "status": status, "sought": sought, "kind_name": kind_name, "is_open": ask.site.is_open,
        "head_block": watched[0] if watched else None,
        "blocks": [(block, parties(block.proposer)) for block in shown[:BLOCKS_SHOWN]],
        "sent": [(sent, parties(sent.sender)) for sent in await _newest(ask, watched)] if ask.site.is_open else [],
        "searched": SEARCHED,
        "watched": len(watched), "transactions": sum(block.transactions for block in watched),
        "seconds": seconds_between(watched), "validators": len(validators),
        "members": len(await ask.site.directory.members()), "is_newest": top == head,
        "older": top - BLOCKS_SHOWN if top - BLOCKS_SHOWN >= status["first_height"] else 0,
    }  # fmt: skip
    return Drawn("explorer.html", context, 404 if sought else 200, is_kept=not sought)


def _top(before: str, head: int) -> int:
    if not before:
        return head
    if not _HEIGHT.fullmatch(before):
        raise PageProblem(400, "query_value", name="before")
    return min(max(int(before) - 1, 1), head)


async def _newest(ask: Ask, watched: Sequence[BlockSummary]) -> list[Sent]:
    """The newest transactions of the blocks that are watched, and of older ones where those have too few."""
    found = newest(watched)
    if len(found) < SENT_SHOWN and watched and watched[-1].height > 1:
        found = newest(await ask.site.recent.between(watched[0].height - SEARCHED + 1, watched[0].height))
    return found


def newest(blocks: Sequence[BlockSummary]) -> list[Sent]:
    """The newest transactions of blocks, which are given the newest first."""
    return [sent for block in blocks for sent in reversed(block.sent)][:SENT_SHOWN]


def seconds_between(blocks: Sequence[BlockSummary]) -> float | None:
    """The median time from one block to the next; None below two blocks."""
    times = [datetime.fromisoformat(block.time).timestamp() for block in blocks]
    gaps = [later - earlier for later, earlier in zip(times, times[1:], strict=False)]
    return median(gaps) if gaps else None


class Signer(NamedTuple):
    """A validator of a block's height. `signed`: whether the certificate has its signature."""

    party: Party
    power: int
    signed: bool


async def block(ask: Ask) -> Drawn | web.StreamResponse:
    """A block: its header, its certificate, and in the tier `open` its contents."""
    given = ask.param("block").lower()
    if not (_HEIGHT.fullmatch(given) or _HASH.fullmatch(given)):
        raise PageProblem(404, "not_found")
    found = await ask.site.nodes.json(f"/v1/{'blocks' if ask.site.is_open else 'headers'}/{given}")
    if _HASH.fullmatch(given):
        raise web.HTTPSeeOther(ask.link(f"/block/{found['height']}"))
    try:
        validators = (await ask.site.nodes.json("/v1/validators", {"height": given}))["validators"]
    except NodeRefusal:
        validators = []
    parties = await Parties.of(ask)
    signers = signers_of(found, validators, parties)
    context = {
        "block": found, "signers": signers, "kind_name": kind_name, "is_open": ask.site.is_open,
        "power": sum(signer.power for signer in signers), "is_head": found["height"] >= ask.site.nodes.height,
        "signed_power": sum(signer.power for signer in signers if signer.signed),
        "proposer": parties(found["header"]["proposer"]),
        "transactions": [(tx, parties(tx["sender"])) for tx in found["transactions"]] if ask.site.is_open else [],
    }  # fmt: skip
    return Drawn("block.html", context)


def signers_of(found: Mapping[str, Any], validators: Sequence[Mapping[str, Any]], parties: Parties) -> list[Signer]:
    """The validators of a block, each with whether it signed; empty if the set is not known."""
    signatures = found["commit"]["signatures"]
    if len(signatures) != len(validators):
        return []
    return [
        Signer(parties(validator["address"]), validator["power"], bool(signature))
        for validator, signature in zip(validators, signatures, strict=True)
    ]


class Record(NamedTuple):
    """What a validator has signed of the blocks that are watched. `strip`: the newest last; None: not in the set."""

    party: Party
    power: int
    share: float
    signed: int
    missed: int
    proposed: int
    strip: tuple[bool | None, ...]

    @property
    def uptime(self) -> float | None:
        """The share of the watched blocks that it has signed; None if it was in the set of none."""
        return self.signed / (self.signed + self.missed) if self.signed + self.missed else None

    @property
    def silent(self) -> int:
        """How many of the newest blocks in a row are without its signature."""
        return next((place for place, signed in enumerate(reversed(self.strip)) if signed), len(self.strip))


async def validators(ask: Ask) -> Drawn:
    """The validator set, and what each of its members has signed of the newest blocks."""
    current = await ask.site.nodes.json("/v1/validators")
    height = ask.site.nodes.height
    watched = await ask.site.recent.between(height - WATCHED + 1, height)
    sets = {block.validators_hash: await ask.site.recent.validators(block) for block in watched}
    rows = records(current, watched, sets, await Parties.of(ask))
    context = {
        "current": current, "rows": rows, "silent_from": SILENT, "watched": len(watched),
        "first": watched[-1].height if watched else 0, "last": watched[0].height if watched else 0,
    }  # fmt: skip
    return Drawn("validators.html", context)


def records(
    current: Mapping[str, Any], blocks: Sequence[BlockSummary],
    sets: Mapping[str, Sequence[Mapping[str, Any]]], parties: Callable[[str], Party],
) -> list[Record]:  # fmt: skip
    """A record for each validator of the set in force. `blocks`: the newest first; `sets` by their hash. A signature
    counts if the node's certificate has it, or the one in the next block."""
    later = {block.height - 1: block.signed_before for block in blocks}
    strips: dict[str, list[bool | None]] = {validator["address"]: [] for validator in current["validators"]}
    for block in reversed(blocks):
        members = sets.get(block.validators_hash, ())
        known = [signs for signs in (block.signed, later.get(block.height, ())) if len(signs) == len(members)]
        signed = {each["address"]: any(signs) for each, *signs in zip(members, *known, strict=True)} if known else {}
        for address, strip in strips.items():
            strip.append(signed.get(address))
    return [
        Record(
            parties(validator["address"]), validator["power"], validator["power"] / (current["total_power"] or 1),
            strips[validator["address"]].count(True), strips[validator["address"]].count(False),
            sum(block.proposer == validator["address"] for block in blocks), tuple(strips[validator["address"]]),
        )
        for validator in sorted(current["validators"], key=lambda each: (-each["power"], each["name"]))
    ]  # fmt: skip


PAGES: Final = (
    Page("/explorer", explorer, "explorer"),
    Page("/block/{block}", block, "explorer"),
    Page("/validators", validators, "explorer"),
)
