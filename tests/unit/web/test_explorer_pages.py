"""What the explorer counts: signatures, silence, the time between blocks; and how it tells an order's steps."""

from __future__ import annotations

from typing import Any

import pytest

from web.pages.blocks import newest, records, seconds_between, signers_of
from web.pages.transactions import TONES, guard_text
from web.party import Party
from web.recent import SENT_MAX, BlockSummary, Sent, summary

A, B, C = "bmw1a", "bmw1b", "bmw1c"
SET = {"set": [{"address": A}, {"address": B}, {"address": C}]}
CURRENT = {"total_power": 40, "validators": [{"address": each, "name": each, "power": 10} for each in (A, B, C, "new")]}


def a_party(address: str) -> Party:
    return Party(address, "", address, is_member=True)


def a_block(height: int, signed: str, before: str = "", sent: int = 0, second: int = 0) -> BlockSummary:
    """`signed`, `before`: a letter for each validator, `x` where it signed."""
    time = f"2026-01-01T00:00:{second:02}.000Z"
    transactions = tuple(Sent(f"{height}-{place}", "", A, height, time) for place in range(sent))
    return BlockSummary(
        height, f"{height:064x}", time, A, 0, "set", sent, tuple(each == "x" for each in signed),
        tuple(each == "x" for each in before), transactions,
    )  # fmt: skip


def records_of(*blocks: BlockSummary) -> dict[str, Any]:
    found = records(CURRENT, blocks, SET, a_party)  # type: ignore[arg-type]
    return {record.party.address: record for record in found}


def test_a_signature_counts_from_either_certificate() -> None:
    found = records_of(a_block(3, "xx.", "..x"), a_block(2, "xx.", "xx."), a_block(1, "xx."))
    assert (True, True, True) == found[A].strip
    assert (False, True, False) == found[C].strip, "block 3 carries the signature for block 2"
    assert (1, 2, 1 / 3) == (found[C].signed, found[C].missed, found[C].uptime)
    assert 3 == found[A].proposed


def test_silence_counts_the_newest_blocks_in_a_row() -> None:
    found = records_of(a_block(3, "x.."), a_block(2, "xx."), a_block(1, "xx."))
    assert (0, 1, 3) == (found[A].silent, found[B].silent, found[C].silent)


def test_a_validator_that_was_in_no_set_has_no_uptime() -> None:
    record = records_of(a_block(1, "xxx"))["new"]
    assert (None, 0, 0, (None,)) == (record.uptime, record.signed, record.missed, record.strip)


def test_a_set_that_is_not_known_counts_nobody() -> None:
    assert all(record.uptime is None for record in records(CURRENT, [a_block(1, "xx")], {}, a_party))  # type: ignore[arg-type]


def test_signers_follow_the_order_of_the_set() -> None:
    validators = [{"address": A, "power": 10}, {"address": B, "power": 5}]
    found = {"commit": {"signatures": ["", "ab"]}}
    assert [(A, False), (B, True)] == [(each.party.address, each.signed)
                                       for each in signers_of(found, validators, a_party)]  # type: ignore[arg-type]  # fmt: skip
    assert [] == signers_of(found, validators[:1], a_party)  # type: ignore[arg-type]


def test_the_time_between_blocks_is_the_median() -> None:
    assert 2.0 == seconds_between([a_block(3, "", second=32), a_block(2, "", second=30), a_block(1, "", second=28)])
    assert seconds_between([a_block(1, "")]) is None


def test_the_newest_transaction_is_the_last_one_of_the_newest_block() -> None:
    assert ["2-1", "2-0", "1-0"] == [sent.txid for sent in newest([a_block(2, "", sent=2), a_block(1, "", sent=1)])]


def test_a_summary_keeps_no_body() -> None:
    transactions = [{"txid": str(place), "type": "account.open", "sender": A, "body": {}} for place in range(50)]
    block = {"height": 1, "id": "i", "time": "t", "header": {"proposer": A, "validators_hash": "v"},
             "commit": {"round": 1, "signatures": ["a", ""]}, "last_commit": {"signatures": []},
             "transactions": transactions}  # fmt: skip
    found = summary(block)
    assert (50, SENT_MAX, (True, False), ()) == (
        found.transactions, len(found.sent), found.signed, found.signed_before,
    )  # fmt: skip


@pytest.mark.parametrize(("tag", "word"), [("en", "vehicle"), ("de", "Fahrzeug"), ("zh", "车")])
def test_a_guard_speaks_the_readers_language(tag: str, word: str) -> None:
    unmet = {"code": "vehicle_unknown", "subject": "WBA8E9G50GNU00000", "have": "", "need": "", "text": "?"}
    assert word in guard_text(unmet, tag)
    assert "?" == guard_text(unmet | {"code": "of_a_newer_ruleset"}, tag)


def test_every_tone_is_a_class_of_the_style() -> None:
    assert {"good", "warn", "bad", ""} == set(TONES.values())
