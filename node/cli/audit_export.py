"""`bmw-audit export`: a verified chain as tables in files."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from node.audit.export import FORMATS, export
from node.audit.progress import ReplayProgress
from node.cli.audit_sources import FILE, AuditedChain, chain_options
from node.cli.exit_codes import FAILED, exit_codes
from node.cli.json_output import json_option, print_json
from node.cli.options import example
from node.console import show_facts


@click.command(
    "export",
    epilog=example(
        "bmw-audit export --archive blocks.bmw --genesis genesis.json tables",
        "bmw-audit export --node http://127.0.0.1:26700 --genesis genesis.json --format csv tables-csv",
    ),
)
@click.argument("folder", type=FILE)
@click.option(
    "--format", "kind", type=click.Choice(list(FORMATS)), default="parquet", show_default=True, help="Of the files."
)
@json_option
@exit_codes(corrupted=FAILED)
@chain_options
def export_command(chain: AuditedChain, folder: Path, kind: str, as_json: bool) -> None:
    """Write the chain as tables, one file each, into a new FOLDER.

    Every block is verified and executed on the way, as a replay does it. There are tables of blocks, transactions,
    records and votes, one for each transaction type, and one for each kind of state, as it is after the last block.
    """
    progress = ReplayProgress(chain.to, sys.stderr)
    try:
        manifest = export(chain.genesis, chain.source, folder, kind, chain.to, chain.older, progress)
    finally:
        progress.close()
    if as_json:
        print_json(manifest)
        return
    rows = {name: table["rows"] for name, table in manifest["tables"].items() if table["rows"]}
    show_facts(
        [
            ("chain", manifest["chain_id"]),
            ("genesis hash", manifest["genesis_hash"]),
            ("height", str(manifest["height"])),
            ("state root", manifest["state_root"]),
            ("tables", f"{len(manifest['tables'])}, {len(rows)} of them with rows"),
            ("rows", str(sum(rows.values()))),
            *((f"  {name}", str(count)) for name, count in rows.items()),
        ]
    )
