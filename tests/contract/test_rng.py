"""hal.api.Rng, for every backend. A new backend adds a line to RNGS."""

from collections.abc import Callable

import pytest

from hal.api import Rng
from hal.host.rng import OsRng
from hal.virtual.rng import SeededRng

RNGS: dict[str, Callable[[], Rng]] = {"virtual": SeededRng, "host": OsRng}


@pytest.fixture(params=RNGS)
def rng(request: pytest.FixtureRequest) -> Rng:
    device = RNGS[request.param]()
    device.open()
    return device


@pytest.mark.parametrize("length_bytes", [0, 1, 16, 1000])
def test_gives_as_many_bytes_as_asked_for(rng: Rng, length_bytes: int) -> None:
    assert len(rng.token(length_bytes)) == length_bytes


def test_no_token_comes_twice(rng: Rng) -> None:
    assert len({rng.token(16) for _ in range(1000)}) == 1000


def test_uses_every_byte_value(rng: Rng) -> None:
    assert len(set(rng.token(10_000))) == 256


def test_refuses_a_negative_length(rng: Rng) -> None:
    with pytest.raises(ValueError, match="negative"):
        rng.token(-1)
