"""posterm: a payment terminal in software, from swipe to slip, for scripts.

A station is one terminal with virtual devices, its serial link and its bank:

    >>> import posterm
    >>> pos = posterm.start()
    >>> pos.enter_amount("12.34")
    >>> pos.swipe("good")
    >>> pos.enter_pin("123456")
    >>> pos.finish().outcome.value
    'approved'
    >>> print(pos.slips[0].splitlines()[1].strip())
    MERCHANT COPY
    >>> pos.beeps, pos.payment.response_code, pos.payment.pan_masked
    (2, '00', '622588******0100')
    >>> "Ready for sale" in pos.display
    True
    >>> pos.close()

`start` takes any setting of the terminal by its name, such as `start(flow="pin-first", language="zh")`;
`live=True` uses real time, a pseudo-terminal pair and a TCP bank instead of virtual time. `sell` makes a
whole payment at once and reports it from all sides, as `posterm sale --json` does:

    >>> with posterm.start(flow="pin-first") as pos:
    ...     report = posterm.sell(pos, "12.34", "good", ["111111", "123456"])
    >>> report.outcome, report.ledger["holds_left"], len(report.slips)
    ('approved', 0, 2)

`Station` says what else hands can do: insert and remove a card, press any key, pull the cable, cut the
power, let the bank misbehave (`Fault`), wait for a state. Errors are ConfigError, StationError, and those of
the rooms that they come from.
"""

from __future__ import annotations

import sys

from bank.faults import Fault, FaultKind
from firmware.records import Flow, Outcome, Payment, Reason
from firmware.settings import TerminalSettings
from hal.api import Beep, Key
from hal.virtual.card import MagneticCard
from tools.config import ConfigError
from tools.report import SaleReport
from tools.runtime import StationPlan, build_station, start
from tools.sale import sell
from tools.station import Station, StationError

__all__ = [
    "Beep",
    "ConfigError",
    "Fault",
    "FaultKind",
    "Flow",
    "Key",
    "MagneticCard",
    "Outcome",
    "Payment",
    "Reason",
    "SaleReport",
    "Station",
    "StationError",
    "StationPlan",
    "TerminalSettings",
    "build_station",
    "sell",
    "start",
]

if __name__ == "__main__":
    from tools.cli import main

    sys.exit(main())
