"""A whole day of a shop, everything captured, and searched for everything that must not be there.

Where secrets are allowed, and why:

- the serial line carries track 2 in clear while `encrypt_track` is off: so does the line of any terminal
  without point-to-point encryption (`docs/threat-model.md`). That it is found there also shows that the
  search can find it. With "tdk" most of the number is left, with "dukpt" nothing;
- the device key is in the file of the virtual tamper device, which stands for a secure chip's memory.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sim.secret_day import PLAIN, PROTECTED, Day, listening


@pytest.fixture(params=[*PLAIN, *PROTECTED], ids=str)
def day(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Day]:
    with listening(Day(tmp_path, request.param)) as one:
        yield one


def test_a_whole_day_leaves_no_secret_anywhere(day: Day, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        day.live_through()
    day.capture("log", caplog.text)
    day.capture_devices()
    found = day.found()
    assert found.pop("line from terminal", set()) == day.scheme.on_the_line
    assert found.pop("host messages", set()) == day.scheme.on_the_line
    assert found.pop("file device-key.json") == {"device key"}
    assert found == {}
    wanted = {"PIN", "clear PIN block", "device key", "key component", "card number", "track", "TMK"}
    wanted |= (
        {"BDK", "initial key", "future key", "message key"}
        if day.scheme.key_scheme.startswith("dukpt")
        else {"PIK", "MAK"}
    )
    assert wanted <= set(day.secrets.forms.values()), "each of these was looked for"
    assert {"log", "screens", "slips", "wire log", "object graph", "file terminal.db", "file bank.db"} <= set(
        day.captured
    )


def test_the_search_can_find_everything(day: Day) -> None:
    """In each form, in the middle of something else; so that the tests above are not blind."""
    for form, name in day.secrets.forms.items():
        assert name in day.secrets.found(b"\x00before" + form + b"after\xff")
    assert not day.secrets.found(b"622588******0100 5.00 000001")
