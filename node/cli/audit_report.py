"""`bmw-audit report` and `bmw-audit verify-report`: a signed report of a chain, for programs and for people."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from node.audit.progress import ReplayProgress
from node.audit.signed_report.signed import read_report
from node.audit.signed_report.write import make_report, write_report
from node.cli.audit_keys import KEY_HELP, read_key
from node.cli.audit_sources import FILE, AuditedChain, chain_options
from node.cli.exit_codes import FAILED, exit_codes, fail
from node.cli.options import example
from node.console import Cell, show_facts
from node.crypto.addresses import from_text, to_text
from node.errors import Malformed


@click.command(
    "report",
    epilog=example("bmw-audit report --archive blocks.bmw --genesis genesis.json --key auditor.json report"),
)
@click.argument("folder", type=FILE)
@click.option(
    "--key",
    "key_file",
    type=FILE,
    required=True,
    metavar="FILE",
    help=KEY_HELP,
)
@exit_codes(corrupted=FAILED)
@chain_options
def report_command(chain: AuditedChain, folder: Path, key_file: Path) -> None:
    """Replay the chain, and write a signed report of it into FOLDER.

    report.json has the figures with the signature; report.en.html, report.de.html and report.zh.html show them, each
    complete in itself. The same chain and key give the same bytes.
    """
    key = read_key(key_file)
    progress = ReplayProgress(chain.to, sys.stderr)
    try:
        signed = make_report(chain.genesis, chain.source, chain.to, key, chain.older, progress)
    finally:
        progress.close()
    write_report(signed, folder)
    show_facts(
        [
            ("chain", signed.report["chain"]["chain_id"]),
            ("height", str(signed.report["chain"]["height"])),
            ("state root", signed.report["chain"]["state_root"]),
            ("digest", signed.digest),
            ("signer", signed.signer),
            ("result", Cell("holds", "good")),
        ]
    )


@click.command(
    "verify-report",
    epilog=example("bmw-audit verify-report report/report.json --signer bmw172phe9np2knj3yr5jzn2au45k47dlqj0pnkfy4"),
)
@click.argument("file", type=FILE)
@click.option("--signer", metavar="ADDRESS", help="The auditor who has to be the signer.")
@exit_codes()
def verify_report_command(file: Path, signer: str | None) -> None:
    """Check the signature of a report, and print what it covers.

    The signature shows who has signed the figures. Whether they are those of the chain, a replay shows.
    """
    signed = read_report(file.read_bytes())
    try:
        wanted = "" if signer is None else to_text(from_text(signer))
    except Malformed as error:
        raise click.UsageError(f"--signer: {error}") from None
    chain = signed.report["chain"]
    show_facts(
        [
            ("chain", chain["chain_id"]),
            ("genesis hash", chain["genesis_hash"]),
            ("height", str(chain["height"])),
            ("block id", chain["block_id"]),
            ("state root", chain["state_root"]),
            ("time", chain["time"]),
            ("digest", signed.digest),
            ("signer", signed.signer),
            ("signature", Cell("verifies", "good")),
        ]
    )
    if wanted and wanted != signed.signer:
        fail(f"the report is signed by {signed.signer}, not by {wanted}", FAILED)
