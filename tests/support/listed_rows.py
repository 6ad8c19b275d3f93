"""Rows of listings from a seed, and the members that sell some of them."""

from __future__ import annotations

import random

from node.txtypes.members.member import MEMBER, Grant, Member, Site
from support.chain import address
from web.read_model.row import Price, Row

NOW_MS = 1_800_000_000_000
DEALER, MAKER = address("dealer-munich"), address("bmw")
MUNICH, BERLIN = (48.177, 11.559), (52.52, 13.405)


def member(name: str, role: str, place: tuple[float, float]) -> bytes:
    site = Site("ONE-1", "DE", round(place[0] * 1e6), round(place[1] * 1e6), (), "", "", "")
    grant = Grant(role, (), "", (), 0, 0, ())
    return MEMBER.encode(Member(name, "DE", "", 1, (grant,), (site,), b"", "", ()), 1)


MEMBERS = {DEALER: member("dealer", "dealer", MUNICH), MAKER: member("maker", "manufacturer", BERLIN)}
SELLER_KINDS = {DEALER: "dealer", MAKER: "manufacturer"}


def rows(count: int, seed: int) -> list[Row]:
    """Few different values, so that many listings are alike in what they are sorted by."""
    draw = random.Random(seed)
    found = []
    for number in range(count):
        vin = "" if draw.random() < 0.1 else f"{draw.choice(('WBA8E9G50', 'JTDKB20U0'))}{number:08d}"
        built = f"{draw.randrange(2015, 2021)}-01-01" if vin else ""
        found.append(Row(
            draw.randbytes(32), 1, vin, draw.choice(("330I", "X5", "I4")), draw.choice((DEALER, MAKER, b"p" * 20)),
            draw.choice(("EUR", "CNY")), (Price(draw.randrange(5) * 100_000, NOW_MS - draw.randrange(3) * 10**6),),
            draw.choice(("DE", "CN", "FR")), draw.choice((0, 0, 0, NOW_MS + 10**6)),
            draw.choice((NOW_MS + 10**9, NOW_MS + 10**9, NOW_MS - 10**6)),
            draw.choice(("bev", "petrol")) if vin else "", built,
            draw.choice((-1, 10_000, 50_000_000)), "km", "LOGICAL", draw.randrange(2),
            draw.choice(((), ("taxi",))), warranty_until_ms=draw.choice((0, NOW_MS + 10**9)),
        ))  # fmt: skip
    return found
