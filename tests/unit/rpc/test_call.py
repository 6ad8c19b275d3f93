"""Requests, parsed once at the edge."""

import pytest
from aiohttp.test_utils import make_mocked_request
from hypothesis import given
from hypothesis import strategies as st

from node.crypto.addresses import from_text
from node.errors import Malformed
from node.rpc.call import PageQuery, cursor_text, negotiate, read_cursor, read_hash, read_query
from node.rpc.chain_queries import BlocksQuery, StateQuery
from node.rpc.config import RpcConfig
from node.rpc.problems import Problem
from node.txtypes.vehicle.vehicle import VEHICLE

CONFIG = RpcConfig()


def read_a_vin(text: str) -> str:
    return VEHICLE.ident.canonical(text)


def asked(query: str = "", **headers: str):
    return make_mocked_request("GET", "/x" + query, headers=headers)


def refusal(call, *arguments) -> str:
    with pytest.raises((Problem, Malformed)) as caught:
        call(*arguments)
    return caught.value.code


def test_a_query_becomes_its_struct() -> None:
    assert BlocksQuery(limit=7, start=3) == read_query(asked("?limit=7&from=3"), BlocksQuery, CONFIG)
    assert StateQuery(proof=True) == read_query(asked("?proof=true"), StateQuery, CONFIG)


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("?limti=1", "unknown_parameter"),
        ("?limit=1&limit=2", "malformed"),
        ("?limit=x", "malformed"),
        ("?limit=0", "malformed"),
        ("?limit=", "malformed"),
        ("?limit=1001", "limit_too_large"),
        ("?limit=99999999999999999999999", "limit_too_large"),
        ("?cursor=" + "a" * 500, "malformed"),
    ],
)
def test_a_wrong_query_is_refused(query: str, code: str) -> None:
    assert code == refusal(read_query, asked(query), PageQuery, CONFIG)


def test_an_unknown_parameter_is_answered_with_the_nearest() -> None:
    with pytest.raises(Problem, match="did you mean limit") as caught:
        read_query(asked("?limti=1"), PageQuery, CONFIG)
    assert {"nearest": "limit"} == caught.value.members


def test_cursors_lead_back_to_their_place_and_to_no_other_list() -> None:
    assert "WBA" == read_cursor("a", cursor_text("a", "WBA"), "")
    assert 7 == read_cursor("a", cursor_text("a", 7), 0)
    assert ("", 5) == (read_cursor("a", "", ""), read_cursor("a", "", 5))
    assert "bad_cursor" == refusal(read_cursor, "b", cursor_text("a", "WBA"), "")
    assert "bad_cursor" == refusal(read_cursor, "a", cursor_text("a", 7), "")
    assert "bad_cursor" == refusal(read_cursor, "a", cursor_text("a", "x"), 0)
    assert "bad_cursor" == refusal(read_cursor, "a", cursor_text("a", -1), 0)


@given(st.text(min_size=1, max_size=60))
def test_no_text_is_a_cursor_by_chance(text: str) -> None:
    assert "bad_cursor" == refusal(read_cursor, "listings", text, "")
    assert "bad_cursor" == refusal(read_cursor, "history/x", text, 0)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (read_a_vin, "WBA8E9G50GNU1234"),
        (read_a_vin, "WBA8E9G50GNU12345\n"),
        (read_a_vin, "wba8e9g50gnu12345"),
        (read_a_vin, "WBA8E9G50GNU1234O"),
        (from_text, "bmw1qqq"),
        (from_text, "BMW172PHE9NP2KNJ3YR5JZN2AU45K47DLQJ0PNKFY4"),
    ],
)
def test_path_parts_are_refused_not_mended(call, text: str) -> None:
    assert "malformed" == refusal(call, text)


def test_hashes_are_64_characters_of_lower_case_hex() -> None:
    assert bytes(32) == read_hash("00" * 32, "a txid")
    for text in ("00" * 31, "0" * 63 + "g", "AA" * 32, "00" * 32 + "\n"):
        assert "malformed" == refusal(read_hash, text, "a txid")


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        ("", "a/json"),
        ("*/*", "a/json"),
        ("a/msgpack", "a/msgpack"),
        ("a/*", "a/json"),
        ("text/html,*/*;q=0.1", "a/json"),
        ("a/json;q=0.5, a/msgpack", "a/msgpack"),
        ("a/json;q=0, */*", "a/msgpack"),
        ("a/msgpack;q=x, a/json", "a/json"),
    ],
)
def test_the_answer_is_in_what_the_caller_likes_best(accept: str, chosen: str) -> None:
    request = asked(**({"Accept": accept} if accept else {}))
    assert chosen == negotiate(request, "a/json", "a/msgpack")


def test_a_caller_that_takes_nothing_we_have_is_told() -> None:
    assert "not_acceptable" == refusal(negotiate, asked(Accept="image/png"), "a/json")
