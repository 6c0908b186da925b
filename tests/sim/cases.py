"""What the tests of the whole system are repeated for: flows, waiting states, requests; and an open shop."""

from __future__ import annotations

import pytest

from firmware.records import Flow
from tests.sim.shop import (
    FLOWS_AND_STATES,
    REQUESTS,
    Shop,
)

flows = pytest.mark.parametrize("flow", list(Flow), ids=lambda flow: flow.value)
waiting = pytest.mark.parametrize(
    ("flow", "state"), FLOWS_AND_STATES, ids=[f"{flow.value}-{state}" for flow, state in FLOWS_AND_STATES]
)
REQUEST_CASES = [(flow, name) for flow in Flow for name in REQUESTS[flow]]
requests = pytest.mark.parametrize(
    ("flow", "request_name"), REQUEST_CASES, ids=[f"{flow.value}-{name}" for flow, name in REQUEST_CASES]
)
AUTHORISING = {Flow.AUTHORISE_FIRST: "authorisation", Flow.PIN_FIRST: "purchase"}
REVERSAL = ("0400", "")


def opened(flow: Flow, *, print_mm_per_s: int = 300) -> Shop:
    shop = Shop(flow, print_mm_per_s=print_mm_per_s)
    shop.open()
    assert shop.state == "idle"
    return shop
