"""`bmw-node rulesets`."""

from __future__ import annotations

import click

from node.cli.exit_codes import exit_codes
from node.cli.json_output import json_option, print_json
from node.cli.options import example
from node.console import show_table
from node.txtypes.rulesets import RULESETS


@click.command(epilog=example("bmw-node rulesets"))
@json_option
@exit_codes()
def rulesets(as_json: bool) -> None:
    """Numbers and hashes of the rulesets that this software knows, as 'ruleset.activate' names them."""
    found = [{"version": number, "hash": RULESETS[number].hash.hex()} for number in sorted(RULESETS)]
    if as_json:
        print_json({"rulesets": found})
        return
    show_table(("version", "hash"), [(str(ruleset["version"]), str(ruleset["hash"])) for ruleset in found])
