"""The options that commands with a whole station share, and the choices they make."""

from __future__ import annotations

import argparse
from pathlib import Path

from firmware.terminal_work import LANGUAGES
from tools.config import FLOWS, Choices, check_settings, load_config
from tools.link_pair import add_key_option, key_of
from tools.shipped_examples import file_or_example


def add_station_options(parser: argparse.ArgumentParser) -> None:
    """Add --config, --profile, --flow, --language, --bank-data, --state, --seed, the key and the clock."""
    parser.add_argument("--config", type=file_or_example, metavar="FILE", help="settings (example:posterm)")
    parser.add_argument("--profile", metavar="NAME_OR_FILE", help="the board's devices: virtual, headless …")
    parser.add_argument("--flow", choices=FLOWS, help="when the PIN is asked for; default: authorise-first")
    parser.add_argument("--language", choices=LANGUAGES, help="of display and slip; default: en")
    parser.add_argument(
        "--bank-data",
        type=file_or_example,
        metavar="FILE",
        help="cards and merchants in TOML (example:cards); default: the demo's",
    )
    parser.add_argument(
        "--state", type=Path, metavar="DIR", help="keep journal, keys and bank there; default: keep nothing"
    )
    parser.add_argument("--seed", type=int, metavar="N", help="of randomness in virtual time; default: 1")
    add_key_option(parser)
    time = parser.add_mutually_exclusive_group()
    time.add_argument(
        "--live", action="store_true", help="real time, a pseudo-terminal pair, a TCP bank (the default)"
    )
    time.add_argument("--virtual-time", action="store_true", help="no waiting, the same run every time")


def choices_of_config(args: argparse.Namespace) -> Choices:
    """What the config file says, in real time unless something else is said. Raises ConfigError."""
    from_file = load_config(args.config) if args.config else Choices()
    return Choices(live=True).overlaid(from_file)


def choices_of_options(args: argparse.Namespace) -> Choices:
    """What the options say; it goes over every file. Raises ConfigError, PairingKeyUnusable."""
    said = {"flow": args.flow, "language": args.language}
    settings = check_settings("options", {key: text for key, text in said.items() if text is not None})
    if (key := key_of(args)) is not None:
        settings = {**settings, "pairing_key": key}
    live = False if args.virtual_time else args.live or None
    return Choices(settings, args.profile, args.bank_data, args.state, live, args.seed)
