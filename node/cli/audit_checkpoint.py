"""`bmw-audit checkpoint`: a trust root that an auditor publishes and signs."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from node.audit.checkpoint import root_at
from node.audit.progress import ReplayProgress
from node.certificates.roots import checkpoint_bytes, checkpoint_json
from node.cli.audit_keys import KEY_HELP, read_key
from node.cli.audit_sources import FILE, AuditedChain, chain_options
from node.cli.exit_codes import FAILED, exit_codes
from node.cli.options import example
from node.console import show_facts
from node.ledger.json_form import time_to_text


@click.command(
    "checkpoint",
    epilog=example(
        "bmw-audit checkpoint checkpoint.json --node http://127.0.0.1:26700 --genesis genesis.json --to 1000 "
        "--key auditor.json --name auditor-1"
    ),
)
@click.argument("file", type=FILE)
@click.option("--key", "key_file", type=FILE, required=True, metavar="FILE", help=KEY_HELP)
@click.option("--name", required=True, metavar="NAME", help="Under which name the signature is published.")
@exit_codes(corrupted=FAILED)
@chain_options
def checkpoint_command(chain: AuditedChain, file: Path, key_file: Path, name: str) -> None:
    """Replay the chain, and write its newest point, or that of --to, into FILE as a signed trust root.

    Whoever trusts the signature verifies certificates with `bmw-audit verify-certificate --checkpoint FILE`, from there
    on and not from genesis.
    """
    key = read_key(key_file)
    progress = ReplayProgress(chain.to, sys.stderr)
    try:
        root = root_at(chain.genesis, chain.source, chain.to, chain.older, progress)
    finally:
        progress.close()
    signature = key.sign(checkpoint_bytes(root)).hex()
    file.write_text(checkpoint_json(root, [{"name": name, "key": key.public.hex(), "signature": signature}]))
    show_facts(
        [
            ("height", str(root.height)),
            ("block id", root.block_id.hex()),
            ("time", time_to_text(root.time_ms)),
            ("key", key.public.hex()),
        ]
    )
