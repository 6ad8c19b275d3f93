"""`bmw-audit`: verifies a chain from genesis, whatever its source."""

from __future__ import annotations

import click

from node.cli.audit_censorship import censorship
from node.cli.audit_certificates import verify_certificate
from node.cli.audit_checkpoint import checkpoint_command
from node.cli.audit_compare import compare_command
from node.cli.audit_export import export_command
from node.cli.audit_replay import replay
from node.cli.audit_report import report_command, verify_report_command
from node.cli.audit_sync import sync_command
from node.cli.audit_watch import watch
from node.cli.audit_witness import witness
from node.cli.exit_codes import fail
from node.cli.options import example
from node.usage import CONTEXT, Program, with_versions


@click.group(
    cls=Program,
    context_settings=CONTEXT,
    epilog=example("bmw-audit replay --store node-0 --genesis genesis.json"),
)
def main() -> None:
    """Audit a vehicle chain: re-execute it, compare copies of it, make tables and a report of it.

    Exit codes: 0 valid or the same; 1 not, with the place; 2 wrong usage; 3 something could not be reached or read.
    """
    if not __debug__:
        fail("bmw-audit refuses to run under 'python -O': its assertions are part of the audit", 2)


for command in (
    replay,
    compare_command,
    export_command,
    sync_command,
    report_command,
    verify_report_command,
    checkpoint_command,
    verify_certificate,
    watch,
    witness,
    censorship,
):
    main.add_command(command)
with_versions(main, "bmw-audit")

if __name__ == "__main__":
    main()
