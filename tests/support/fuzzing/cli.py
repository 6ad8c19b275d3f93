"""scripts/fuzz: new inputs from good ones against every target; what crashes is kept, and said how to repeat."""

from __future__ import annotations

import importlib.util
import json
import multiprocessing
import resource
import sys
import time
import traceback
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Any, Final

import click

from support.fuzzing.mutation import LENGTH_MAX, mutated
from support.fuzzing.registry import TARGETS, target_named
from support.fuzzing.specimens import from_vectors
from support.fuzzing.target import Target

SLOW_PART: Final = 10
"""A slow target gets one input where a quick one gets so many."""
CORPUS_GROWTH_MAX: Final = 300
"""Inputs that were taken and are mutated further, for each target."""
MEMORY_BYTES_MAX: Final = 1024 * 1024 * 1024
"""Above what a process has when it begins. An input that asks for more ends in a `MemoryError`: a crash."""
DEFAULT_INPUTS: Final = 100_000
NO_BOUND: Final = 10**12
CRASHES_KEPT: Final = 5
"""Of one target, each from another line of code."""


@dataclass
class Result:
    target: str
    inputs: int = 0
    taken: int = 0
    seconds: float = 0.0
    slowest_ms: float = 0.0
    crashes: dict[str, str] = field(default_factory=dict)
    """Where and what, to the file that holds the input."""


def place_of(error: BaseException) -> str:
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} at {Path(frame.filename).name}:{frame.lineno}: {str(error)[:120]}"


def keep(folder: Path, target: Target, data: bytes) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{target.name.replace(' ', '_').replace(',', '')}-{sha256(data).hexdigest()[:16]}"
    path.write_bytes(data)
    return str(path)


def fuzz(target: Target, seed: int, inputs: int, seconds: float, folder: Path) -> Result:
    """At most `inputs` of them and not much longer than `seconds`. The same seed gives the same inputs."""
    chance = Random(f"{seed}/{target.name}")
    corpus = list(target.corpus())
    corpus += [data for data in from_vectors() if _is_taken(target, data)]
    most, result = len(corpus) + CORPUS_GROWTH_MAX, Result(target.name)
    seen: set[str] = set()
    began = before = time.perf_counter()
    while result.inputs < inputs and before - began < seconds:
        data = mutated(chance, corpus)
        result.inputs += 1
        try:
            if target.run(data):
                result.taken += 1
                if len(corpus) < most and len(data) < LENGTH_MAX // 8:
                    corpus.append(data)
        except Exception as error:
            place = place_of(error).split(": ")[0]
            if place not in seen and len(seen) < CRASHES_KEPT:
                result.crashes[place_of(error)] = keep(folder, target, data)
            seen.add(place)
        now = time.perf_counter()
        result.slowest_ms = max(result.slowest_ms, (now - before) * 1000)
        before = now
    result.seconds = before - began
    return result


def _is_taken(target: Target, data: bytes) -> bool:
    try:
        return target.run(data)
    except Exception:
        return False  # will be found again, and told


def shares(targets: list[Target], inputs: int) -> list[int]:
    weights = [1 if target.is_slow else SLOW_PART for target in targets]
    return [max(1, round(inputs * weight / sum(weights))) for weight in weights]


def _limit_memory() -> None:
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY_BYTES_MAX, hard))


def _job(job: tuple[str, int, int, float, str]) -> Result:
    name, seed, inputs, seconds, folder = job
    return fuzz(target_named(name), seed, inputs, seconds, Path(folder))


def _run_atheris(target: Target, arguments: list[str], folder: Path) -> None:
    """Guided by coverage; ends with the process."""
    import atheris

    corpus = folder / "corpus" / target.name.replace(" ", "_")
    corpus.mkdir(parents=True, exist_ok=True)
    for data in target.corpus():
        (corpus / sha256(data).hexdigest()[:16]).write_bytes(data)
    atheris.instrument_all()
    atheris.Setup(
        [sys.argv[0], f"-artifact_prefix={folder}/", f"-max_len={LENGTH_MAX}", *arguments, str(corpus)],
        lambda data: target.run(data) and None,
    )
    atheris.Fuzz()


def _tell(results: list[Result], seconds: float, peak: int, *, as_json: bool) -> None:
    inputs = sum(result.inputs for result in results)
    if as_json:
        totals: dict[str, Any] = {
            "inputs": inputs,
            "targets": len(results),
            "crashes": sum(len(result.crashes) for result in results),
            "seconds": round(seconds, 1),
            "inputs_per_second": round(inputs / seconds),
            "peak_memory_mib": peak // 1024,
        }
        click.echo(json.dumps(totals | {"results": [asdict(result) for result in results]}, indent=2))
        return
    for result in results:
        rate = result.inputs / max(result.seconds, 1e-9)
        line = f"{result.target:24} {result.inputs:9,} inputs {rate:9,.0f}/s {result.taken:8,} taken"
        click.echo(f"{line}  slowest {result.slowest_ms:6.1f} ms  {len(result.crashes)} crashes")
        for place, path in result.crashes.items():
            click.echo(f"    {place}\n    repeat: scripts/fuzz --target '{result.target}' --repeat {path}")
    click.echo(
        f"{inputs:,} inputs over {len(results)} targets in {seconds:.0f} s ({inputs / seconds:,.0f}/s), "
        f"{sum(len(result.crashes) for result in results)} crashes, at most {peak // 1024} MiB in a process"
    )


@click.command(context_settings={"help_option_names": ["-h", "--help"], "ignore_unknown_options": True})
@click.option("--inputs", type=int, help="Over all targets.  [default: 100000, or as many as --seconds allow]")
@click.option("--seconds", type=float, help="Over all targets, about.")
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed gives the same inputs.")
@click.option("--target", "names", multiple=True, help="Only this one; may be repeated.  [default: all]")
@click.option("--processes", type=int, default=2, show_default=True)
@click.option(
    "--crashes", type=click.Path(path_type=Path), default=Path(".fuzz"), help="Where crashing inputs are kept."
)
@click.option(
    "--repeat", type=click.Path(exists=True, path_type=Path), help="Run this one input, and show what it raises."
)
@click.option(
    "--atheris", "is_guided", is_flag=True, help="Guided by coverage, one target; needs 'pip install atheris'."
)
@click.option("--list", "is_list", is_flag=True, help="Name the targets.")
@click.option("--json", "as_json", is_flag=True, help="Print the numbers as JSON.")
@click.argument("libfuzzer", nargs=-1, type=click.UNPROCESSED)
def main(
    inputs: int | None,
    seconds: float | None,
    seed: int,
    names: tuple[str, ...],
    processes: int,
    crashes: Path,
    repeat: Path | None,
    is_guided: bool,
    is_list: bool,
    as_json: bool,
    libfuzzer: tuple[str, ...],
) -> None:
    """Throw inputs made from good ones at every decoder, the handshake, the frames and the parsers.

    Example: scripts/fuzz --inputs 1000000
    """
    targets = [target_named(name) for name in names] or TARGETS
    if is_list:
        for target in targets:
            click.echo(target.name)
        return
    if repeat is not None or is_guided:
        if len(names) != 1:
            raise click.UsageError("name the one target with --target")
        if repeat is not None:
            click.echo("taken" if targets[0].run(repeat.read_bytes()) else "refused")
            return
        if importlib.util.find_spec("atheris") is None:
            raise click.UsageError("atheris is not installed here: 'pip install atheris', or leave --atheris out")
        _run_atheris(targets[0], list(libfuzzer), crashes)
        return
    most = inputs or (DEFAULT_INPUTS if seconds is None else NO_BOUND)
    each_s = NO_BOUND if seconds is None else seconds * processes / len(targets)
    jobs = [
        (target.name, seed, count, float(each_s), str(crashes))
        for target, count in zip(targets, shares(targets, most), strict=True)
    ]
    began = time.perf_counter()
    context = multiprocessing.get_context("fork")
    with context.Pool(processes, initializer=_limit_memory) as pool:
        results = pool.map(_job, jobs, chunksize=1)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    _tell(results, time.perf_counter() - began, peak, as_json=as_json)
    sys.exit(1 if any(result.crashes for result in results) else 0)


if __name__ == "__main__":
    main()
