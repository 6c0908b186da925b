"""Any bytes, and inputs of the corpus that were changed anywhere: each target takes them, within bounds."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.fuzz.inputs import any_bytes, check
from tests.fuzz.toml_documents import documents
from tools.fuzz.targets import TARGETS

TOML_FILES = ("config", "scenario", "profile", "bank_data")

patient = settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate],  # to make a failing input small would take minutes: it is told as it is
)


@pytest.mark.parametrize("target", TARGETS)
@patient
@given(data=st.data())
def test_any_bytes(target: str, data: st.DataObject) -> None:
    check(target, data.draw(any_bytes(target)))


@pytest.mark.parametrize("target", TOML_FILES)
@settings(patient, max_examples=60)
@given(data=st.data())
def test_any_document_that_is_nearly_right(target: str, data: st.DataObject) -> None:
    document = data.draw(documents(target))
    tomllib.loads(document.decode())
    check(target, document)
