"""scripts/simulate: numbers that a program can read, and a failure that says how to see it again."""

from __future__ import annotations

import json
import shlex

import pytest
from click.testing import CliRunner
from support.simulation.cli import main

from node.replica.signer import LocalSigner


def test_the_numbers_come_as_json() -> None:
    done = CliRunner().invoke(main, ["--seeds", "2", "--first", "11", "--processes", "1", "--json"])

    found = json.loads(done.stdout)
    assert (done.exit_code, found["seeds"], found["violations"]) == (0, 2, [])
    assert found["heights"] >= 8
    assert found["rules"]["L49 decide"] >= found["heights"] and found["faults"]


def test_one_seed_shows_its_digest_and_the_same_again() -> None:
    first, again = (CliRunner().invoke(main, ["--seed", "11", "--heights", "2"]) for _ in range(2))

    digest = next(line for line in first.stdout.splitlines() if line.startswith("digest "))
    assert digest in again.stdout


def test_a_failure_prints_the_command_that_repeats_it_and_shrinks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LocalSigner, "_persist", lambda *_: None)

    done = CliRunner().invoke(main, ["--seed", "0", "--heights", "1", "--shrink"])

    assert done.exit_code == 1
    repeats = [line.removeprefix("repeat: ") for line in done.stderr.splitlines() if line.startswith("repeat: ")]
    assert repeats[0] == "scripts/simulate --seed 0 --heights 1"
    arguments = shlex.split(repeats[-1])[1:]
    assert "--without" in arguments, "most planned events are not needed to see it"
    smaller = CliRunner().invoke(main, arguments)
    assert smaller.exit_code == 1 and "before it was on disk" in smaller.stderr


def test_an_unknown_option_names_the_known_ones() -> None:
    done = CliRunner().invoke(main, ["--seed", "0", "--set", "weather=1"])

    assert done.exit_code == 2
    assert "weather" in done.stderr and "power_cuts" in done.stderr
