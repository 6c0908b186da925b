"""The command `posterm`: finds the subcommand's module, and turns every known error into one line.

Only the module of the chosen subcommand is imported: `posterm --help` is quick on a Raspberry Pi. Exit codes:
0 done; 1 declined or failed; 2 wrong usage or configuration, nothing was changed; 130 interrupted by Ctrl-C;
141 nobody reads the output any more.
"""

from __future__ import annotations

import argparse
import importlib
import io
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn

EXIT_FAILED, EXIT_USAGE, EXIT_INTERRUPTED, EXIT_BROKEN_PIPE = 1, 2, 130, 141


@dataclass(frozen=True, slots=True)
class Command:
    """One subcommand: the module whose `register(subparsers)` adds it, and its line in the help."""

    name: str
    module: str
    help: str


COMMANDS = (
    Command("demo", "tools.demo", "play one payment, step by step, with every byte on the line"),
    Command("sale", "tools.sale_command", "make one payment and report it, as text or JSON"),
    Command("run", "tools.run_command", "use the terminal by hand, or let a script use it"),
    Command("terminal", "tools.terminal_command", "the terminal alone, on a serial line to a link"),
    Command("link", "tools.link_command", "the gateway alone: serial line on one side, bank on the other"),
    Command("keys", "tools.keys_command", "a terminal's keys: load, show as check values, wipe"),
    Command("journal", "tools.journal_command", "a terminal's journal: list, show, export"),
    Command("bank", "tools.bank_commands", "the bank alone: make, inspect and serve one"),
    Command("devices", "tools.devices_command", "find, test and emulate a terminal's devices"),
    Command("service", "tools.service_command", "the terminal as a service of systemd"),
    Command("diagram", "tools.diagram_command", "draw a state machine from the table that runs"),
    Command("simulate", "tools.simulate_command", "many tills, people and faults, in one seed"),
    Command("calc", "tools.calc_command", "PIN blocks, MACs, DUKPT, TR-31, EMV, ISO 8583, calculated"),
)

EXAMPLES = """examples:
  posterm demo                                             the seven steps of a payment
  posterm sale --amount 12.34 --card good --pin 123456     a payment, and its slip
  posterm run                                              a terminal to press keys on
  posterm run --script wrong_pin                           a terminal that a script uses
  posterm bank serve --demo                                a bank for terminals elsewhere

exit codes: 0 done; 1 declined or failed; 2 wrong usage or configuration
posterm COMMAND --help explains a command.
"""

# Where the known errors live, and the exit code of each: the first that fits. A module that was not imported
# cannot have raised anything, so none is imported for this.
_ERRORS = (
    ("hal.api", "DeviceFault", EXIT_FAILED),
    ("hal.api", "Tampered", EXIT_FAILED),
    ("hal.api", "HalError", EXIT_USAGE),
    ("bank.errors", "LedgerError", EXIT_FAILED),
    ("bank.errors", "MerchantRefusedError", EXIT_FAILED),
    ("bank.errors", "BankError", EXIT_USAGE),
    ("host_link.errors", "PortVanished", EXIT_FAILED),
    ("host_link.errors", "LinkError", EXIT_USAGE),
    ("firmware.secure.errors", "SecureError", EXIT_FAILED),
    ("wire.errors", "WireError", EXIT_USAGE),
    ("tools.toml_table", "ConfigError", EXIT_USAGE),
    ("tools.station", "StationError", EXIT_USAGE),
    ("builtins", "OSError", EXIT_USAGE),
)


EXIT_CODES = "exit codes: 0 done; 1 failed; 2 wrong usage or configuration, nothing was changed"

SubparsersAction = argparse._SubParsersAction  # noqa: SLF001 - argparse has no public name


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line. It knows no abbreviations: `--p` shall not become `--pin`.

    Its help always has examples and exit codes: where the epilog has none, those of its commands, and what
    the exit codes mean for most.
    """

    def __init__(self, *args: object, **settings: object) -> None:
        defaults = {"allow_abbrev": False, "formatter_class": argparse.RawDescriptionHelpFormatter}
        super().__init__(*args, **{**defaults, **settings})  # type: ignore[arg-type]

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and where help is, and exit."""
        self.exit(EXIT_USAGE, f"{self.prog}: {message}; see {self.prog} --help\n")

    def format_help(self) -> str:
        """The help, complete."""
        own = self.epilog or ""
        parts = [own.strip("\n")] if own else []
        if not _examples(own) and (examples := _examples_of_commands(self)):
            parts.insert(0, "\n".join(["examples:", *examples]))
        if "exit codes" not in own:
            parts.append(EXIT_CODES)
        self.epilog = "\n\n".join(parts)
        try:
            return super().format_help()
        finally:
            self.epilog = own or None


def commands_of(parser: argparse.ArgumentParser) -> Mapping[str, argparse.ArgumentParser]:
    """The parsers of a parser's commands, by name."""
    found = (action for action in parser._actions if isinstance(action, SubparsersAction))  # noqa: SLF001
    return {name: command for action in found for name, command in action.choices.items()}


def _examples(epilog: str | None) -> list[str]:
    return [line for line in (epilog or "").splitlines() if line.startswith("  posterm ")]


def _examples_of_commands(parser: argparse.ArgumentParser) -> list[str]:
    """The first example of each command."""
    examples = []
    for command in commands_of(parser).values():
        examples += (_examples(command.epilog) or _examples_of_commands(command))[:1]
    return examples


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code. Raises SystemExit for wrong usage and for --help."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a slip in Chinese on a terminal that knows Latin only
    try:
        args = _parse(arguments)
        code: int = args.run(args)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else Python complains as it ends
        return EXIT_BROKEN_PIPE
    except Exception as error:
        known = _exit_code(error)
        if known is None:
            raise
        print(f"posterm: {_one_line(error)}", file=sys.stderr)
        return known
    return code


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    chosen = arguments[0] if arguments and not arguments[0].startswith("-") else ""
    parser = _parser(chosen)
    args, unknown = parser.parse_known_args(arguments if chosen else arguments[:1])
    if unknown:
        _refuse(_parser_of(parser, arguments if chosen else ()), unknown)
    if "run" not in args:
        parser.error("name a command")
    return args


def _parser(chosen: str) -> Parser:
    """The whole parser; only the chosen command has its options."""
    parser = Parser(
        prog="posterm",
        description="A payment terminal in software: firmware, devices, serial link and bank.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version and exit")
    if chosen and chosen not in {command.name for command in COMMANDS}:
        parser.error(f"there is no such command{_close_to(chosen)}")
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND")
    for command in COMMANDS:
        if command.name == chosen:
            importlib.import_module(command.module).register(subparsers)
        else:
            subparsers.add_parser(command.name, help=command.help)
    return parser


class _Version(argparse.Action):
    """--version: looked up when asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        from tools.program import version

        print(f"posterm {version() or '(not installed: run from a checkout)'}")
        parser.exit()


def _close_to(name: str) -> str:
    import difflib

    names = [command.name for command in COMMANDS]
    close = difflib.get_close_matches(name, names, n=1)
    return f" (did you mean {close[0]!r}?)" if close else f" (known: {', '.join(names)})"


def _parser_of(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> argparse.ArgumentParser:
    """The parser of the command that the arguments name, however deep it lies."""
    for text in arguments:
        parser = commands_of(parser).get(text, parser)
    return parser


def _refuse(parser: argparse.ArgumentParser, unknown: Sequence[str]) -> NoReturn:
    """Name an unknown option, and never a value: it may be a PIN."""
    options = [text.partition("=")[0] for text in unknown if text.startswith("--")]
    what = f"unknown option {options[0]}" if options else f"{len(unknown)} argument(s) too many"
    parser.error(what)


def _exit_code(error: Exception) -> int | None:
    """The exit code of a known error; None for one that is a mistake in the program."""
    return next((code for kind, code in _known_errors() if isinstance(error, kind)), None)


def _known_errors() -> Iterator[tuple[type[Exception], int]]:
    for module, name, code in _ERRORS:
        if module in sys.modules:
            yield getattr(sys.modules[module], name), code


def _one_line(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        name = f"{error.filename}: " if error.filename else ""
        return f"{name}{error.strerror}; check the path and its permissions"
    return " ".join(str(error).split()) or type(error).__name__


if __name__ == "__main__":
    sys.exit(main())
