"""Where a program's processor time goes: its main thread's stack is looked at, again and again, by a signal."""

from __future__ import annotations

import gc
import signal
import threading
import time
from collections import defaultdict
from dataclasses import asdict, dataclass, field
from types import FrameType
from typing import Any

from benchmarks.stages import stage_of

COLLECTION = ("garbage collection", "")
THREADS = ("other threads", "")


@dataclass
class Profile:
    """Nanoseconds of processor time by (activity, step), and what the whole process took meanwhile."""

    spent: dict[tuple[str, str], int] = field(default_factory=dict)
    samples: int = 0
    process_ns: int = 0
    wall_ns: int = 0
    sampler_ns: int = 0
    """Taken by the sampler itself; part of `process_ns`, in no stage."""

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"spent": [[*stage, ns] for stage, ns in self.spent.items()]}

    @staticmethod
    def from_json(shown: dict[str, Any]) -> Profile:
        return Profile(**(shown | {"spent": {(activity, step): ns for activity, step, ns in shown["spent"]}}))

    @staticmethod
    def total(profiles: list[Profile]) -> Profile:
        """Of several processes."""
        whole = Profile()
        for one in profiles:
            for stage, ns in one.spent.items():
                whole.spent[stage] = whole.spent.get(stage, 0) + ns
            whole.samples += one.samples
            whole.process_ns += one.process_ns
            whole.wall_ns += one.wall_ns
            whole.sampler_ns += one.sampler_ns
        return whole


class Sampler:
    """Of the main thread, in which `start` and `stop` are called.

    A sample stands for the processor time that the thread has taken since the one before, so that nothing is counted
    while the process waits or another one has its core. Python runs the handler where the signal came, or at the next
    call or loop: in the function whose C code was running, not where a lock is given up. `start` once; `stop` once.
    """

    def __init__(self, interval_s: float, *, is_busy: bool) -> None:
        """`is_busy`: for a program that never waits, by a fine timer of wall time. Else by one of processor
        time, which ticks only while the process runs, as coarsely as the kernel does (about 4 ms)."""
        self._interval_s = interval_s
        self._timer, self._signal = (
            (signal.ITIMER_REAL, signal.SIGALRM) if is_busy else (signal.ITIMER_PROF, signal.SIGPROF)
        )
        self._spent: defaultdict[tuple[str, str], int] = defaultdict(int)
        self._samples = self._sampler_ns = 0
        self._last_ns = self._collecting_ns = 0
        self._started = (0, 0, 0)
        self._is_counting = False
        """Off before the start, after the end and in the sampler: what is collected then is not the program's."""

    def start(self) -> None:
        signal.signal(self._signal, self._sample)
        signal.siginterrupt(self._signal, False)
        gc.callbacks.append(self._collecting)
        self._started = (time.perf_counter_ns(), time.process_time_ns(), time.thread_time_ns())
        self._last_ns = self._started[2]
        self._is_counting = True
        signal.setitimer(self._timer, self._interval_s, self._interval_s)

    def stop(self) -> Profile:
        self._is_counting = False
        signal.setitimer(self._timer, 0)
        wall, process, thread = time.perf_counter_ns(), time.process_time_ns(), time.thread_time_ns()
        gc.callbacks.remove(self._collecting)
        wall, process, thread = (now - then for now, then in zip((wall, process, thread), self._started, strict=True))
        threads = {THREADS: max(0, process - thread)}
        return Profile(dict(self._spent) | threads, self._samples, process, wall, self._sampler_ns)

    def _sample(self, _: int, frame: FrameType | None) -> None:
        if self._collecting_ns or not self._is_counting:  # in a finalizer, or the last signal after the end
            return
        self._is_counting = False
        now = time.thread_time_ns()
        self._samples += 1
        self._spent[stage_of(frame)] += now - self._last_ns
        self._last_ns = time.thread_time_ns()
        self._sampler_ns += self._last_ns - now
        self._is_counting = True

    def _collecting(self, phase: str, _: dict[str, int]) -> None:
        """A collection comes wherever an object is made, and counts for no function."""
        if not self._is_counting or threading.current_thread() is not threading.main_thread():
            return
        now = time.thread_time_ns()
        if phase == "start":
            self._collecting_ns = now
        elif self._collecting_ns:
            taken, self._collecting_ns = now - self._collecting_ns, 0
            self._spent[COLLECTION] += taken
            self._last_ns += taken
