"""Profiles of acquirers: data that terminal and bank read alike."""

import re

import pytest

from tests.arch.house import ROOT
from wire.errors import CodecError
from wire.iso8583.profile import PROFILES, profile, profile_of, profile_with

SPEC = (ROOT / "docs/spec/iso8583-pos.md").read_text("utf-8")


def test_the_defaults_are_those_of_the_specification() -> None:
    usual = profile()
    assert f"amount ≤ {usual.completion_percent_max} % of the original" in SPEC
    assert f"Validity {usual.preauth_valid_days} days" in SPEC
    assert f"normally ≤ {usual.refund_days_max} days" in SPEC
    assert f"resend count (parameter 23, default {usual.reversal_resends})" in SPEC
    assert f"≤ {usual.detail_records_max} per message" in SPEC
    assert f"{usual.response_timeout_s} s common" in SPEC
    assert re.search(rf"settlement adjust 结算调整 \(tip\) .* {usual.adjustment_type} \(34\)", SPEC)


def test_every_profile_is_whole() -> None:
    for name in PROFILES:
        assert profile(name).name == name
        assert profile(name).title


def test_a_profile_says_what_is_wrong_with_it() -> None:
    with pytest.raises(CodecError, match="the profiles are unionpay"):
        profile("nowhere")
    with pytest.raises(CodecError, match='has no key "colour"'):
        profile_of("x", {"colour": "red"})
    with pytest.raises(CodecError, match='does not give "adjustment_amount"'):
        profile_of("x", {})


def test_an_acquirers_own_file_says_what_differs() -> None:
    own = profile_with("mine", {"refund_days_max": 30, "adjustment_type": "34"})
    assert (own.name, own.refund_days_max, own.adjustment_type) == ("mine", 30, "34")
    assert own.preauth_valid_days == profile().preauth_valid_days
    for values, words in (
        ({"adjustment_type": "33"}, "adjustment_type must be 32 or 34"),
        ({"refund_days_max": "30"}, "refund_days_max must be a int"),
        ({"closed_batch_takes_payments": 1}, "closed_batch_takes_payments must be a bool"),
    ):
        with pytest.raises(CodecError, match=words):
            profile_with("mine", values)


def test_a_profile_is_changed_for_one_contract() -> None:
    assert profile().changed(refund_days_max=30).refund_days_max == 30
    assert profile().refund_days_max == 180
