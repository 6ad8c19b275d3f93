"""The map, places, opening hours, and the lists of members and places of business."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import Any

import pytest

from web.drawing.map import APART, HEIGHT, WIDTH, Pin, clusters_of, key, svg, window_of
from web.drawing.projection import project
from web.opening_hours import in_words
from web.pages.members import PAGE_SIZE, MembersQuery, listed, marks_of
from web.pages.service import ServiceQuery, near_of
from web.pages.service import listed as places_listed
from web.places import cities, city, point
from web.words import TAGS, words_of

EN, DE, ZH = map(words_of, TAGS)
MUNICH, BERLIN, SHANGHAI = (48.137, 11.575), (52.520, 13.405), (31.230, 121.474)


def a_site(member: str, code: str, at: tuple[float, float], *roles: str, **more: Any) -> dict[str, Any]:
    return {
        "member_name": member, "code": code, "country": "DE", "latitude_e6": round(at[0] * 1e6),
        "longitude_e6": round(at[1] * 1e6), "roles": list(roles), "services": [], "capabilities": [],
        "opening_hours": "", "phone": "", "mail": "",
    } | more  # fmt: skip


SITES = [
    a_site("inspector-1", "INS-1", MUNICH, "inspector"),
    a_site("dealer-shanghai", "SHA-1", SHANGHAI, "dealer", country="CN"),
    a_site("workshop-berlin", "BER-1", BERLIN, "workshop", services=["ENGINE_OIL"], opening_hours="Mo-Fr 08:00-18:00"),
]


def a_pin(at: tuple[float, float], name: str = "a", role: str = "workshop") -> Pin:
    return Pin(*at, name, role, "1", f"#{name}")


# --- opening hours ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("given", "told"), [
    ("", []),
    ("Mo-Fr 08:00-18:00", [("Mon to Fri", "08:00–18:00"), ("Sat to Sun", "closed")]),
    ("Mo-Fr 08:00-12:00,13:00-17:00; Sa 09:00-13:00; PH off",
     [("Mon to Fri", "08:00–12:00, 13:00–17:00"), ("Sat", "09:00–13:00"), ("Sun", "closed"),
      ("Public holidays", "closed")]),
    ("00:00-24:00", [("Every day", "round the clock")]),
    ("Mo-Su 09:00-17:00; We off", [("Mon to Tue", "09:00–17:00"), ("Wed", "closed"), ("Thu to Sun", "09:00–17:00")]),
    ("Fr-Mo 10:00-16:00", [("Mon", "10:00–16:00"), ("Tue to Thu", "closed"), ("Fri to Sun", "10:00–16:00")]),
    ("Mo,We 10:00-16:00", [("Mon", "10:00–16:00"), ("Tue", "closed"), ("Wed", "10:00–16:00"),
                           ("Thu to Sun", "closed")]),
])  # fmt: skip
def test_opening_hours_in_words(given: str, told: list[tuple[str, str]]) -> None:
    assert told == in_words(EN, given)


def test_opening_hours_in_the_readers_language() -> None:
    assert ("Mo bis Fr", "08:00–18:00 Uhr") == in_words(DE, "Mo-Fr 08:00-18:00")[0]
    assert ("周一至周五", "08:00–12:00、13:00–17:00") == in_words(ZH, "Mo-Fr 08:00-12:00,13:00-17:00")[0]


# --- places -------------------------------------------------------------------------------------------------------
def test_a_city_is_known_by_its_name_in_any_language() -> None:
    for name in ("munich", "MÜNCHEN", "慕尼黑"):
        found = city(name, "de")
        assert found is not None
        assert ("München", 48.14, 11.58) == found
    assert city("Atlantis", "en") is None
    for tag in TAGS:
        assert len({place.name for place in cities(tag)}) == len(cities(tag))


@pytest.mark.parametrize("text", ["91,0", "0,181", "48", "48.1234567,11", "a,b", "48,11,9"])
def test_what_is_no_point(text: str) -> None:
    assert point(text) is None


def test_a_point_a_site_and_a_member_are_places() -> None:
    for text in ("48.137,11.575", "48.137, 11.575", "inspector-1/INS-1", "inspector-1", "ins-1"):
        near = near_of(text, SITES, EN)
        assert near is not None
        assert MUNICH == (near.latitude, near.longitude)


# --- the map ------------------------------------------------------------------------------------------------------
def test_all_points_are_within_the_window() -> None:
    for points in ([MUNICH], [MUNICH, SHANGHAI], [(-55.0, -70.0), (71.0, 179.0)], []):
        window = window_of(points)
        for x, y in (window.place(*each) for each in points):
            assert 0 <= x <= WIDTH
            assert 0 <= y <= HEIGHT
    assert (WIDTH / 2, HEIGHT / 2) == pytest.approx(window_of([MUNICH, BERLIN], BERLIN).place(*BERLIN))


def test_the_projection_keeps_angles() -> None:
    """A tenth of a degree north is 1/cos(latitude) as long as one east."""
    (x, y), (east, _), (_, north) = project(60.0, 0.0), project(60.0, 0.1), project(60.1, 0.0)
    assert 2.0 == pytest.approx((y - north) / (east - x), rel=0.01)


def test_pins_that_would_cover_each_other_are_one() -> None:
    pins = [a_pin(MUNICH, "a"), a_pin(BERLIN, "b"), a_pin(SHANGHAI, "c")]
    world = clusters_of(pins, window_of([MUNICH, SHANGHAI]))
    assert [["a", "b"], ["c"]] == [[pin.name for pin in cluster.pins] for cluster in world]

    near = clusters_of(pins, window_of([MUNICH, BERLIN]))
    assert ["a", "b"] == [cluster.pins[0].name for cluster in near], "the third is outside"
    one, other = near
    assert (one.x - other.x) ** 2 + (one.y - other.y) ** 2 >= APART**2


def test_the_drawing_is_well_formed_and_escapes_what_it_is_given() -> None:
    evil = '"><script>&'
    pins = [a_pin(MUNICH, evil), a_pin(MUNICH, "b"), a_pin(SHANGHAI, evil, evil)]
    drawn = svg(pins, window_of([MUNICH, SHANGHAI]), evil, evil, lambda _: (evil, evil), MUNICH)
    root = ET.fromstring(drawn)
    links = root.findall("a")
    assert [evil, f"#{evil}"] == [link.attrib["href"] for link in links]
    assert all(link.attrib["aria-label"] for link in links)
    assert not [each for each in root.iter() if each.tag == "script" or "style" in each.attrib]
    ET.fromstring(key("inspector"))


def test_labels_do_not_cover_pins_or_each_other() -> None:
    pins = [a_pin((50.0, 10.0 + 3 * step), "a-long-business-name") for step in range(6)]
    root = ET.fromstring(svg(pins, window_of([(50.0, 5.0), (50.0, 30.0)]), "x.svg", "map", lambda _: ("", "")))
    labels = [each for each in root.iter("text") if each.attrib["class"] == "name"]
    assert 0 < len(labels) < 6


# --- the lists ----------------------------------------------------------------------------------------------------
def test_places_by_distance_with_their_numbers() -> None:
    shown = places_listed(SITES, ServiceQuery(near="Berlin"), EN)["shown"]
    assert [(1, "workshop-berlin", "< 1 km"), (2, "inspector-1", "504 km"), (3, "dealer-shanghai", "8,397 km")] == [
        (spot.number, spot.site["member_name"], spot.away) for spot in shown
    ]
    assert ["engine oil and oil filter"] == shown[0].services
    assert [("Mon to Fri", "08:00–18:00"), ("Sat to Sun", "closed")] == shown[0].hours


@pytest.mark.parametrize(("query", "names"), [
    (ServiceQuery(role="inspector"), ["inspector-1"]),
    (ServiceQuery(country="CN"), ["dealer-shanghai"]),
    (ServiceQuery(service="ENGINE_OIL"), ["workshop-berlin"]),
    (ServiceQuery(service="WASH"), []),
    (ServiceQuery(near="Atlantis"), ["dealer-shanghai", "inspector-1", "workshop-berlin"]),
])  # fmt: skip
def test_places_by_filter(query: ServiceQuery, names: list[str]) -> None:
    assert names == [spot.site["member_name"] for spot in places_listed(SITES, query, EN)["spots"]]


def test_members_by_filter_and_page() -> None:
    every = [{"name": f"dealer-{number:03}", "country": "DE" if number % 2 else "CN", "roles": ["dealer"]}
             for number in range(100)]  # fmt: skip
    found = listed(every, MembersQuery(country="DE", page="2"))
    assert (50, 2, 2, 50 - PAGE_SIZE) == (found["count"], found["page"], found["pages"], len(found["members"]))
    assert ["dealer-042"] == [member["name"] for member in listed(every, MembersQuery(q="042"))["members"]]
    assert 1 == listed(every, MembersQuery(role="bank", page="9"))["page"], "a page that is not there is the last one"
    assert [("CN", 50), ("DE", 50)] == found["countries"]


def test_marks_of_a_member() -> None:
    conduct = {"frauds": [{"role": "dealer", "since": "2026-01-01T00:00:00.000Z"}], "is_on_hold": True,
               "hold_until": "2027-01-01T00:00:00.000Z", "is_barred": False, "barred_until": None,
               "refunds_overdue": 2, "claims_against": 0}  # fmt: skip
    member = {"status": "suspended", "reason": "security"}
    assert [
        ("bad", "This member is suspended", "security"),
        ("bad", "Marked for fraud", "dealer, since 1 Jan 2026"),
        ("bad", "It writes no new records for now", "until 1 Jan 2027"),
        ("bad", "Refunds are overdue, so it sells nothing", "2 in all"),
    ] == marks_of(member, conduct, EN)
    assert [] == marks_of({"status": "active"}, None, EN)
