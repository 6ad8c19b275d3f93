"""Every command in a document or a help text can be typed: programs, commands, options and choices are there.

tests/integration/test_documented_examples.py runs them.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from support.commands import MAINS
from support.documented import READERS, ROOT, Command, commands_of, missing_lines

from node.txtypes.registry import TYPES

DIVIDERS = frozenset({"|", "||", "&&", "&", ";", "(", ")", "<"})


def calls_in(text: str) -> Iterator[list[str]]:
    """The words of every program call in a shell command, without redirections and variables set before it."""
    lexer = shlex.shlex(re.sub(r"\\\n\s*", "", text), posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    call: list[str] = []
    is_target = False
    for word in [*lexer, ";"]:
        if word in DIVIDERS:
            while call and (re.fullmatch(r"[A-Z_]+=.*", call[0]) or call[0] in ("do", "export")):
                del call[0]
            if call:
                yield call
            call = []
        elif set(word) <= {">", "&"}:
            is_target = True
            if call and call[-1] == "2":
                del call[-1]
        elif is_target:
            is_target = False
        else:
            call.append(word)


def check_call(words: list[str], *, is_whole: bool = True) -> None:
    """Raises where the command line would. `is_whole`: whether what is required is there too."""
    command: click.Command = MAINS[words[0]]
    rest, context = words[1:], None
    while True:  # each within the one above: a command keeps the help options of its first context
        context = click.Context(command, context, command.name, **command.context_settings)
        given, rest, _ = command.make_parser(context).parse_args(rest)
        for parameter in command.params:
            value = given.get(parameter.name)
            if isinstance(parameter.type, click.Choice) and isinstance(value, str):
                parameter.type.convert(value, parameter, context)
            is_missing = parameter.required and value in (None, ()) and not isinstance(command, click.Group)
            if is_whole and is_missing and not ("--help" in words or "--version" in words):
                raise click.UsageError(f"{parameter.opts[-1]} must be given")
        if not isinstance(command, click.Group) or not rest:
            assert not rest, f"too many words: {rest}"
            return
        _, found, rest = command.resolve_command(context, rest)
        assert found is not None, f"{words[0]} has no command for {rest}"
        command = found


def problem_of(call: list[str], *, is_whole: bool = True) -> str:
    """What is wrong with a call; empty if nothing is, or if the program is not ours."""
    if call[0] in MAINS and not {"...", "COMMAND", "TYPE"} & set(call):
        try:
            check_call(call, is_whole=is_whole)
        except click.BadOptionUsage as error:  # a sentence may name an option without its value
            return f"{shlex.join(call)}: {error.message}" if is_whole else ""
        except (click.UsageError, AssertionError) as error:
            return f"{shlex.join(call)}: {getattr(error, 'message', error)}"
    for word in call[:2]:
        if re.match(r"(scripts|docs|tests)/", word) and not (ROOT / word).exists():
            return f"there is no {word}"
    return ""


@pytest.mark.parametrize("path", READERS, ids=lambda path: path.name)
def test_every_command_of_a_document_can_be_typed(path: Path) -> None:
    wrong = [problem_of(call) for command in commands_of(path) for call in calls_in(command.text)]
    inline = re.findall(r"(?<!`)`(bmw-(?:node|wallet|audit) [^`]*)`(?!`)", path.read_text("utf-8"))
    told = [call for text in inline for call in calls_in(" ".join(re.sub(r"\[.*?\]", "", text).split()))]
    wrong += [problem_of(call, is_whole=False) for call in told]

    assert [text for text in wrong if text] == []


def commands_below(words: tuple[str, ...], command: click.Command) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    yield words, command
    for name, inner in command.commands.items() if isinstance(command, click.Group) else ():
        yield from commands_below((*words, name), inner)


EVERY = [found for name, main in MAINS.items() for found in commands_below((name,), main)]


@pytest.mark.parametrize(("words", "command"), EVERY, ids=[" ".join(words) for words, _ in EVERY])
def test_every_example_in_a_help_can_be_typed(words: tuple[str, ...], command: click.Command) -> None:
    text = re.sub(r"\\\n\s*", "", (command.epilog or "").partition("Example:\n")[2])
    calls = [call for line in text.splitlines() for call in calls_in(line)]

    assert calls and [problem for call in calls if (problem := problem_of(call))] == []


@pytest.mark.parametrize("name", TYPES)
def test_the_help_of_a_type_shows_the_documents_example(name: str) -> None:
    (printed,) = [c.text for c in commands_of(ROOT / "docs" / "TRANSACTIONS.md") if c.text.split()[2:3] == [name]]
    shown = (MAINS["bmw-wallet"].commands["tx"].commands[name].epilog or "").partition("Example:\n")[2]

    assert printed.split() == shown.split()


# --- the tools of these tests --------------------------------------------------------------------------------
def test_what_cannot_be_typed_is_named() -> None:
    for text, told in (
        ("bmw-node strat --home x", "No such command 'strat'"),
        ("bmw-node start --hom x --homme y", "--hom"),
        ("bmw-node start", "--home"),
        ("A=1 bmw-wallet tx title.transfer --reason gift > x", "gift"),
        ("bmw-wallet vehicle A B 2>> log &", "too many"),
        ("ls && scripts/devnett --once", "scripts/devnett"),
    ):
        (problem,) = filter(None, map(problem_of, calls_in(text)))
        assert told in problem, text


def test_a_printed_line_is_like_one_of_the_output() -> None:
    output = 'height   7\nstatus      committed\n{\n  "key": "order/ab"\n}\n'
    printed = ("height  3", "status  committed", "...", '{"key": "order/7f..."}', "")
    assert [] == missing_lines(printed, output)
    assert ["status  pending", "hight 7"] == missing_lines(("status  pending", "hight 7"), output)


def test_a_command_goes_on_until_its_quotes_are_closed(tmp_path: Path) -> None:
    text = "# T\n\n  ```console\n  $ a 'b\n     c' # d\n  out\n  $ e \\\n      f\n  ```\n```json\n$ no\n```\n"
    (tmp_path / "text").write_text(text)
    assert [Command("text", "a 'b\n   c' # d", ("out",)), Command("text", "e \\\n    f")] == commands_of(
        tmp_path / "text"
    )
