"""`bmw-node load`: a load at a fixed rate, to find out what a network carries before it is in production."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from node.chain.genesis import genesis_hash
from node.cli.audit_keys import read_key
from node.cli.exit_codes import FAILED, exit_codes, fail
from node.cli.json_output import json_option, print_json
from node.cli.options import DEFAULT_URL, example
from node.console import REDRAWN_S, Bar
from node.errors import Malformed
from node.limits import RPC_BATCH_MAX
from node.load.mix import Kind, Mix, parse_mix
from node.load.pace import Pace

if TYPE_CHECKING:
    from node.load.report import Report
    from node.load.writers import Author, SignedLoad, Writer
    from wallet.client import NodeClient

T = TypeVar("T")

LOAD_TXS_MAX = 200_000
"""Transactions of one load: they are signed before the first is offered, and take half a kilobyte of memory each.
Above: wrong usage."""
RATE_MAX, DURATION_MAX_S, TIMEOUT_MAX_S = 10_000, 6 * 3_600, 3_600
NODES_MAX = 100
"""Nodes of one load: each has a stream of events. Above: wrong usage."""
REGISTERED_PER_SECOND, REGISTERED_AT_ONCE = 100, 50
"""Cars that are registered before a load that writes about them, at a rate that any network carries."""
KEY_PASSPHRASE = "BMW_WALLET_PASSPHRASE"


def _mix(_: click.Context, __: click.Parameter, text: str) -> Mix:
    try:
        return parse_mix(text)
    except Malformed as error:
        raise click.BadParameter(str(error)) from None


def _urls(_: click.Context, __: click.Parameter, given: tuple[str, ...]) -> tuple[str, ...]:
    """The addresses, each once."""
    from wallet.commands.shared import is_node_url

    for text in given:
        if not is_node_url(text):
            raise click.BadParameter(f"{text!r} is not a node's address: write it like {DEFAULT_URL}")
    urls = tuple(dict.fromkeys(text.rstrip("/") for text in given))
    if len(urls) > NODES_MAX:
        raise click.BadParameter(f"{len(urls)} nodes: give at most {NODES_MAX}")
    return urls


@click.command(
    epilog=example(
        "bmw-node load http://127.0.0.1:26700 --chain-id bmw-dev-1 --key /var/lib/bmw-node/keys/account.json",
        "bmw-node load http://10.0.0.1:26700 http://10.0.0.2:26700 --chain-id bmw-dev-1 --key bmw.json \\\n"
        "    --key workshop.json --mix births=1,maintenance=3 --rate 20 --duration 5 --json",
    )
)
@click.argument("nodes", nargs=-1, required=True, metavar="URL...", callback=_urls)
@click.option("--chain-id", required=True, metavar="NAME", help="The id of the chain, to confirm that cars which stay "
              "for ever may be written on it.")  # fmt: skip
@click.option("--key", "key_files", multiple=True, required=True, type=click.Path(path_type=Path), metavar="FILE",
              help="A member's key file: keys/account.json of its node's home, or a wallet's, whose passphrase is in "
              f"{KEY_PASSPHRASE} or is asked for. Repeat it: each key sends what its roles permit.")  # fmt: skip
@click.option("--rate", type=click.FloatRange(0.1, RATE_MAX), default=10.0, show_default=True, metavar="TX_PER_SECOND",
              help="Transactions that are offered each second, to all nodes together.")  # fmt: skip
@click.option("--duration", "duration_s", type=click.FloatRange(0.1, DURATION_MAX_S), default=10.0, show_default=True,
              metavar="SECONDS", help="How long.")  # fmt: skip
@click.option("--mix", callback=_mix, default="births", show_default=True, metavar="MIX", help="births, maintenance, "
              "odometer, mixed, or shares of the first three such as births=1,maintenance=3.")  # fmt: skip
@click.option("--batch", type=click.IntRange(1, RPC_BATCH_MAX), default=1, show_default=True, metavar="N",
              help="Transactions in one request.")  # fmt: skip
@click.option("--in-flight", "in_flight_max", type=click.IntRange(1, 1_000), default=64, show_default=True, metavar="N",
              help="Requests of one node that may be without an answer.")  # fmt: skip
@click.option("--timeout", "timeout_s", type=click.FloatRange(1, TIMEOUT_MAX_S), default=30.0, show_default=True,
              metavar="SECONDS", help="How long after the last offer what was accepted is waited for.")  # fmt: skip
@json_option
@exit_codes()
def load(
    nodes: tuple[str, ...], chain_id: str, key_files: tuple[Path, ...], rate: float, duration_s: float, mix: Mix,
    batch: int, in_flight_max: int, timeout_s: float, as_json: bool,
) -> None:  # fmt: skip
    """Offer transactions to nodes at a fixed rate, and report what the network made of them.

    It writes test cars (model LOADTEST) that stay on the chain for ever, so --chain-id must name the chain. The
    transactions are signed first. The rate is kept whatever the nodes answer; what finds no room within a second is
    counted as missed. Ctrl-C ends the offering, and once more the waiting. Exit code 0 if everything was committed that
    was accepted, else 1, also if nothing was accepted.
    """
    from node.load import preparing  # slow to import, as are clients and transaction types
    from node.load.writers import Author, weights
    from wallet.client import NodeClient

    count = _count(rate, duration_s)
    keys = {key.public: key for key in (read_key(path, KEY_PASSPHRASE) for path in key_files)}
    clients = {url: NodeClient([url], "leave it out") for url in nodes}
    client = NodeClient(nodes, "name another")
    genesis = preparing.check_chain(clients, chain_id)
    now_ms = time.time_ns() // 1_000_000
    lifetime_ms = preparing.lifetime_ms(client, int((duration_s + timeout_s) * 1_000))
    author = Author(genesis_hash(genesis), now_ms, now_ms + lifetime_ms)
    sequence = list(mix.sequence(count))
    cars_needed = author.cars_needed(sequence)
    kinds = tuple(mix.shares)
    asked: tuple[Kind, ...] = kinds if "births" in kinds or not cars_needed else (*kinds, "births")
    writers = [preparing.able_writer(client, author, key, asked) for key in keys.values()]
    able = preparing.by_kind(writers, kinds)
    makers = [writer for writer in writers if "births" in writer.kinds]
    if makers:
        cars = _register(clients, author, makers, cars_needed, timeout_s)
    else:
        cars = preparing.unused_cars(client, cars_needed)
    signed = list(_with_bar("signed", author.stream(iter(sequence), able, cars), count))
    preparing.check_quotas(client, weights(signed))
    report = _run(clients, signed, Pace(rate, count, batch), "offered", in_flight_max, timeout_s)
    registered = len(cars) if makers else 0
    if as_json:
        asked_for = {"mix": dict(mix.shares), "rate": rate, "duration_s": duration_s, "registered_first": registered}
        chain = {"chain_id": genesis.chain_id, "genesis_hash": genesis_hash(genesis).hex()}
        print_json(chain | asked_for | report.to_json())
    else:
        from node.cli.load_tables import show

        show(report, genesis.chain_id, registered)
    if not report.accepted:
        fail("no transaction was accepted: the refusals and failures above say why", FAILED)
    if report.not_committed:
        fail(f"{report.not_committed} of {report.accepted} accepted transactions are in no block", FAILED)
    sys.exit(0)


def _count(rate: float, duration_s: float) -> int:
    """The number of transactions. Raises a usage error."""
    count = max(1, round(rate * duration_s))
    if count > LOAD_TXS_MAX:
        raise click.UsageError(f"{count:,} transactions: a load has at most {LOAD_TXS_MAX:,}, so lower --rate or "
                               "--duration")  # fmt: skip
    return count


def _with_bar(what: str, made: Iterable[T], count: int) -> Iterator[T]:
    """The same, with progress on a terminal."""
    with closing(Bar(count)) as bar:
        for done, each in enumerate(made):
            if bar.is_due():
                bar.update(done, f"{what} {done:,} of {count:,}")
            yield each


def _register(
    clients: Mapping[str, NodeClient], author: Author, makers: Sequence[Writer], count: int, timeout_s: float
) -> list[str]:
    """Register cars for the records of the load, in a run of its own; returns their VINs. Ends the command if a car is
    not committed."""
    if not count:
        return []
    cars = list(author.births(makers, count))
    pace = Pace(REGISTERED_PER_SECOND, count, REGISTERED_AT_ONCE)
    report = _run(clients, [signed for _, signed in cars], pace, "cars offered", REGISTERED_AT_ONCE, timeout_s)
    committed = report.fates()["committed"]
    if committed < count:
        reasons = report.reasons("refused") | report.reasons("rejected")
        why = ", ".join(f"{code} {number:,} times" for code, number in reasons.items()) or "not in time"
        fail(f"{committed:,} of the {count:,} cars that the load writes about were registered ({why}): lower --rate or "
             "--duration", FAILED)  # fmt: skip
    return [vin for vin, _ in cars]


def _run(
    clients: Mapping[str, NodeClient], signed: Sequence[SignedLoad], pace: Pace, what: str, in_flight_max: int,
    timeout_s: float,
) -> Report:  # fmt: skip
    """Run the load. The first SIGINT ends the offering of transactions, the second one the wait for their commit."""
    from node.load.offering import Offering
    from node.load.preparing import heads
    from node.load.report import Report

    offering = Offering(heads(clients), signed, pace, in_flight_max=in_flight_max, timeout_s=timeout_s)

    async def run() -> None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGINT, offering.stop)
        running = asyncio.create_task(offering.run())
        with closing(Bar(pace.total)) as bar:
            while not running.done():
                await asyncio.wait({running}, timeout=REDRAWN_S)
                done, undecided = len(offering.ways), offering.undecided
                bar.update(done, f"{what} {done:,} of {pace.total:,}, {undecided:,} undecided")
        await running

    asyncio.run(run())
    return Report.of(offering)
