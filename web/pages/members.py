"""The members: who takes part in the chain, in which roles, and how their records and deals fared."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

from web.asking import Ask, Drawn, Page, PageProblem, Query
from web.decoding import value_name
from web.nodes import NodeRefusal
from web.opening_hours import in_words
from web.words import Words

PAGE_SIZE: Final = 30
_CODE: Final = re.compile(r"[a-z_]{1,40}")
_COUNTRY: Final = re.compile(r"[A-Z]{2}")
_PAGE: Final = re.compile(r"[1-9][0-9]{0,3}")


class MembersQuery(Query, frozen=True):
    """`role`, `country`: only those; `q`: part of the name; `page`: from 1."""

    role: str = ""
    country: str = ""
    q: str = ""
    page: str = ""


def checked(**values: tuple[str, re.Pattern[str]]) -> None:
    """Raises `PageProblem` for a value that is given and does not have its form."""
    for name, (value, form) in values.items():
        if value and not form.fullmatch(value):
            raise PageProblem(400, "query_value", name=name)


async def members(ask: Ask) -> Drawn:
    """All members, by name, as the filter has them."""
    query = ask.query(MembersQuery)
    checked(role=(query.role, _CODE), country=(query.country, _COUNTRY), page=(query.page, _PAGE))
    every = await ask.site.directory.members()
    is_whole = ask.site.directory.is_whole("members")
    return Drawn("members.html", listed(every, query) | {"query": query, "is_whole": is_whole})


def listed(every: Sequence[Mapping[str, Any]], query: MembersQuery) -> dict[str, Any]:
    """One page of the members that the filter has, and for each choice of the filter how many members it has."""
    part = query.q.strip().lower()
    found = [
        member
        for member in every
        if query.role in ("", *member["roles"]) and query.country in ("", member["country"]) and part in member["name"]
    ]
    page = min(int(query.page or 1), max(1, -(-len(found) // PAGE_SIZE)))
    return {
        "members": found[(page - 1) * PAGE_SIZE : page * PAGE_SIZE], "count": len(found), "total": len(every),
        "page": page, "pages": max(1, -(-len(found) // PAGE_SIZE)),
        "roles": sorted(Counter(role for member in every for role in member["roles"]).items()),
        "countries": sorted(Counter(member["country"] for member in every).items()),
    }  # fmt: skip


async def member(ask: Ask) -> Drawn:
    """A member: its roles, its places of business, how its records, deals and cases fared."""
    found = await ask.site.directory.member(ask.param("member").lower())
    if found is None:
        raise PageProblem(404, "not_found")
    try:
        conduct = await ask.site.nodes.json(f"/v1/members/{found['address']}/conduct")
    except NodeRefusal:
        conduct = None
    validators = (await ask.site.nodes.json("/v1/validators"))["validators"]
    return Drawn("member.html", member_context(found, conduct, validators, ask))


def member_context(
    found: Mapping[str, Any], conduct: Mapping[str, Any] | None, validators: Sequence[Mapping[str, Any]], ask: Ask
) -> dict[str, Any]:
    """What the page of a member shows of the interface's answers. `conduct` is None where the node does not tell it."""
    return {
        "member": found, "conduct": conduct, "marks": marks_of(found, conduct, ask.words), "is_open": ask.site.is_open,
        "sites": [(site, in_words(ask.words, site["opening_hours"])) for site in found["sites"]],
        "power": next((each["power"] for each in validators if each["address"] == found["address"]), None),
    }  # fmt: skip


def marks_of(found: Mapping[str, Any], conduct: Mapping[str, Any] | None, words: Words) -> list[tuple[str, str, str]]:
    """What a reader should know of a member first: tone, headline, details."""

    def told(key: str, **values: object) -> str:
        return words(f"members.{key}", **values)

    marks: list[tuple[str, str, str]] = []
    if found["status"] != "active":
        marks.append(("bad", told(f"mark_{found['status']}"), value_name(words, found["reason"])))
    if conduct is None:
        return marks
    for fraud in conduct["frauds"]:
        role = words.code("roles", fraud["role"]) if fraud["role"] else told("every_role")
        marks.append(("bad", told("mark_fraud"), told("mark_since", role=role, since=words.day(fraud["since"]))))
    if conduct["is_on_hold"]:
        marks.append(("bad", told("mark_hold"), told("mark_until", until=words.day(conduct["hold_until"]))))
    if conduct["is_barred"]:
        marks.append(("warn", told("mark_barred"), told("mark_until", until=words.day(conduct["barred_until"]))))
    if count := conduct["refunds_overdue"]:
        marks.append(("bad", told("mark_refunds"), told("mark_count", count=words.number(count))))
    if count := conduct["claims_against"]:
        marks.append(("warn", told("mark_claims"), told("mark_count", count=words.number(count))))
    return marks


PAGES: Final = (Page("/members", members, "members"), Page("/member/{member}", member, "members"))
