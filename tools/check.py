"""`make check`: what can be judged without running the program. All steps at once, each reported in order.

Ends with 1 when a step fails, and says for each failed step what to do about it.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent


@dataclass(frozen=True, slots=True)
class Step:
    """One check: a tool of this environment with its arguments, and what helps when it fails."""

    title: str
    command: tuple[str, ...]
    remedy: str

    @property
    def arguments(self) -> list[str]:
        """The command with the full path of the environment's own tool."""
        return [str(Path(sys.executable).parent / self.command[0]), *self.command[1:]]


STEPS = (
    Step("style", ("ruff", "check", "--quiet"), "ruff check --fix, or mend by hand"),
    Step("format", ("ruff", "format", "--check", "--quiet"), "ruff format"),
    Step("types", ("mypy", "--no-error-summary"), "mend the types; the code in brackets names the rule"),
    Step("import rules", ("lint-imports",), "docs/architecture.md says which room may import which"),
    Step("generated pages", ("python", "-m", "tools.diagram.document", "--check"), "make diagrams"),
)


def main(steps: Sequence[Step] = STEPS) -> int:
    """Run every step, report each; 0 when all are well."""
    began = time.monotonic()
    running = [
        (
            step,
            subprocess.Popen(
                step.arguments,
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            ),
        )
        for step in steps
    ]
    failed = [step.title for step, process in running if not _report(step, process)]
    seconds = time.monotonic() - began
    print(f"check: {'failed: ' + ', '.join(failed) if failed else 'all well'} ({seconds:.1f} s)")
    return 1 if failed else 0


def _report(step: Step, process: subprocess.Popen[str]) -> bool:
    output, _ = process.communicate()
    ok = process.returncode == 0
    print(f"check: {step.title:16} {'ok' if ok else 'FAILED'}", flush=True)
    if not ok:
        print(output.rstrip())
        print(f"check: what helps: {step.remedy}", flush=True)
    return ok


if __name__ == "__main__":
    sys.exit(main())
