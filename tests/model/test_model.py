"""Every run of the voting of one height within a bound, with one faulty validator of four (docs/MODEL.md).

The counts are part of the tests: `tendermint.pml`, the same rules written anew for spin, has exactly as many states. A
rule that changes in one of the two and not in the other shows as another number.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from exploration import Exploration, Explored
from voting_model import Rules

ROOT = Path(__file__).parents[2]
EVERY_ROUND = frozenset({0, 1})


def explored(rules: Rules, watched: str = "") -> Explored:
    return Exploration(rules).run(watched)


# --- the protocol ---------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("rules", "states"),
    [
        (Rules(rounds=1), 415),
        (Rules(rounds=2, mute=False), 19_511),
        pytest.param(Rules(rounds=2), 186_292, marks=pytest.mark.slow),
        pytest.param(Rules(rounds=2, honest_rounds=frozenset({1}), mute=False), 129_705, marks=pytest.mark.slow),
        pytest.param(Rules(rounds=2, honest_rounds=EVERY_ROUND, mute=False), 238_193, marks=pytest.mark.slow),
    ],
    ids=[
        "one round",
        "two rounds",
        "two rounds mute",
        "faulty proposer first",
        "honest proposers",
    ],
)
def test_every_promise_holds_in_every_state(rules: Rules, states: int) -> None:
    found = explored(rules)
    assert ("", ()) == (found.broken, found.trace)
    assert states == found.states


def test_a_crash_leads_nowhere_that_a_late_message_could_not() -> None:
    """With the hard state, a restart is a validator that was slow: it adds no state at all."""
    with_crashes, without = (explored(Rules(rounds=2, mute=False, crashes=crashes)) for crashes in (True, False))
    assert with_crashes.states == without.states


# --- teeth: each rule that is taken away is missed ------------------------------------------------------
AGREEMENT = "agreement"


@pytest.mark.parametrize(
    ("rules", "watched", "moves"),
    [
        (Rules(checks_lock=False), AGREEMENT, 10),
        (Rules(quorum=2), AGREEMENT, 4),
        (Rules(correct=2, faulty=2), AGREEMENT, 4),
        (Rules(remembers_votes=False, remembers_lock=False), "one vote a step", 3),
        (Rules(remembers_votes=False, remembers_lock=False), AGREEMENT, 9),
        (Rules(remembers_votes=False), AGREEMENT, 11),
        (Rules(remembers_lock=False), "lock", 4),
        (Rules(remembers_lock=False), AGREEMENT, 11),
        (Rules(locks_at_own_round=False), "lock", 9),
    ],
    ids=[
        "no lock check",
        "half is a quorum",
        "two of four faulty",
        "amnesia, two votes",
        "amnesia, fork",
        "votes forgotten, fork",
        "lock forgotten",
        "lock forgotten, fork",
        "locked at the polka's first round",
    ],
)
def test_a_protocol_without_one_of_its_rules_breaks_a_promise(rules: Rules, watched: str, moves: int) -> None:
    """`moves`: the length of a shortest counterexample."""
    found = explored(rules, watched)
    assert found.broken.startswith(watched)
    assert moves == found.depth == len(found.trace)


def test_a_fork_is_told_move_by_move() -> None:
    found = explored(Rules(quorum=2))
    assert ("p: prevote A", "q: prevote B", "p: precommit A", "q: precommit B") == found.trace


# --- spin -----------------------------------------------------------------------------------------------
@pytest.mark.skipif(not shutil.which("spin"), reason="spin is not installed: Debian's package 'spin'")
@pytest.mark.skipif(not shutil.which("cc"), reason="no C compiler for spin's verifiers: Debian's package 'gcc'")
def test_spin_finds_the_same_number_of_states_and_the_same_counterexamples(tmp_path: Path) -> None:
    """Some of `scripts/model --quick`; the numbers are those above."""
    expected = {
        "free-2": 19_511,
        "honest-2-second": 129_705,
        "honest-2": 238_193,
        "no-lock-check": 10,
        "amnesia-fork": 9,
        "lock-forgotten-fork": 11,
    }
    run = subprocess.run(
        [ROOT / "scripts" / "model", *expected],
        env={**os.environ, "MODEL_BUILD": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
    )
    assert 0 == run.returncode, run.stdout
    assert expected == {line[1]: int(line[2]) for line in re.finditer(r"^(\S+) +(\d+)", run.stdout, re.M)}
