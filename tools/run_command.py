"""`posterm run`: terminal, link and bank together, used by hand in a window or by a script."""

from __future__ import annotations

import argparse
import json
import textwrap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tools.scenario_run import StepResult

    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - argparse has no public name

EXAMPLES = """examples:
  posterm run                                                  a window: keys typed are keys pressed
  posterm run --script approved                                each step as it happens, ok or FAILED
  posterm run --script wrong_pin --virtual-time --json         "approved" and "wrong_pin" come with posterm
  posterm run --script ./my_own.toml
  posterm run --config example:posterm --state till-1          a terminal that remembers

exit codes: 0 all as expected; 1 a step failed; 2 the script or an option cannot be used
"""


def register(subparsers: Subparsers) -> None:
    """Add the command to the command line."""
    from tools.shipped_examples import file_or_example
    from tools.station_options import add_station_options

    parser = subparsers.add_parser(
        "run",
        help="use a terminal",
        description="Terminal, link and bank together, over a pseudo-terminal pair.",
        epilog=f"{EXAMPLES}\n{_script_help()}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--script",
        type=file_or_example,
        metavar="FILE_OR_EXAMPLE",
        help="a scenario in TOML, or a shipped one by its name; without it: a window",
    )
    parser.add_argument("--json", action="store_true", help="with --script: one JSON object instead of text")
    add_station_options(parser)
    parser.set_defaults(run=run)


def _script_help() -> str:
    """Everything that a script can say, from the tables that read it."""
    from tools.scenario_expect import EXPECTATION_KINDS
    from tools.scenario_steps import STEP_KINDS
    from tools.shipped_examples import names

    return "\n".join(
        [
            "examples that come with posterm (example:NAME, or NAME where no file is called so):",
            *textwrap.wrap(" ".join(names()), 100, initial_indent="  ", subsequent_indent="  "),
            "",
            "a script begins with title, clock (real or virtual), flow, language, profile, bank_data, state,",
            "seed; [terminal] has settings as in a config file, [[card]] cards as in example:cards.",
            "A [[step]] does one of these (note = a text to show instead):",
            *(f"  {name:14} {kind.help}" for name, kind in STEP_KINDS.items()),
            "",
            'and then, as in expect = { state = "pin", beeps = 2 }, expects any of these to be so at once',
            "(within_ms = how long it may take):",
            *(f"  {name:14} {kind.help}" for name, kind in EXPECTATION_KINDS.items()),
        ]
    )


def run(args: argparse.Namespace) -> int:
    """Run the script or open the window; 0 when all was as expected."""
    if args.script is not None:
        return _run_script(args)
    from tools.runtime import plan_of
    from tools.station_options import choices_of_config, choices_of_options
    from tools.window import open_window

    return open_window(plan_of(choices_of_config(args).overlaid(choices_of_options(args))))


def _run_script(args: argparse.Namespace) -> int:
    from tools.runtime import plan_of, start_station
    from tools.scenario import load_scenario
    from tools.scenario_run import line_of, run_scenario
    from tools.station_options import choices_of_config, choices_of_options

    scenario = load_scenario(args.script, choices_of_config(args))
    choices = scenario.choices.overlaid(choices_of_options(args))
    plan = plan_of(choices, extra_cards=scenario.cards)

    def tell(result: StepResult) -> None:
        if not args.json:
            print(line_of(result), flush=True)

    with start_station(plan) as station:
        if not args.json:
            print(f"{args.script}: {scenario.title} ({'real' if plan.live else 'virtual'} time)", flush=True)
        result = run_scenario(scenario, station, tell)
    if args.json:
        print(json.dumps(result.to_json(), ensure_ascii=False, indent=2))
    else:
        print(f"{sum(step.ok for step in result.steps)} of {result.steps_in_all} steps as expected")
    return 0 if result.ok else 1
