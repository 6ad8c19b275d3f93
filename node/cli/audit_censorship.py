"""`bmw-audit censorship`: what became of transactions whose acceptance a node has signed."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from node.audit.censorship import EVIDENCE, Inquiry, Search, read_receipts
from node.audit.divergence import Diverged
from node.audit.progress import ReplayProgress
from node.audit.sources import open_source
from node.chain.genesis import genesis_hash
from node.cli.audit_sources import FILE, chosen, source_options
from node.cli.exit_codes import FAILED, exit_codes, fail
from node.cli.json_output import json_option, print_json
from node.cli.options import example, read_genesis_file
from node.console import Cell, show_facts
from node.errors import OperatorError

FILE_BYTES_MAX = 64 * 1024 * 1024
INQUIRIES_MAX = 1_000
"""Receipts of one call. Above: refused, since each is judged at every block."""


@click.command(
    epilog=example(
        "bmw-audit censorship receipt.json --node http://127.0.0.1:26700 --genesis genesis.json",
        "bmw-audit censorship answer.json --transaction signed.hex --archive blocks.bmw --genesis genesis.json --json",
    )
)
@click.argument("receipts", nargs=-1, required=True, type=FILE, metavar="RECEIPT...")
@click.option("--transaction", "transactions", multiple=True, type=FILE, metavar="FILE", help="Signed bytes, in hex or "
              "as they are, of a receipt that does not have them. Repeat it.")  # fmt: skip
@source_options
@click.option("--genesis", "genesis_file", type=FILE, required=True, metavar="FILE", help="The chain's genesis file.")
@json_option
@exit_codes(corrupted=FAILED)
def censorship(
    receipts: tuple[Path, ...], transactions: tuple[Path, ...], store: Path | None, archive: Path | None,
    node: str | None, genesis_file: Path, as_json: bool,
) -> None:  # fmt: skip
    """Say for each RECEIPT whether its transaction committed, became invalid, or was left out until it expired.

    A RECEIPT is the JSON answer to a submission, with `transaction` added, or to a batch, with `transactions` added, or
    a list of such; `bmw-wallet` keeps them.
    The chain is executed from genesis. Exit code 1 where a transaction held at every block until it expired while
    blocks had room, or was accepted over a block that the source does not have: both are evidence.
    """
    genesis = read_genesis_file(genesis_file)
    raws = [_signed_bytes(path) for path in transactions]
    inquiries = [
        inquiry
        for path in receipts
        for document in _documents(path)
        for inquiry in read_receipts(document, raws, genesis_hash(genesis), str(path))
    ]
    if len(inquiries) > INQUIRIES_MAX:
        raise OperatorError(f"{len(inquiries)} receipts, at most {INQUIRIES_MAX} are judged at once: give fewer")
    source = open_source(*chosen(store, archive, node))
    progress = ReplayProgress(source.last, sys.stderr)
    try:
        found = Search(genesis, source, inquiries, progress).run()
    except Diverged as error:
        fail(f"the chain of the {source.name} is invalid: {error}", FAILED)
    finally:
        progress.close()
        source.close()
    if as_json:
        print_json({"inquiries": [each.to_json() for each in found]})
    else:
        for each in found:
            _print(each)
    if evidence := sum(each.verdict in EVIDENCE for each in found):
        fail(f"{evidence} of {len(found)} accepted transactions: evidence of censorship or of a split view", FAILED)


def _read(path: Path) -> bytes:
    with path.open("rb") as stream:
        raw = stream.read(FILE_BYTES_MAX + 1)
    if len(raw) > FILE_BYTES_MAX:
        raise OperatorError(f"{path} has more than {FILE_BYTES_MAX} bytes: give fewer receipts")
    return raw


def _documents(path: Path) -> list[Any]:
    try:
        document = json.loads(_read(path))
    except (ValueError, RecursionError) as error:
        raise OperatorError(f"{path} is not JSON ({error}): give the answer to a submission") from None
    return document if isinstance(document, list) else [document]


def _signed_bytes(path: Path) -> bytes:
    raw = _read(path)
    try:
        return bytes.fromhex(raw.decode("ascii"))
    except ValueError:
        return raw


def _print(inquiry: Inquiry) -> None:
    found = inquiry.to_json()
    rows: list[tuple[str, str | Cell]] = [
        ("transaction", found["txid"]),
        ("accepted", f"at height {inquiry.acceptance.height} by node {inquiry.acceptance.node_key.hex()}"),
        ("verdict", Cell(_text_of(inquiry), "bad" if inquiry.verdict in EVIDENCE else "good")),
        ("blocks", f"{found['blocks_with_room']} left it out although they had room, {inquiry.full_blocks} were full"),
    ]
    rows += [("unmet", guard["text"]) for guard in found["unmet"]]
    for each in found["left_out_by"]:
        own = ", whose own node had accepted it" if each["accepted_it"] else ""
        text = f"{each['name']}: {each['blocks']} blocks, from {each['first']} to {each['last']}{own}"
        rows.append(("left out by", text))
    show_facts(rows)


def _text_of(inquiry: Inquiry) -> str:
    match inquiry.verdict:
        case "committed":
            return f"committed in block {inquiry.height}"
        case "invalid":
            return f"valid until block {inquiry.height}, where its guards are unmet"
        case "left_out":
            return f"left out: it held at every block until it expired, before block {inquiry.height}"
        case "no_room":
            return f"expired before block {inquiry.height}: no block had room"
        case "another_chain":
            return f"accepted over another block {inquiry.height} than the source has"
        case _:
            return "open: the source ends before it expires"
