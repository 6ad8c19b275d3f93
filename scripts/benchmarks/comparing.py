"""Measures against earlier ones: those of a file, or of another checkout that is measured in turn."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.measure import Measure

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = "scripts/_environment.sh"


class NotComparable(Exception):
    """One sentence that tells the user why, and what to do."""


def verdict_of(old: float, new: float, tolerance: float, *, is_lower_better: bool) -> str:
    """better, same or worse; `tolerance` is a share of the old value."""
    if is_lower_better:
        old, new = -old, -new
    margin = abs(old) * tolerance
    return "better" if new > old + margin else "worse" if new < old - margin else "same"


# --- with a file --------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Earlier:
    """What `scripts/bench --json` printed once."""

    file: Path
    seed: int
    is_quick: bool | None
    """None in files of versions that did not write it down."""
    measures: dict[str, dict[str, Any]]


def read_earlier(file: Path, seed: int, *, quick: bool) -> Earlier:
    """Raises `NotComparable` for anything but the numbers of a run with this seed and of this size."""
    try:
        found = json.loads(file.read_text("utf-8"))
        measures = {
            str(one["name"]): {"value": float(one["value"]), "numerator": float(one["numerator"])}
            for one in found["measures"]
        }
        earlier = Earlier(file, int(found["seed"]), found.get("quick"), measures)
    except OSError as error:
        raise NotComparable(f"{file} can't be read ({error.strerror}): check the path") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise NotComparable(f"{file} is no output of 'scripts/bench --json': make it with that command") from None
    if earlier.seed != seed:
        raise NotComparable(f"{file} was measured with seed {earlier.seed}: give --seed {earlier.seed}")
    if earlier.is_quick is not None and earlier.is_quick != quick:
        fix = "give --quick" if earlier.is_quick else "leave --quick out"
        raise NotComparable(f"{file} was measured {'with' if earlier.is_quick else 'without'} --quick: {fix}")
    return earlier


@dataclass(frozen=True)
class Comparison:
    name: str
    old: float
    new: float
    old_numerator: float
    new_numerator: float
    verdict: str

    @property
    def ratio(self) -> float:
        return self.new / self.old if self.old else float("inf")

    def to_json(self) -> dict[str, Any]:
        return {"name": self.name, "old": self.old, "new": self.new, "ratio": self.ratio, "verdict": self.verdict,
                "old_numerator": self.old_numerator, "new_numerator": self.new_numerator}  # fmt: skip


def compare(earlier: Earlier, found: Measure, tolerance: float) -> Comparison:
    """By `value`. Raises `NotComparable` where the file does not have this measure."""
    old = earlier.measures.get(found.name)
    if old is None:
        names = "; ".join(earlier.measures) or "none"
        raise NotComparable(
            f"{earlier.file} has no measure '{found.name}': measure the same with --only, at the same size (it has: "
            f"{names})"
        )
    verdict = verdict_of(old["value"], found.value, tolerance, is_lower_better=found.bar_is_upper)
    return Comparison(found.name, old["value"], found.value, old["numerator"], found.numerator, verdict)


COMPARISON_HEAD = f"{'measure':<52} {'old':>10} {'new':>10} {'ratio':>7}  verdict  unscaled"


def comparison_line(one: Comparison) -> str:
    """`unscaled`: the numerators, which the yardstick's own noise is not in."""
    unscaled = f"{one.old_numerator:,.0f} -> {one.new_numerator:,.0f}"
    return f"{one.name:<52} {one.old:>10.4g} {one.new:>10.4g} {one.ratio:>7.3f}  {one.verdict:<7}  {unscaled}"


# --- with another checkout ----------------------------------------------------------------------------------
@dataclass(frozen=True)
class Alternated:
    """One measure's numerators, run by run: of the other checkout and of this one, each pair measured in turn."""

    name: str
    pairs: list[tuple[float, float]]
    is_lower_better: bool

    @property
    def ratios(self) -> list[float]:
        return [this / other for other, this in self.pairs]

    def verdict(self, tolerance: float) -> str:
        return verdict_of(1.0, median(self.ratios), tolerance, is_lower_better=self.is_lower_better)

    def to_json(self, tolerance: float) -> dict[str, Any]:
        others, these = zip(*self.pairs, strict=True)
        return {"name": self.name, "other": list(others), "this": list(these), "ratios": self.ratios,
                "median_other": median(others), "median_this": median(these), "median_ratio": median(self.ratios),
                "verdict": self.verdict(tolerance)}  # fmt: skip

    def lines(self, tolerance: float) -> list[str]:
        shown = self.to_json(tolerance)
        found = [self.name, f"{'run':<8} {'other':>12} {'this':>12} {'ratio':>8}"]
        found += [
            f"{index:<8} {other:>12,.1f} {this:>12,.1f} {this / other:>8.3f}"
            for index, (other, this) in enumerate(self.pairs, 1)
        ]
        return [*found, f"{'median':<8} {shown['median_other']:>12,.1f} {shown['median_this']:>12,.1f} "
                f"{shown['median_ratio']:>8.3f}  {shown['verdict']}"]  # fmt: skip


def paired(runs: list[tuple[list[dict[str, Any]], list[dict[str, Any]]]]) -> list[Alternated]:
    """From the measures of each run: (the other checkout's, this one's). Raises `NotComparable` where they differ."""
    others, these = runs[0]
    if [one["name"] for one in others] != [one["name"] for one in these]:
        raise NotComparable(
            f"the checkouts measure different things ({[one['name'] for one in others]} and "
            f"{[one['name'] for one in these]}): choose with --only what both have"
        )
    return [
        Alternated(
            one["name"],
            [(other[at]["numerator"], this[at]["numerator"]) for other, this in runs],
            one["bar_is_upper"],
        )
        for at, one in enumerate(these)
    ]


def _measures_of(shown: dict[str, Any]) -> list[dict[str, Any]]:
    """Of an output of --json; a profile's measures are the processor time of a transaction, and what of it is left
    without verification."""
    if "measures" in shown:
        found: list[dict[str, Any]] = shown["measures"]
        return found
    us, name = shown["us"], f"processor time of a transaction, {shown['profile']}"
    times = {f"{name}, us": us["plain"] or us["sum"], f"{name}, without verification, us": us["execution"]}
    return [{"name": name, "numerator": value, "bar_is_upper": True} for name, value in times.items() if value]


def measured_in(checkout: Path, arguments: list[str]) -> list[dict[str, Any]]:
    """The measures of the checkout's code, in its environment, by these scripts: one ruler for all checkouts. Raises
    `NotComparable` where there are none."""
    if not (checkout / ENVIRONMENT).is_file():
        raise NotComparable(f"{checkout} is no checkout with a {ENVIRONMENT}: name the folder that holds one")
    environment = {name: value for name, value in os.environ.items() if name != "BMW_VENV"}
    environment["PYTHONPATH"] = os.pathsep.join((str(ROOT / "scripts"), str(checkout / "tests")))
    command = ["bash", "-c", f'source {ENVIRONMENT} && exec python -m benchmarks "$@"', "bench", "--json", *arguments]
    done = subprocess.run(command, cwd=checkout, env=environment, capture_output=True, text=True)
    try:
        return _measures_of(json.loads(done.stdout))
    except (ValueError, KeyError):
        text = f"'scripts/bench {' '.join(arguments)}' failed in {checkout}:\n{done.stderr[-2_000:].strip()}"
        raise NotComparable(text) from None


def alternate(other: Path, this: Path, runs: int, arguments: list[str]) -> list[Alternated]:
    """Measure in both checkouts in turn, so that whatever else the machine does meets both. Every second pair begins
    with this one: neither is always the first."""
    pairs = []
    for run in range(runs):
        first, second = (this, other) if run % 2 else (other, this)
        found = measured_in(first, arguments), measured_in(second, arguments)
        pairs.append((found[1], found[0]) if run % 2 else found)
    return paired(pairs)
