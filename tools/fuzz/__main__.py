"""`make fuzz SECONDS=60 TARGET=...`: feed a target what coverage says is new, and keep what breaks it.

    python -m tools.fuzz [--seconds N] [--keep] [TARGET ...]

Each target runs in a process of its own, for N seconds, with libFuzzer by way of atheris (not part of the
project's own needs: `pip install 'atheris>=3'`). It begins with the inputs in tests/fuzz/corpus/TARGET and
with what earlier runs have learnt, which is in out/fuzz/TARGET. An input that breaks a target, needs more
memory than `bounds` allows for its size, or takes longer than INPUT_SECONDS_MAX is written to
tests/fuzz/corpus/TARGET/found-*, where the tests replay it from then on, and count its lines besides.
`--keep` adds to the corpus the smallest of what was learnt that reach more of the code than it does.
"""

from __future__ import annotations

import argparse
import hashlib
import logging
import subprocess
import sys
from collections.abc import Callable, Iterable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING
from zlib import crc32

from tools.fuzz.bounds import require_memory

if TYPE_CHECKING:
    from _typeshed import TraceFunction

ROOT = Path(__file__).parents[2]
CORPUS = ROOT / "tests" / "fuzz" / "corpus"
LEARNT = ROOT / "out" / "fuzz"
INPUT_BYTES_MAX = 4096
INPUT_SECONDS_MAX = 2
MEMORY_MB_MAX = 1024
MEASURED_ONE_IN = 8  # to measure memory makes a target five times as slow; of a kind of input some are met
KEPT_BYTES_MAX = 256
FOUND = "found-"
EXAMPLES = """\
examples:
  python -m tools.fuzz                          every target, a minute each
  python -m tools.fuzz --seconds 600 escpos qr  these two, ten minutes each
  python -m tools.fuzz --seconds 60 --keep      what reaches more of the code goes into the corpus afterwards
  make fuzz SECONDS=600 TARGET=escpos           the same by way of make

What breaks a target is kept in tests/fuzz/corpus/TARGET/found-*, and the tests replay it from then on.

exit codes: 0 nothing was found, 1 something was, 2 wrong usage, or atheris is not installed
"""


def main(arguments: list[str] | None = None) -> int:
    """Fuzz the targets named, or all; 0 when nothing was found, 1 when something was, 2 without atheris."""
    parser = argparse.ArgumentParser(
        prog="make fuzz",
        description="fuzz what reads foreign bytes, led by what it reaches of the code",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="all when none is named")
    parser.add_argument("--seconds", type=int, default=60, help="for each target (default: %(default)s)")
    parser.add_argument("--keep", action="store_true", help="afterwards add what reaches more to the corpus")
    args = parser.parse_args(arguments)
    if args.seconds < 1:  # 0 would be for ever
        parser.error("--seconds: at least 1")
    if find_spec("atheris") is None:
        print("fuzz: atheris is not installed here: pip install 'atheris>=3'", file=sys.stderr)
        return 2
    from tools.fuzz.targets import TARGETS

    unknown = sorted(set(args.targets) - TARGETS.keys())
    if unknown:
        parser.error(f"no target {unknown[0]!r}: take some of {', '.join(TARGETS)}")
    broken = [target for target in args.targets or TARGETS if not run(target, args.seconds)]
    if args.keep:
        for target in args.targets or TARGETS:
            keep(target)
    print(f"fuzz: {'broken: ' + ', '.join(broken) if broken else 'nothing found'}")
    return 1 if broken else 0


def run(target: str, seconds: int) -> bool:
    """Fuzz one target in its own process; whether it came through."""
    learnt, corpus = LEARNT / target, CORPUS / target
    for folder in (learnt, corpus):
        folder.mkdir(parents=True, exist_ok=True)
    print(f"fuzz: {target}, {seconds} s", flush=True)
    options = (f"-max_total_time={seconds}", f"-artifact_prefix={corpus}/{FOUND}", "-print_final_stats=1")
    log = LEARNT / f"{target}.log"
    with log.open("w") as output:
        done = _libfuzzer(target, [*options, str(learnt), str(corpus)], output.fileno())
    lines = log.read_text("utf-8", "replace").splitlines()
    told = [text for text in lines if text.startswith("stat::number_of_executed_units")]
    print(f"fuzz: {target}: {'ok' if done == 0 else 'BROKEN'} {' '.join(told[-1:])} ({log})", flush=True)
    return done == 0


def keep(target: str) -> None:
    """Add to the corpus what earlier runs have learnt, as far as it reaches lines that nothing there does."""
    from tools.fuzz.targets import TARGETS

    learnt = [path for path in (LEARNT / target).glob("*") if path.stat().st_size <= KEPT_BYTES_MAX]
    reached: set[tuple[str, int]] = set()
    for path in sorted((CORPUS / target).iterdir()):
        reached |= _lines_reached(TARGETS[target], path.read_bytes())
    for path in sorted(learnt, key=lambda path: (path.stat().st_size, path.name)):
        lines = _lines_reached(TARGETS[target], path.read_bytes())
        if lines - reached:
            reached |= lines
            (CORPUS / target / path.name[:16]).write_bytes(path.read_bytes())


def _lines_reached(function: Callable[[bytes], None], data: bytes) -> set[tuple[str, int]]:
    lines = set()

    def note(frame: FrameType, _event: str, _argument: object) -> TraceFunction:
        lines.add((frame.f_code.co_filename, frame.f_lineno))
        return note

    sys.settrace(note)
    try:
        function(data)
    except Exception:  # noqa: BLE001, S110 - a crash that is kept on purpose: the tests tell of it
        pass
    finally:
        sys.settrace(None)
    return lines


def _libfuzzer(target: str, options: Iterable[str], output: int) -> int:
    limits = (
        f"-max_len={INPUT_BYTES_MAX}",
        f"-timeout={INPUT_SECONDS_MAX}",
        f"-rss_limit_mb={MEMORY_MB_MAX}",
    )
    program = "import sys; from tools.fuzz.__main__ import fuzz; fuzz(sys.argv[1], sys.argv[2:])"
    command = [sys.executable, "-c", program, target, *limits, *options]
    return subprocess.run(command, cwd=ROOT, stdout=output, stderr=output, check=False).returncode


def fuzz(target: str, options: Iterable[str]) -> None:
    """Run one target in this process until libFuzzer ends it."""
    atheris = import_module("atheris")
    logging.disable()
    rooms = ["wire", "hal", "host_link", "bank", "firmware", "tools", "tomllib"]
    with atheris.instrument_imports(include=rooms):
        function = import_module("tools.fuzz.targets").TARGETS[target]
    function(b"")  # what is made once is not counted
    atheris.Setup([target, *options], lambda data: _try(target, function, data))
    atheris.Fuzz()


def _try(target: str, function: Callable[[bytes], None], data: bytes) -> None:
    """One input; what breaks the target is kept (libFuzzer itself keeps only what hangs)."""
    try:
        if crc32(data) % MEASURED_ONE_IN:
            function(data)
        else:
            require_memory(target, function, data)
    except Exception:
        (CORPUS / target / f"{FOUND}{hashlib.sha256(data).hexdigest()[:16]}").write_bytes(data)
        raise


if __name__ == "__main__":
    sys.exit(main())
