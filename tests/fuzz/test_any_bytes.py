"""Any bytes, and inputs of the corpus that were changed anywhere: each target takes them, within bounds."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.fuzz.inputs import any_bytes, check
from tools.fuzz.targets import TARGETS


@pytest.mark.parametrize("target", TARGETS)
@settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate],  # to make a failing input small would take minutes: it is told as it is
)
@given(data=st.data())
def test_any_bytes(target: str, data: st.DataObject) -> None:
    check(target, data.draw(any_bytes(target)))
