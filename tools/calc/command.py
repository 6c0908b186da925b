"""A subcommand of the calculator as data: its options, an example, and the function that calculates.

Options become `Inputs` under their names, so that a command and a case file reach the same functions. Every
value may be `-`: it is then read from standard input, one line a value when there are several. Secrets have
an option `--NAME-file` beside `--NAME`: a value on the command line is seen in the list of processes and kept
in the shell's history.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from firmware.secure.errors import BadInput, SecureError
from tools.calc.answer import Answer
from tools.calc.errors import CalculationErrors, reason_of
from tools.calc.inputs import Inputs
from tools.cli import Parser
from wire.errors import WireError

_STDIN = "-"
_STDIN_CHARACTERS_MAX = 1 << 24
_FAILED_CHECKS = frozenset(
    {"bad_mac", "bad_crc", "bad_lrc", "bad_check", "bad_parity", "bad_hash", "mismatch"}
)


@dataclass(frozen=True, slots=True)
class Option:
    """One option. `positional`: an argument without dashes, always needed.

    `kind`: text, number, flag, or file (its name: `-` is left to the command). `secret`: there is a
    `--NAME-file` too. `many`: it may be given again.
    """

    name: str
    help: str
    metavar: str = "HEX"
    kind: str = "text"
    default: str | int | None = None
    required: bool = False
    choices: tuple[str, ...] = ()
    positional: bool = False
    secret: bool = False
    many: bool = False

    @property
    def flag(self) -> str:
        """How it is written on the command line."""
        return "--" + self.name.replace("_", "-")


@dataclass(frozen=True, slots=True)
class Command:
    """One calculation. `example`: what stands behind `posterm calc`; `name` is empty for a group of one."""

    name: str
    help: str
    example: str
    options: tuple[Option, ...]
    run: Callable[[Inputs], Answer]


@dataclass(frozen=True, slots=True)
class Group:
    """The commands of one subject: `posterm calc GROUP COMMAND`, or `posterm calc GROUP` for one."""

    name: str
    help: str
    commands: tuple[Command, ...]


def perform(group: Group, arguments: Sequence[str]) -> int:
    """Parse `arguments` for a group and run its command. Returns the exit code; argparse exits for usage."""
    parser = _parser(group)
    options, unknown = parser.parse_known_args(arguments)
    if unknown:
        # Only names of options are repeated: a value may be a key.
        names = [entry.partition("=")[0] for entry in unknown if entry.startswith("--")]
        parser.error(f"unknown option {', '.join(names)}" if names else "too many arguments")
    command: Command = options.command
    where = f"posterm calc {group.name} {command.name}".rstrip()
    try:
        called = {
            option.name: option.metavar if option.positional else option.flag for option in command.options
        }
        answer = command.run(Inputs(_values(command, options), called=called))
    except CalculationErrors as error:
        return _refuse(where, error, as_json=options.json)
    except OSError as error:
        print(f"{where}: {error.filename}: {error.strerror}", file=sys.stderr)
        return 2
    for warning in () if options.json else answer.warnings:
        print(f"{where}: warning: {warning}", file=sys.stderr)
    write = answer.as_json if options.json else answer.as_text
    print(write(explain=options.explain))
    return answer.status


def _refuse(where: str, error: SecureError | WireError, *, as_json: bool) -> int:
    reason = reason_of(error)
    print(f"{where}: {reason}: {error}", file=sys.stderr)
    if as_json:
        print(json.dumps({"error": f"{reason}: {error}", "reason": reason}, ensure_ascii=False))
    return 1 if reason in _FAILED_CHECKS else 2


# --- the parser --------------------------------------------------------------------------------------


def _parser(group: Group) -> Parser:
    single = group.commands[0] if group.commands[0].name == "" else None
    parser = Parser(
        prog=f"posterm calc {group.name}",
        description=group.help,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=f"example:\n  posterm calc {single.example}" if single else None,
    )
    if single:
        _add_options(parser, single)
        return parser
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for command in group.commands:
        _add_options(
            commands.add_parser(
                command.name,
                help=command.help,
                description=command.help,
                epilog=f"example:\n  posterm calc {command.example}",
                formatter_class=argparse.RawDescriptionHelpFormatter,
            ),
            command,
        )
    return parser


def _add_options(parser: argparse.ArgumentParser, command: Command) -> None:
    for option in command.options:
        _add_option(parser, option)
    parser.add_argument("--json", action="store_true", help="write JSON")
    parser.add_argument("--explain", action="store_true", help="show the intermediate steps")
    parser.set_defaults(command=command)


def _add_option(parser: argparse.ArgumentParser, option: Option) -> None:
    text = option.help.replace("%", "%%")
    if option.secret:
        text += f" (or {option.flag}-file FILE)"
    if option.default is not None:
        text += f" (default: {option.default})"
    if option.kind == "flag":
        parser.add_argument(option.flag, action="store_true", help=text)
        return
    details: dict[str, Any] = {"help": text, "metavar": option.metavar}
    if option.choices:
        # Not checked by argparse, which would repeat the value: written in the wrong place it may be a key.
        details["metavar"] = f"{{{','.join(option.choices)}}}"
    if option.many:
        details["action"] = "append"
    if option.positional:
        parser.add_argument(option.name, **details)
        return
    # A secret may come from its file instead: whether it is there at all is seen when it is asked for.
    required = option.required and not option.secret
    parser.add_argument(option.flag, dest=option.name, required=required, **details)
    if option.secret:
        parser.add_argument(
            option.flag + "-file", dest=option.name + "_file", metavar="FILE", help=argparse.SUPPRESS
        )


# --- values ------------------------------------------------------------------------------------------


def _values(command: Command, options: argparse.Namespace) -> Mapping[str, Any]:
    stdin = _StandardInput(sum(map(_from_stdin, _given(command, options))))
    return {option.name: _value(option, options, stdin) for option in command.options}


def _given(command: Command, options: argparse.Namespace) -> Iterator[object]:
    for option in command.options:
        given = getattr(options, option.name) if option.kind != "file" else None
        yield from given if isinstance(given, list) else [given]


def _from_stdin(given: object) -> bool:
    return given == _STDIN


def _value(option: Option, options: argparse.Namespace, stdin: _StandardInput) -> Any:
    given = getattr(options, option.name)
    file_name = getattr(options, option.name + "_file", None)
    if given is not None and file_name is not None:
        raise BadInput("duplicate", f"{option.flag} and {option.flag}-file are both given")
    if file_name is not None:
        given = Path(file_name).read_text(encoding="utf-8", errors="replace").strip()
    if option.many:
        return [stdin.next() if _from_stdin(entry) else entry for entry in given or []]
    if _from_stdin(given) and option.kind != "file":
        given = stdin.next()
    if given is None:
        given = option.default
    if given is None and option.required:
        raise BadInput("missing_data", f"{option.flag} is needed, or {option.flag}-file")
    if option.choices and given is not None and given not in option.choices:
        raise BadInput("unsupported", f"{option.flag} is one of {', '.join(option.choices)}")
    return _number(option, given) if option.kind == "number" and given is not None else given


def _number(option: Option, given: str | int) -> int:
    text = str(given)
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise BadInput("bad_character", f"{option.flag} is a whole number")
    return int(text)


class _StandardInput:
    """What `-` stands for: all of standard input for one value, the next line for each of several."""

    def __init__(self, value_count: int) -> None:
        self._single = value_count <= 1

    def next(self) -> str:
        stream = sys.stdin
        text = stream.read(_STDIN_CHARACTERS_MAX) if self._single else stream.readline(_STDIN_CHARACTERS_MAX)
        return text.strip()
