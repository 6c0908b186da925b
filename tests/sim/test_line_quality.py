"""The bars of the line on the idle screen tell of the last minute or two, whatever was shown meanwhile."""

from __future__ import annotations

import pytest

from hal.api import StorageTrouble
from host_link.session import Session
from tests.sim.shop import Shop

MINUTE_MS = 60_000


def test_what_was_bad_before_the_terminal_was_out_of_service_does_not_count_any_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    spoilt, good = 0, 100
    monkeypatch.setattr(Session, "spoilt_and_good_frames", property(lambda _: (spoilt, good)))
    shop = Shop()
    shop.open()
    assert "####" in shop.station.display
    shop.storage.break_down(StorageTrouble.FULL)
    shop.play()
    assert shop.state == "out_of_service"
    spoilt, good = 100, 200
    shop.station.run_for(5 * MINUTE_MS)
    assert shop.state == "out_of_service"
    shop.storage.mend()
    shop.station.press("enter")
    shop.station.run_until(lambda: shop.state == "idle")
    assert "####" in shop.station.display, "what is bad is over"
    spoilt += 100
    shop.station.run_for(MINUTE_MS)
    assert "#..." in shop.station.display
