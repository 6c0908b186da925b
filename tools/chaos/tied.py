"""A command that ends with the process that has started it, however that ends.

    python -I -S tied.py PROCESS_ID COMMAND ...

Linux sends it SIGKILL then (prctl(2), PR_SET_PDEATHSIG: kept over the exec). To ask for that between fork and
exec, by `preexec_fn`, is not safe in a program with threads, as the documentation of `subprocess` says; so it
is asked for by a program of its own. It is the thread that counts: start it from the main thread.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Sequence

PR_SET_PDEATHSIG = 1  # linux/prctl.h


def main(arguments: Sequence[str]) -> None:
    """Become the command. Returns when the process that has started this one has ended already."""
    starter, *command = arguments
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL))
    if os.getppid() == int(starter):
        os.execvp(command[0], command)  # noqa: S606 - without a shell, on purpose


if __name__ == "__main__":
    main(sys.argv[1:])
