"""What the tests of the simulated shop share."""

from __future__ import annotations

import pytest

from tests.sim.custodians import open_shop, service_visit
from tests.sim.shop import Shop


@pytest.fixture
def shop() -> Shop:
    return open_shop()


@pytest.fixture
def bare(shop: Shop) -> Shop:
    """After a tamper alarm and a visit of the service, before any key is loaded."""
    service_visit(shop)
    return shop
