"""`scripts/certificates`: random changes of certificates, the verdicts of both verifiers, sizes and times."""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from random import Random

from support.certifying.asking import answered
from support.certifying.chance import good_certificates, random_change, random_question
from support.certifying.measuring import BARS, hash_microseconds, measure
from support.javascript.asking import Answer, Question, ask_chromium, ask_node

BATCH = 1_000
SHOWN_MAX = 6
SHOWN_LETTERS_MAX = 20_000
CERTIFICATES = 24
"""Good certificates that are changed."""
Asks = Callable[[Sequence[Question]], list[Answer]]


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="scripts/certificates", description=__doc__)
    parser.add_argument("--changes", type=int, default=0, metavar="N", help="N random changes of files and codes")
    parser.add_argument("--verdicts", type=int, default=0, metavar="N", help="N certificates, good and broken")
    parser.add_argument("--measure", action="store_true", help="bytes, and milliseconds of a verdict")
    parser.add_argument("--chromium", action="store_true", help="ask a page in Chromium instead of Node.js")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args(arguments)
    if not (given.changes or given.verdicts or given.measure):
        parser.error("say what to do: --changes N, --verdicts N or --measure")
    asks = ask_chromium if given.chromium else ask_node
    failures = 0
    if given.changes:
        failures += changes(given.changes, given.seed, asks)
    if given.verdicts:
        failures += verdicts(given.verdicts, given.seed, asks)
    if given.measure:
        failures += measured()
    return 1 if failures else 0


def compared(count: int, make: Callable[[], Question], asks: Asks) -> Iterator[tuple[Question, Answer, Answer]]:
    """Each question with Python's answer and JavaScript's."""
    for start in range(0, count, BATCH):
        questions = [make() for _ in range(min(BATCH, count - start))]
        yield from zip(questions, map(answered, questions), asks(questions), strict=True)


def changes(count: int, seed: int, asks: Asks = ask_node) -> int:
    """The number of random changes that a verifier accepts, or at which it fails."""
    chance, found = Random(seed), Counter[str]()
    certificates = list(islice(good_certificates(chance), CERTIFICATES))
    for question, *answers in compared(count, lambda: random_change(chance, chance.choice(certificates)), asks):
        for name, answer in zip(("Python", "JavaScript"), answers, strict=True):
            if "code" not in answer:
                found[name + (" accepted" if "found" in answer else " failed")] += 1
                _show(found.total(), question, answer)
    print(f"{count} changes of {CERTIFICATES} certificates: {dict(found) or 'each is refused by both'}")
    return found.total()


def verdicts(count: int, seed: int, asks: Asks = ask_node) -> int:
    """The number of certificates about which the verifiers differ, or at which one fails."""
    chance, kinds, wrong = Random(seed), Counter[str](), 0
    for question, python, javascript in compared(count, lambda: random_question(chance), asks):
        kinds[python.get("code", "good")] += 1
        if python != javascript or "fault" in python:
            wrong += 1
            _show(wrong, question, python, javascript)
    print(f"{count} certificates: {wrong} verdicts differ or failed; {dict(kinds.most_common())}")
    return wrong


def _show(number: int, *told: object) -> None:
    """Prints the first few failures in full."""
    if number > SHOWN_MAX:
        return
    print(*(json.dumps(each)[:SHOWN_LETTERS_MAX] for each in told), sep="\n", file=sys.stderr)


def measured() -> int:
    """Prints a table; the number of bars that are missed."""
    rows, missed = measure(), 0
    print("records  others in bucket     raw    file   Python    Node.js  without Ed25519  Chromium")
    for row in rows:
        page = "-" if row.chromium_ms is None else f"{row.chromium_ms:.1f} ms"
        sizes = f"{row.records:7}  {row.crowd:16}  {row.raw:6}  {row.file:6}"
        times = f"{row.python_ms:4.1f} ms  {row.node_ms:5.1f} ms  {row.node_without_ed25519_ms:12.1f} ms  {page:>8}"
        print(f"{sizes}  {times}")
        missed += len(row.missed())
        for name in row.missed():
            print(f"missed: {name} above {BARS[name]}", file=sys.stderr)
    for platform, taken in hash_microseconds().items():
        print(f"SHA-256 of 100 bytes in {platform}: {taken['own']:.1f} us, WebCrypto {taken['webcrypto']:.1f} us")
    return missed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
