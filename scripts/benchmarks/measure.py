"""One measured ratio, and the yardsticks that it is measured by."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from statistics import median_low
from typing import Any

from nacl.bindings import crypto_sign_BYTES, crypto_sign_open, crypto_sign_seed_keypair

MESSAGE_BYTES = 200
"""About what a transaction's signature covers."""


@dataclass
class Measure:
    """`value` is numerator / denominator, or the numerator alone where a time is bounded (`bar_is_upper`)."""

    name: str
    value: float
    bar: float
    numerator: float
    denominator: float
    unit: str
    bar_is_upper: bool = False
    details: dict[str, Any] = field(default_factory=dict)
    runs: dict[str, Any] = field(default_factory=dict)
    """Of a measure that was repeated: how often, and the least, median and greatest value and numerator."""

    @property
    def passed(self) -> bool:
        return self.value <= self.bar if self.bar_is_upper else self.value >= self.bar

    @property
    def shown(self) -> str:
        """The value with its unit, if it has one."""
        if self.denominator != 1 or not self.bar_is_upper:
            return f"{self.value:.3f}"
        unit = {"seconds": "s", "bytes": "B", "MiB": "MiB"}.get(self.unit.split()[0], "ms")
        return f"{self.value:.1f} {unit}" if unit == "s" else f"{self.value:.0f} {unit}"

    @property
    def parts(self) -> str:
        """Numerator and denominator of a ratio, with three digits at least."""
        if self.denominator == 1:
            return ""
        digits = 0 if min(abs(self.numerator), abs(self.denominator)) >= 100 else 2
        return f"{self.numerator:,.{digits}f} / {self.denominator:,.{digits}f}"

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"pass": self.passed}


def median_run(runs: list[Measure]) -> Measure:
    """Of several runs of one measure that with the median value (of an even number, the lower of the middle two)."""
    assert len({one.name for one in runs}) == 1, "runs of one measure"
    value = median_low(one.value for one in runs)
    middle = next(one for one in runs if one.value == value)
    spreads = {"value": _spread([m.value for m in runs]), "numerator": _spread([m.numerator for m in runs])}
    return replace(middle, runs={"count": len(runs)} | spreads)


def _spread(values: list[float]) -> dict[str, float]:
    return {"min": min(values), "median": median_low(values), "max": max(values)}


def _verify_for(seconds: float, clock: Callable[[], float] = time.perf_counter) -> float:
    public, secret = crypto_sign_seed_keypair(bytes(32))
    from nacl.bindings import crypto_sign

    signed = crypto_sign(bytes(MESSAGE_BYTES), secret)
    assert len(signed) == MESSAGE_BYTES + crypto_sign_BYTES
    started, count = clock(), 0
    while (passed := clock() - started) < seconds:
        for _ in range(200):
            crypto_sign_open(signed, public)
        count += 200
    return count / passed


def verifications_per_second(processes: int, seconds: float = 3.0) -> float:
    """What libsodium verifies on so many processes at once, nothing else done."""
    if processes == 1:
        return _verify_for(seconds)
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        pool.map(_verify_for, [0.2] * processes)
        return sum(pool.map(_verify_for, [seconds] * processes, chunksize=1))


def verification_us(seconds: float) -> float:
    """Microseconds of processor time that libsodium takes for one verification, measured for so long in this thread."""
    return 1e6 / _verify_for(seconds, time.thread_time)


def processor_s(pid: int) -> float:
    """Seconds of processor time that a process has taken, without its children."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
