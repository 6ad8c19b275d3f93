"""What every command has: help with an example, a version, shell completion, wrong usage told with exit code 2."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click
import pytest
from support.commands import process, run

from node.cli.audit import main as audit_main
from node.cli.node import cli as node_main
from node.txtypes.registry import TYPES
from wallet.cli import main as wallet_main

PROGRAMS = {"bmw-node": node_main, "bmw-wallet": wallet_main, "bmw-audit": audit_main}


def commands(command: click.Command, path: tuple[str, ...]):
    """(words that call it, command), groups included."""
    yield path, command
    if isinstance(command, click.Group):
        for name, sub in by_name(command).items():
            yield from commands(sub, (*path, name))


def by_name(group: click.Group) -> dict[str, click.Command]:
    context = click.Context(group)
    return {name: command for name in group.list_commands(context) if (command := group.get_command(context, name))}


ALL = [found for name, main in PROGRAMS.items() for found in commands(main, (name,))]


@pytest.mark.parametrize(("words", "command"), ALL, ids=[" ".join(words) for words, _ in ALL])
def test_help_says_what_it_does_and_shows_an_example(words: tuple[str, ...], command: click.Command) -> None:
    for flag in ("--help", "-h"):
        done = run(*words, flag)
        assert (0, "") == (done.code, done.err)
        assert "Example:" in done.out
        example = done.out.partition("Example:")[2]
        assert words[0] in example
        # a group's example calls one of its commands, a command's example calls it
        assert isinstance(command, click.Group) or words[-1] in example
        assert command.help and command.help.splitlines()[0] in " ".join(done.out.split())


def test_what_operators_wallets_and_auditors_were_promised_is_there() -> None:
    assert {
        "init", "start", "devnet", "testnet", "keys", "status", "peers", "validators", "checkpoint", "reset-signing",
        "export", "import", "inspect",
    } <= set(by_name(node_main))  # fmt: skip
    wallet = by_name(wallet_main)
    assert set(wallet) >= {
        "key", "tx", "sign", "cosign", "submit", "outbox", "vehicle", "history", "order", "account", "listings",
    }  # fmt: skip
    assert {"new", "list", "show", "import", "export", "delete"} <= set(by_name(wallet["key"]))
    assert set(TYPES) == set(by_name(wallet["tx"]))
    assert {"replay", "compare"} <= set(by_name(audit_main))


@pytest.mark.parametrize("words", [words for words, command in ALL if isinstance(command, click.Group)])
def test_a_groups_help_has_the_whole_sentence_of_each_command(words: tuple[str, ...]) -> None:
    """Without spaces: a line may end within a word that has a hyphen."""
    shown = "".join(run(*words, "--help").out.split())
    assert "..." not in shown.partition("Commands:")[2].partition("Example:")[0]
    for name, command in by_name(dict(ALL)[words]).items():
        sentence = " ".join((command.help or "").partition("\n\n")[0].split()).partition(". ")[0].rstrip(".")
        assert "".join(f"{name}{sentence}".split()) in shown


HEAVY = {"aiohttp", "asyncio", "cryptography", "msgspec", "nacl", "plyvel", "rich", "wallet.session"}


@pytest.mark.parametrize("program", ["node.cli.node", "wallet.cli"])
def test_a_version_imports_none_of_what_makes_a_start_slow(program: str) -> None:
    """`bmw-node --version` needed 0.8 s of processor time, a bare interpreter 0.02."""
    code = (
        "import sys, atexit\n"
        "atexit.register(lambda: print(*sorted(sys.modules)))\n"
        "sys.argv[1:] = ['--version']\n"
        f"from {program} import main\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    version, modules = done.stdout.splitlines()
    assert version.startswith("bmw-") and "click" in modules.split()
    assert set() == HEAVY & set(modules.split())


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_program_has_a_version(program: str) -> None:
    done = process(program, "--version")
    assert 0 == done.code
    name, number = done.out.split()
    assert name == program
    assert 3 == len(number.split("."))


@pytest.mark.parametrize("program", PROGRAMS)
def test_shell_completion_through_click(program: str) -> None:
    done = process(program, **{"_" + program.upper().replace("-", "_") + "_COMPLETE": "zsh_source"})
    assert 0 == done.code
    assert f"#compdef {program}" in done.out


@pytest.mark.parametrize("program", PROGRAMS)
def test_wrong_usage_is_exit_code_2(program: str) -> None:
    run(program, "explode").refused(2, "explode")
    run(program, "--explode").refused(2, "explode")


def test_a_near_miss_is_told_the_right_word() -> None:
    run("bmw-wallet", "tx", "vehicle.registr").refused(2, "vehicle.register")


def test_every_transaction_type_has_an_option_for_each_field() -> None:
    for name, struct in TYPES.items():
        shown = run("bmw-wallet", "tx", name, "--help").out
        for field in struct.__struct_fields__:
            option = "--" + field.removesuffix("_ms").replace("_", "-")
            assert option in shown or "--no-" + field.replace("_", "-") in shown, (name, option)
        for option in ("--from", "--cosign", "--wait", "--dry-run", "--body"):
            assert option in shown, (name, option)


def test_no_optimised_python_runs_the_node() -> None:
    done = subprocess.run(
        [sys.executable, "-O", "-m", "node.cli.node", "keys", "--home", "x"],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert 2 == done.returncode
    assert "-O" in done.stderr


def test_the_exit_code_is_the_same_where_the_error_can_not_be_written() -> None:
    """The log of a node whose disk is full is often on that disk."""
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "node.cli.node", "status", "--node", "http://127.0.0.1:1"]
        assert 3 == subprocess.run(command, stderr=full, check=False, timeout=60).returncode


def test_no_colour_where_there_is_no_terminal() -> None:
    done = process("bmw-wallet", "vehicle", "WBA8E9G50GNU12345", "--node", "http://127.0.0.1:1")
    assert 3 == done.code
    assert "\x1b" not in done.out + done.err


@pytest.mark.parametrize("words", [words for words, _ in ALL], ids=[" ".join(words) for words, _ in ALL])
def test_every_command_tells_its_version_and_wrong_usage_on_one_line(words: tuple[str, ...]) -> None:
    assert run(*words, "--version").out.startswith(f"{words[0]} ")
    done = run(*words, "--no-such-option")
    assert "--no-such-option" in done.refused(2)
    assert 1 == len(done.err.splitlines()) and done.err.rstrip().endswith("--help'")
