"""`bmw-node` with a sampler: `python -m benchmarks.profiled_node RESULT start --home ...`.

SIGUSR1 begins to sample, SIGUSR2 ends and writes the profile to RESULT.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

from benchmarks.sampler import Sampler
from node.cli.node import main

BEGIN, END = signal.SIGUSR1, signal.SIGUSR2
INTERVAL_S = 0.001
"""The kernel's own ticks are longer."""


def run(result: Path, arguments: list[str]) -> None:
    sampler = Sampler(INTERVAL_S, is_busy=False)

    def end(*_: object) -> None:
        unfinished = result.with_suffix(".part")
        unfinished.write_text(json.dumps(sampler.stop().to_json()))
        os.replace(unfinished, result)

    signal.signal(BEGIN, lambda *_: sampler.start())
    signal.signal(END, end)
    sys.argv = ["bmw-node", *arguments]
    main()


if __name__ == "__main__":
    run(Path(sys.argv[1]), sys.argv[2:])
