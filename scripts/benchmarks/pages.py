"""`scripts/pages_bench`: search of a large market with its page, the time to read one, what a reader waits for, kills,
fuzzing, an overload."""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from pathlib import Path

import click
from support.browsing import serving_pages
from support.killed_pages import kill_and_compare, progress
from support.market import genesis_file, grow, known_in, market_chain, market_node
from support.page_queries import fuzz
from support.processes import wait_for
from support.promised import promised
from support.raw_http import crowd, shower

from benchmarks.measure import Measure
from benchmarks.pages_market import made_store, node_of
from benchmarks.pages_overload import overload
from benchmarks.pages_paint import paint
from benchmarks.pages_search import search
from benchmarks.pages_served import served

BUILD_S = 60.0


# --- filling --------------------------------------------------------------------------------------------------
def build(folder: Path, count: int) -> Measure:
    """The time from the start of `bmw-node serve` with an empty home until every car is in its rows, over HTTP."""
    made, cpu = made_store(folder, count), [_cpu_s()]
    with node_of(made) as node:
        with tempfile.TemporaryDirectory() as home:
            began = time.perf_counter()
            with serving_pages(Path(home) / "home", made / "genesis.json", [node.url]) as served:
                wait_for(lambda: progress(Path(home) / "home").is_complete, 600, "the rows")
                taken = time.perf_counter() - began
                rows = progress(Path(home) / "home").rows
                assert rows == count, f"{rows} rows of {count} cars; {served.log.read_text()[-400:]}"
        cpu.append(_cpu_s())
    cpu.append(_cpu_s())
    told = {"processor_s": {"pages": round(cpu[1] - cpu[0], 1), "node": round(cpu[2] - cpu[1], 1)}}
    bar = BUILD_S * count / 100_000
    return Measure(f"rows of {count:,} listed cars, over HTTP", taken, bar, taken, 1, "seconds", True, told)


def _cpu_s() -> float:
    """Seconds of the processor that children have used which have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


# --- the command ----------------------------------------------------------------------------------------------
@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument(
    "which",
    type=click.Choice(["search", "build", "kills", "fuzz", "raw", "schema", "crowd", "overload", "paint", "served"]),
)
@click.option(
    "--count", type=int,
    help="Listings of search (10^6) and build (10^5), kills (20), queries of fuzz (10^5), raw requests (10^4), "
    "examples of schema for each path (200), connections of crowd (3,000), seconds of each part of overload (20) "
    "and of served (20), visits of each page of paint (3).",
)  # fmt: skip
@click.option("--seed", type=int, default=1, show_default=True)
@click.option("--dir", "folder", type=click.Path(path_type=Path), default=Path("build/bench"), show_default=True,
              help="Where the store of build is kept.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Values, bars, details.")
def main(which: str, count: int | None, seed: int, folder: Path, *, as_json: bool) -> None:
    """Measure the pages, or try to break them. Exit code 1 above a bar, or at the first difference."""
    found: list[Measure] = []
    match which:
        case "search":
            found = search(count or 1_000_000, seed)
        case "build":
            found = [build(folder, count or 100_000)]
        case "overload":
            found = overload(count or 20, seed)
        case "paint":
            found = paint(count or 3)
        case "served":
            found = served(folder, count or 20, seed)
        case "kills":
            _kills(count or 20, seed)
        case _:
            _tried(which, count, seed)
    for measure in found:
        print(json.dumps(measure.to_json()) if as_json else _line(measure))
    sys.exit(0 if all(measure.passed for measure in found) else 1)


def _line(measure: Measure) -> str:
    word = "pass" if measure.passed else "FAIL"
    sign = "<=" if measure.bar_is_upper else ">="
    return (
        f"{word}  {measure.name:<56} {measure.value:.3g} {measure.unit} {sign} {measure.bar:g}  {measure.details or ''}"
    )


def _kills(kills: int, seed: int) -> None:
    chain = market_chain()
    grow(chain, 3_000)
    with tempfile.TemporaryDirectory() as folder, market_node(chain) as node:
        told = kill_and_compare(node, Path(folder), kills, seed)
        print(f"{kills} kills, {told.while_filling} while filling; {told.rows} rows equal those of a fresh build")


def _tried(which: str, count: int | None, seed: int) -> None:
    """Requests to the pages of a market of 300 cars; what was answered how often."""
    chain = market_chain()
    grow(chain, 300)
    with tempfile.TemporaryDirectory() as folder, market_node(chain) as node:
        home = Path(folder) / "home"
        with serving_pages(
            home, genesis_file(chain, Path(folder)), [node.url], tier="open", node_requests_per_second=100_000
        ) as served:
            wait_for(lambda: progress(home).is_complete, what="the rows")
            found: Counter[int] | Counter[str]
            match which:
                case "fuzz":
                    found = fuzz(served.url, count or 100_000, seed, known_in(chain))
                case "raw":
                    found = shower(served.url, count or 10_000, seed)
                case "schema":
                    with urllib.request.urlopen(node.url + "/openapi.json") as answer:
                        found = promised(served.url, json.load(answer), count or 200, seed)
                case _:
                    found = crowd(served.url, count or 3_000)
            said = Path(served.log).read_text()
            assert "page_failed" not in said, said[-2_000:]
            print(f"{which}, seed {seed}, {found.total():,} in all: {dict(sorted(found.items()))}")


if __name__ == "__main__":
    main()
