"""The bench runs: what it measures with real processes is asked of it as its user would."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

from benchmarks import __main__ as command  # noqa: E402
from benchmarks import auditing, comparing, profiling, replaying, stages, state_history, votes  # noqa: E402
from benchmarks.feeding import WORKLOADS  # noqa: E402
from benchmarks.measure import Measure, median_run  # noqa: E402
from benchmarks.sampler import COLLECTION, THREADS, Profile  # noqa: E402


def measured(name: str, folder: Path, arguments: tuple[str, ...] = ()) -> dict[str, Any]:
    bench = [sys.executable, "-m", "benchmarks", "--quick", "--only", name, "--json", "--dir", str(folder), *arguments]
    paths = [str(ROOT / "scripts"), str(ROOT / "tests"), *sys.path]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    done = subprocess.run(bench, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, (done.stdout[-2_000:], done.stderr[-2_000:])
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def a_file(folder: Path, content: object) -> Path:
    file = folder / "earlier.json"
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    return file


def an_output(*measures: Measure, **others: object) -> dict[str, object]:
    return {"seed": 1, "quick": True, "measures": [one.to_json() for one in measures]} | others


def a_rate(value: float, name: str = "rate") -> Measure:
    return Measure(name, value, 0.2, value * 1_000, 1_000, "things/s over other things/s")


def a_time(value: float, bar: float = 300) -> Measure:
    return Measure("time", value, bar, value, 1, "ms", bar_is_upper=True)


# --- the auditor's bench ------------------------------------------------------------------------------------
def test_a_planted_divergence_is_named(tmp_path: Path) -> None:
    """In a short chain; the measure itself compares key and transaction with those that were planted."""
    found = auditing.finding(tmp_path, 400, seed=1, block_txs=20)
    assert (11, 1) == (found.details["height"], found.details["keys"])


# --- real processes -----------------------------------------------------------------------------------------
@pytest.mark.slow
def test_a_snapshot_is_measured_and_compared(tmp_path: Path) -> None:
    name = "snapshot sync of 2,000 vehicles"
    earlier = a_file(tmp_path, an_output(Measure(name, 9_000, 1, 9_000, 1, "seconds", bar_is_upper=True)))

    found = measured("snapshot", tmp_path, arguments=("--compare", str(earlier)))

    assert (found["seed"], found["quick"]) == (1, True)
    assert [one["name"] for one in found["measures"]] == [name]
    assert [(one["name"], one["verdict"]) for one in found["compared"]] == [(name, "better")]
    assert found["compared"][0]["ratio"] == found["measures"][0]["value"] / 9_000


def test_the_cost_of_a_state_history_is_measured() -> None:
    found = state_history.measure(60, 20, 1).to_json()
    details = found["details"]
    assert found["value"] == pytest.approx(found["numerator"] / found["denominator"])
    assert (3, 60) == (details["blocks"], details["transactions"])
    assert 100 < details["rows_of_a_block"] < details["bytes_of_a_block"] / 30
    assert details["proof_us"] > details["proof_at_the_head_us"] > 0
    assert 0 < details["commit_ms_without"] < details["commit_ms"]


@pytest.mark.network
def test_the_delay_of_votes_is_measured_at_load_and_without() -> None:
    """On a machine that does other work too: the bars are for `scripts/bench`, but no round is lost to late votes."""
    found = [one.to_json() for one in votes.measure("mixed", 3.0, 1)]
    assert 3 == len(found)
    assert found[-1]["value"] < 1.0, f"of the shortest timer: {found[-1]}"
    for one in found:
        assert one["value"] == one["numerator"] / one["denominator"]
        details = one["details"]
        assert details["committed_per_second"] > 0
        for state in ("quiet", "loaded"):
            assert details[state]["votes"] >= votes.ENOUGH
            assert 0 < details[state]["p50_ms"] <= details[state]["p99_ms"] <= details[state]["max_ms"]


# --- runs and comparison ------------------------------------------------------------------------------------
def test_of_several_runs_the_median_counts() -> None:
    shown = median_run([a_rate(value) for value in (0.3, 0.1, 0.2, 0.4)]).to_json()

    assert (shown["value"], shown["numerator"]) == (0.2, 200)
    assert shown["runs"] == {
        "count": 4,
        "value": {"min": 0.1, "median": 0.2, "max": 0.4},
        "numerator": {"min": 100, "median": 200, "max": 400},
    }


@pytest.mark.parametrize(
    ("old", "new", "verdict"),
    [(1.0, 1.04, "same"), (1.0, 0.96, "same"), (1.0, 1.06, "better"), (1.0, 0.94, "worse"), (0.0, 0.0, "same")],
)
def test_a_verdict_has_a_tolerance(tmp_path: Path, old: float, new: float, verdict: str) -> None:
    opposite = {"better": "worse", "worse": "better", "same": "same"}
    file = a_file(tmp_path, an_output(a_rate(old), a_time(old)))
    earlier = comparing.read_earlier(file, 1, quick=True)

    assert comparing.compare(earlier, a_rate(new), 0.05).verdict == verdict
    assert comparing.compare(earlier, a_time(new), 0.05).verdict == opposite[verdict]
    assert comparing.compare(earlier, a_rate(new), 0.1).verdict == "same"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("no JSON", "is no output of 'scripts/bench --json'"),
        ([], "is no output of 'scripts/bench --json'"),
        ({"seed": 1}, "is no output of 'scripts/bench --json'"),
        ({"seed": 1, "measures": [{"name": "rate"}]}, "is no output of 'scripts/bench --json'"),
        (an_output(seed=2), "was measured with seed 2: give --seed 2"),
        (an_output(quick=False), "was measured without --quick: leave --quick out"),
    ],
)
def test_what_can_not_be_compared_is_told_before_anything_is_measured(
    tmp_path: Path, content: object, sentence: str
) -> None:
    file = a_file(tmp_path, content)
    done = CliRunner().invoke(command.main, ["--quick", "--compare", str(file)])
    assert done.exit_code == 2
    assert sentence in " ".join(done.output.split())
    assert "measuring" not in done.output


def test_a_file_that_is_missing_or_lacks_the_measure_is_told(tmp_path: Path) -> None:
    with pytest.raises(comparing.NotComparable, match="can't be read"):
        comparing.read_earlier(tmp_path / "none.json", 1, quick=True)
    old = {"seed": 1, "measures": [a_rate(1, "replay of 50,000").to_json()]}  # written before sizes were
    earlier = comparing.read_earlier(a_file(tmp_path, old), 1, quick=True)
    with pytest.raises(comparing.NotComparable, match=r"no measure 'replay of 10,000'.*has: replay of 50,000"):
        comparing.compare(earlier, a_rate(1, "replay of 10,000"), 0.05)


@pytest.mark.parametrize(
    ("found", "code"),
    [(a_rate(1.0), 0), (a_rate(0.99), 0), (a_rate(0.9), 1), (a_rate(0.1), 1), (a_time(310), 1), (a_time(250), 0)],
)
def test_exit_code_1_where_worse_or_below_the_bar(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], found: Measure, code: int
) -> None:
    earlier = comparing.read_earlier(a_file(tmp_path, an_output(a_rate(1.0), a_time(305))), 1, quick=True)
    with pytest.raises(SystemExit) as ended:
        command._measure({found.name: lambda: [found]}, 3, earlier, 0.05, {"seed": 1}, False)
    assert ended.value.code == code
    shown = capsys.readouterr().out
    assert ("pass" in shown) == found.passed
    assert shown.count(found.name) == 2, "measured, and compared"


def a_checkout(folder: Path, log: Path, numerators: list[int]) -> Path:
    """Something whose environment has a Python that prints one prepared output after the other."""
    outputs = [an_output(Measure("rate", n / 10, 0.2, n, 10, "")) for n in numerators]
    (folder / "scripts").mkdir(parents=True)
    (folder / "scripts" / "_environment.sh").write_text('PATH="$PWD/bin:$PATH"\n')
    (folder / "outputs.json").write_text(json.dumps(outputs))
    (folder / "bin").mkdir()
    script = folder / "bin" / "python"
    script.write_text(
        f"#!{sys.executable}\nimport json, os, pathlib, sys\n"
        f"file = pathlib.Path({str(folder / 'outputs.json')!r})\n"
        "first, *rest = json.loads(file.read_text())\n"
        "file.write_text(json.dumps(rest))\n"
        f"open({str(log)!r}, 'a').write({folder.name!r} + ' ' + ' '.join(sys.argv[3:]) + '\\n')\n"
        f"assert sys.argv[1:3] == ['-m', 'benchmarks']\n"
        f"assert os.environ['PYTHONPATH'] == {os.pathsep.join((str(ROOT / 'scripts'), str(folder / 'tests')))!r}\n"
        "print(json.dumps(first))\n"
        "sys.exit(1)  # below its bar: measured all the same\n"
    )
    script.chmod(0o755)
    return folder


def test_two_checkouts_are_measured_in_turn(tmp_path: Path) -> None:
    log = tmp_path / "log"
    other = a_checkout(tmp_path / "other", log, [100, 200, 400])
    this = a_checkout(tmp_path / "this", log, [90, 210, 320])

    [found] = comparing.alternate(other, this, 3, ["--only", "replay"])

    wanted = [f"{name} --json --only replay" for name in ("other", "this", "this", "other", "other", "this")]
    assert log.read_text().splitlines() == wanted
    assert found.ratios == [0.9, 1.05, 0.8]
    shown = found.to_json(0.05)
    assert (shown["median_other"], shown["median_this"], shown["median_ratio"]) == (200, 210, 0.9)
    assert (shown["verdict"], found.verdict(0.1)) == ("worse", "same")
    assert len(found.lines(0.05)) == 2 + 3 + 1


def test_profiles_alternate_too() -> None:
    profiled = profiling.Profiled("replay", "title", Profile({("a", "x"): 9_000}, 1, 9_500, 9_500, 500), 3, 1, 2.5)
    name = "processor time of a transaction, replay, us"
    assert comparing._measures_of(profiled.to_json()) == [{"name": name, "numerator": 2.5, "bar_is_upper": True}]
    without_verification = comparing._measures_of(replace(profiled, execution_us=1.5).to_json())[1]
    assert without_verification["name"] == "processor time of a transaction, replay, without verification, us"
    assert without_verification["numerator"] == 1.5
    [without] = comparing._measures_of(profiled.to_json() | {"us": {"plain": 0.0, "sum": 3.0, "execution": 0.0}})
    [found] = comparing.paired([([without], [without | {"numerator": 3.3}])])
    assert (found.pairs, found.verdict(0.05)) == ([(3.0, 3.3)], "worse")


def test_a_checkout_that_can_not_be_measured_is_told(tmp_path: Path) -> None:
    with pytest.raises(comparing.NotComparable, match=r"no checkout with a scripts/_environment\.sh"):
        comparing.measured_in(tmp_path, [])
    silent = a_checkout(tmp_path / "silent", tmp_path / "log", [])
    with pytest.raises(comparing.NotComparable, match=r"failed in .*:\n[\s\S]*ValueError"):
        comparing.measured_in(silent, [])
    with pytest.raises(comparing.NotComparable, match="different things"):
        comparing.paired([([a_rate(1, "one").to_json()], [a_rate(1, "two").to_json()])])


# --- profiles -----------------------------------------------------------------------------------------------
def check_profile(found: profiling.Profiled) -> set[str]:
    """Names of its activities."""
    shown = json.loads(json.dumps(found.to_json()))
    assert sum(row["share"] for row in shown["stages"]) == pytest.approx(1)
    assert sum(row["us"] for row in shown["stages"]) == pytest.approx(shown["us"]["sum"])
    assert 0 < shown["us"]["sum"] + shown["us"]["sampler"] <= shown["us"]["process"] * 1.001
    assert shown["samples"] > 0
    activities = {row["activity"] for row in shown["stages"]}
    assert activities <= {*stages.ACTIVITIES.stages, stages.OTHER, COLLECTION[0], THREADS[0]}
    assert {row["step"] for row in shown["stages"]} <= {*stages.STEPS.stages, ""}
    assert all(activity in "\n".join(found.lines()) for activity in activities)
    return activities


@pytest.mark.parametrize("workload", WORKLOADS)
def test_a_replay_is_profiled(tmp_path: Path, workload: str) -> None:
    found = profiling.replay(tmp_path, 1_000, 3, workload=workload)

    assert {"verify", "execute"} <= check_profile(found)
    assert (found.transactions, found.processes) == (1_000, 1)
    assert 0 < found.execution_us < found.plain_us


def test_most_of_the_maintenance_workload_is_records(tmp_path: Path) -> None:
    shown = replaying.measure(tmp_path, 1_000, 3, "maintenance", yardstick_s=0.2).to_json()
    assert shown["name"] == "replay of 1,000 maintenance transactions, 2 workers"
    assert shown["details"]["types"] == {"maintenance.record": 875, "vehicle.register": 125}


@pytest.mark.network
def test_a_loaded_validator_is_profiled() -> None:
    found = profiling.validator("register", 2.0, 1, validators=1)

    assert {"verify", "build"} <= check_profile(found)
    assert found.transactions > 0


def test_profiles_of_several_processes_add_up() -> None:
    one = Profile({("a", "x"): 5, ("a", ""): 1}, 3, 7, 20, 1)
    other = Profile.from_json(json.loads(json.dumps(Profile({("a", "x"): 2}, 1, 2, 20, 0).to_json())))

    assert Profile.total([one, other]) == Profile({("a", "x"): 7, ("a", ""): 1}, 4, 9, 40, 1)


def test_a_table_that_names_nothing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(stages.STEPS.stages, "gone", ("node.codec:gone",))
    with pytest.raises(click.ClickException, match=r"names what is not there: node\.codec:gone"):
        command._profile("replay", True, 1, "mixed", Path("none"), 1, False)
