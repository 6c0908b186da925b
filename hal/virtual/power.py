"""The power cut, as seen by everything that runs on the machine."""

from __future__ import annotations


class PowerCut(BaseException):
    """The machine has lost power at this instant: nothing that would have run after it runs.

    Not a HalError and not even an Exception, because no code of the terminal may handle it: it passes
    through every `except Exception` up to the simulation, which then starts a new terminal on what is left.
    """
