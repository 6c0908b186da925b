"""Whatever arrives with a right MAC: the bank answers it or drops it, and its books stay right."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bank.errors import FrameError
from bank.management import MANAGEMENT
from bank.plans import PLANS
from bank.provision import demo_bank
from tests.bank.clerk import Clerk
from tests.bank.till import NOW
from wire.errors import CodecError

DIGITS = st.text("0123456789", max_size=40)
NASTY = st.one_of(DIGITS, st.text("0123456789ABCDEFabc =", max_size=30), st.just("9" * 322))
SELECTORS = [*PLANS, ("0620", "000000", "00", "00"), ("0400", "000000", "00", "22")]


def fixed(length: int) -> st.SearchStrategy[str]:
    return st.one_of(st.text("0123456789", min_size=length, max_size=length), st.just("9" * length))


OPTIONAL: dict[int, st.SearchStrategy[str] | st.SearchStrategy[bytes]] = {
    2: st.one_of(st.just("6225880000000100"), DIGITS.filter(lambda text: len(text) <= 19)),
    4: fixed(12),
    11: fixed(6),
    14: fixed(4),
    22: fixed(3),
    26: fixed(2),
    35: st.one_of(st.just("6225880000000100D301212000000000"), st.text("0123456789D", max_size=37)),
    37: st.text("0123456789AZ", min_size=12, max_size=12),
    38: st.text("0123456789AZ", min_size=6, max_size=6),
    39: st.sampled_from(["98", "06", "A0", "zz"]),
    48: NASTY,
    49: st.sampled_from(["156", "840"]),
    52: st.binary(min_size=8, max_size=8),
    53: fixed(16),
    55: st.binary(max_size=60),
    59: st.binary(max_size=60),
    61: DIGITS.filter(lambda text: len(text) <= 29),
    62: st.binary(max_size=512),
    63: st.text("0123456789 CUP", max_size=20),
}


def optional_fields() -> st.SearchStrategy[dict[int, str | bytes]]:
    return st.fixed_dictionaries({}, optional=OPTIONAL)


BANK = demo_bank(now=NOW)
CLERK = Clerk(BANK)
CLERK.sign_in()


def tell(mti: str, fields: dict[int, str | bytes], *, mac: bool) -> None:
    try:
        message = CLERK.pack(mti, fields, mac=mac)
    except CodecError:
        return  # no such message can be written
    try:
        replies = BANK.handle(message, now=NOW)
    except FrameError:
        return
    assert len(replies) == 1
    assert BANK.verify().ok


@settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(SELECTORS), optional_fields(), st.sampled_from(["000001", "999999"]))
def test_any_financial_message(
    selector: tuple[str, str, str, str], fields: dict[int, str | bytes], batch: str
) -> None:
    mti, processing_code, condition, type_code = selector
    tell(mti, {**fields, 3: processing_code, 25: condition, 60: f"{type_code}{batch}95120"}, mac=True)
    tell(mti, {**fields, 3: processing_code, 25: condition, 60: f"{type_code}{batch}000201"}, mac=True)


@settings(max_examples=100, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(
    st.sampled_from([key for key in MANAGEMENT if key[0] != "0800" or key[1] > "100"]),
    optional_fields(),
    st.sampled_from(["000001", "999999"]),
)
def test_any_management_message(key: tuple[str, str], fields: dict[int, str | bytes], batch: str) -> None:
    tell(key[0], {**fields, 60: f"00{batch}{key[1]}"}, mac=False)
