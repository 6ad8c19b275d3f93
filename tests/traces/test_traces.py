"""Every trace beside this file, played against the production machine; and the reader of traces itself."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from support.traces import TraceError, TraceMismatch, parse, run, run_file

TRACES = sorted(Path(__file__).parent.glob("*.trace"))
RULES = ("L11", "L22", "L28", "L34", "L36", "L44", "L47", "L49", "L55", "L57", "L61", "L65")

SCENARIOS = (
    "hidden_lock",
    "equivocation",
    "late_proposal",
    "certificate_before_the_proposal",
    "decided_invalid_block",
    "reproposal_after_a_restart",
    "restart_between_prevote_and_precommit",
    "all_killed_with_mixed_precommits",
    "skip_with_exactly_a_third",
    "future_rounds",
    "unequal_powers",
    "single_validator",
    "network/all_four_killed_with_mixed_precommits",
    "network/capped_timers",
    "network/evidence_against_a_readmitted_validator",
    "network/poison_transaction_in_an_undecided_block",
    "network/validator_set_change",
)
"""What has gone wrong somewhere, or easily does: names that a trace's name begins with."""

GOOD = """\
# L57
validators a=1 b=1 c=1 d=1   we are d
proposers a b c d

> start
< round 0
< schedule propose round 0
> timeout propose round 0   # a comment may end a line
< sign prevote nil round 0
= step prevote round 0 locked none valid none wants_start no
"""


@pytest.mark.parametrize("path", TRACES, ids=lambda path: path.stem)
def test_trace(path: Path) -> None:
    run_file(path)


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_of_the_paper_has_its_trace(rule: str) -> None:
    named = [path for path in TRACES if path.stem.startswith(f"{rule.lower()}_")]
    assert any(re.search(rf"{rule}\b", path.read_text(encoding="utf-8")) for path in named)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_scenario_has_its_trace(scenario: str) -> None:
    assert list(Path(__file__).parent.glob(f"{scenario}*.trace"))


def test_a_good_trace_runs() -> None:
    run(parse("good", GOOD))


@pytest.mark.parametrize(
    ("old", "new", "line", "word"),
    [
        ("> start", "> begin", 5, "begin"),
        ("> start", "> start now", 5, "now"),
        ("> start", "! start", 5, "!"),
        ("< round 0", "! round 0", 6, "! round 0"),
        ("< round 0", "< rounds 0", 6, "rounds"),
        ("< round 0", "< round zero", 6, "zero"),
        ("schedule propose", "schedule proposal", 7, "proposal"),
        ("prevote nil", "prevote nill", 9, "nill"),
        ("step prevote", "step voting", 10, "voting"),
        ("locked none", "lock none", 10, "lock"),
        ("proposers a b c d", "proposers a c b d", 3, "c"),
        ("proposers a b c d", "proposals a b c d", 3, "proposals"),
        ("> timeout propose round 0", "> prevote X round 0 from e", 8, "e"),
        ("> timeout propose round 0", "> prevote X round 0 from", 8, "end of the line"),
        ("> timeout propose round 0", "> proposal X round 0 valid_round -1 from b", 8, "b"),
        ("> timeout propose round 0", "> proposal X round 0 valid_round -1 from a early", 8, "early"),
        ("> timeout propose round 0", "> restored round 0 step prevote locked X valid none", 8, "X"),
    ],
)
def test_unknown_words_are_errors_that_name_the_line(old: str, new: str, line: int, word: str) -> None:
    with pytest.raises(TraceError) as caught:
        parse("t", GOOD.replace(old, new, 1))
    assert str(caught.value).startswith(f"t:{line}: ")
    assert word in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "validators a=1   we are a\n",
        "validators a=1   we are b\n> start\n",
        "validators a   we are a\n> start\n",
        "validators a=1   we are a\n< round 0\n> start\n",
        "validators a=1   we are a\n> start\n= round 0\n< round 0\n",
    ],
)
def test_a_trace_without_head_or_order_is_an_error(text: str) -> None:
    with pytest.raises(TraceError, match=r"^t"):
        parse("t", text)


@pytest.mark.parametrize(
    ("old", "new", "line", "said", "happened"),
    [
        ("< sign prevote nil", "< sign prevote X", 9, "- < sign prevote X round 0", "+ < sign prevote nil round 0"),
        ("< schedule propose round 0\n", "", 6, "", "+ < schedule propose round 0"),
        ("< round 0\n", "< round 0\n< need X\n", 7, "- < need X", "+ < schedule propose round 0"),
        (
            "locked none",
            "locked X@0",
            10,
            "- = step prevote round 0 locked X@0",
            "+ = step prevote round 0 locked none",
        ),
        ("< sign prevote nil round 0\n", "", 9, "", "+ < sign prevote nil round 0"),
    ],
)
def test_a_mismatch_shows_the_difference_at_its_line(old: str, new: str, line: int, said: str, happened: str) -> None:
    with pytest.raises(TraceMismatch) as caught:
        run(parse("t", GOOD.replace(old, new, 1)))
    difference = re.sub(r"^([-+])\s+\d*\s+", r"\1 ", str(caught.value), flags=re.MULTILINE)
    assert str(caught.value).startswith(f"t:{line}: after '>")
    assert said in difference
    assert happened in difference
