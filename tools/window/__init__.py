"""The interactive session: a terminal to press keys on, drawn in a window of characters.

keys.py       bytes of the keyboard to names of keys
hands.py      names of keys to what a person does: press, swipe, pull a cable
event_log.py  what happens, line by line
glass.py      the display as text
view.py       everything as one picture of characters
tty.py        the keyboard and its settings, given back in every case
session.py    turns the crank: the station, the keyboard, the picture
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tools.runtime import StationPlan
    from tools.station import Station
    from tools.window.event_log import EventLog


def open_window(plan: StationPlan) -> int:
    """Build the plan's station in real time, let a person use it, and switch it off.

    Returns 0 when the person has quit, 2 (with a line on stderr) where there is no terminal window; then
    nothing was made. Raises what `tools.runtime.build_station` raises.
    """
    from tools.window.session import open_window as open_

    return open_(plan)


def run_window(station: Station, log: EventLog | None = None) -> int:
    """Let a person use a station in real time; one that is off is switched on. It is left as it is then.

    `log`: one that was the tap and an observer of the station's plan shows the line's frames too. Returns 0
    when the person has quit, 2 (with a line on stderr) where there is no terminal window or no real time.
    """
    from tools.window.session import run_window as run_

    return run_(station, log)
