"""The devices of a profile beside the virtual ones: the same checks. `make hardware PROFILE=till.toml`

With PERSON=1 somebody presses a key, swipes a card and inserts one when asked; with PAPER=1 a line is printed
and cut.
"""

import os
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from hal.api import (
    Align,
    Beep,
    CardRead,
    ItemPrinted,
    KeyPressed,
    Led,
    PrintCut,
    PrintText,
    Put,
    Screen,
    ScreenLine,
)
from hal.profile import Profile, load_profile
from hal.registry import KINDS, build_device
from hal.smart_card import ChipFailed, ChipInserted, ChipReset, ChipResponded, CommandApdu

NAME = os.environ.get("POSTERM_PROFILE", "")
if not NAME:
    pytest.skip("needs real devices: make hardware PROFILE=FILE", allow_module_level=True)

pytestmark = pytest.mark.hardware

PERSON = bool(os.environ.get("POSTERM_PERSON"))
PAPER = bool(os.environ.get("POSTERM_PAPER"))
WAIT_S = 20.0
SELECT_PSE = CommandApdu(0x00, 0xA4, 0x04, 0x00, b"1PAY.SYS.DDF01", 256)
SIDES: dict[str, Profile] = {"virtual": load_profile("virtual"), "real": load_profile(NAME)}


class Checked:
    """One device of one side, open."""

    def __init__(self, device: Any, *, is_real: bool) -> None:
        self.device = device
        self.is_real = is_real

    def until(self, kind: type, seconds: float = WAIT_S) -> object:
        end_s = time.monotonic() + seconds
        while time.monotonic() < end_s:
            for event in self.device.poll():
                if isinstance(event, kind):
                    return event
            time.sleep(0.01)
        raise AssertionError(f"no {kind.__name__} within {seconds:g} s")

    def ask(self, text: str) -> None:
        if not PERSON:
            pytest.skip("needs a person: PERSON=1")
        print(f"\a{text}", flush=True)


@pytest.fixture(params=SIDES)
def side(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def checked(
    request: pytest.FixtureRequest, side: str, tmp_path: Path
) -> Iterator[Callable[[str, str], Checked]]:
    opened: list[Any] = []

    def take(kind: str, check: str) -> Checked:
        request.node.user_properties += [("kind", kind), ("check", check), ("side", side)]
        device = build_device(SIDES[side], kind, state_folder=tmp_path)
        opened.append(device)
        device.open()
        return Checked(device, is_real=SIDES[side].devices[kind].backend != "virtual")

    yield take
    for device in opened:
        device.close()


@pytest.mark.parametrize("kind", KINDS)
def test_opens_well_and_is_quiet(kind: str, checked: Callable[[str, str], Checked]) -> None:
    device = checked(kind, "opens well, says nothing").device
    result = device.self_test()
    assert result.ok, result.detail
    assert list(device.poll()) == []
    device.close()
    device.close()
    device.open()
    assert device.self_test().ok


def test_shows_any_screen(checked: Callable[[str, str], Checked]) -> None:
    one = checked("display", "shows any screen")
    for text in ("posterm", "RMB 12.34", "金额 12.34", "x" * 200):
        one.device.show(Screen((ScreenLine(text, Align.CENTRE, double=True), ScreenLine(text))))
        time.sleep(0.5 if one.is_real else 0)
    assert one.device.self_test().ok


def test_sounds_every_beep(checked: Callable[[str, str], Checked]) -> None:
    one = checked("buzzer", "sounds every beep")
    for beep in Beep:
        one.device.sound(beep)
    end_s = time.monotonic() + (4 if one.is_real else 0)
    while time.monotonic() < end_s:
        one.device.poll()
        time.sleep(0.005)
    assert one.device.self_test().ok


def test_lights_every_light(checked: Callable[[str, str], Checked]) -> None:
    one = checked("leds", "lights every light")
    for led in Led:
        one.device.set(frozenset({led}))
        time.sleep(0.3 if one.is_real else 0)


def test_a_pin_key_reaches_the_sink_only(checked: Callable[[str, str], Checked]) -> None:
    one = checked("keypad", "a key comes, in secure mode hidden")
    if one.is_real:
        one.ask("press ENTER")
    else:
        one.device.press("enter")
    event = one.until(KeyPressed)
    assert isinstance(event, KeyPressed)
    assert event.key.value == "enter"
    sink: list[object] = []
    one.device.begin_secure_entry(sink.append)
    if one.is_real:
        one.ask("press 5")
    else:
        one.device.press("5")
    end_s = time.monotonic() + WAIT_S
    while not sink and time.monotonic() < end_s:
        assert list(one.device.poll()) == []
        time.sleep(0.01)
    assert [getattr(key, "value", key) for key in sink] == ["5"]


def test_a_card_is_read(checked: Callable[[str, str], Checked]) -> None:
    from hal.virtual.card import MagneticCard

    one = checked("card_reader", "a test card is read")
    one.device.arm()
    if one.is_real:
        one.ask("swipe a test card")
    else:
        one.device.swipe(MagneticCard.from_fields("6225880000000100", "3012", "TEST/CARD", "201"))
    event = one.until(CardRead)
    assert isinstance(event, CardRead)
    assert event.tracks.track2 is not None


def test_a_chip_card_answers(checked: Callable[[str, str], Checked], side: str) -> None:
    one = checked("smart_card", "a chip card answers a reset")
    if side == "virtual":
        pytest.skip("its clock is virtual: tests/contract resets cards")
    if SIDES["real"].devices["smart_card"].backend == "none":
        pytest.skip("the profile has no slot for chip cards")
    one.ask("insert a chip card")
    one.until(ChipInserted)
    one.device.power_on()
    result = one.until(ChipReset | ChipFailed)  # type: ignore[arg-type]
    assert isinstance(result, ChipReset), result
    one.device.transmit(SELECT_PSE)
    answer = one.until(ChipResponded | ChipFailed)  # type: ignore[arg-type]
    assert isinstance(answer, ChipResponded), answer
    one.device.power_off()


def test_a_line_is_printed(checked: Callable[[str, str], Checked], side: str) -> None:
    one = checked("printer", "a line is printed and cut")
    if one.is_real and not PAPER:
        pytest.skip("uses paper: PAPER=1")
    if side == "virtual":
        pytest.skip("its clock is virtual: tests/contract prints")
    for item in (PrintText("posterm parity 打印测试", bold=True), PrintCut()):
        one.device.submit(item)
        one.until(ItemPrinted)


def test_a_commit_is_read_back(checked: Callable[[str, str], Checked]) -> None:
    one = checked("storage", "a commit is read back")
    one.device.commit([Put("parity", "key", b"value")])
    assert one.device.get("parity", "key") == b"value"


def test_time_goes_on(checked: Callable[[str, str], Checked]) -> None:
    one = checked("clock", "time goes on and can be set")
    first = one.device.monotonic_ms()
    one.device.set_wall(datetime.fromisoformat("2030-01-01 12:00:00"))
    assert one.device.wall().year == 2030
    assert one.device.monotonic_ms() >= first


def test_tokens_differ(checked: Callable[[str, str], Checked]) -> None:
    one = checked("rng", "tokens differ")
    assert one.device.token(16) != one.device.token(16)


def test_the_device_key_stays(checked: Callable[[str, str], Checked]) -> None:
    one = checked("tamper", "the device key stays")
    key = one.device.device_key()
    one.device.close()
    one.device.open()
    assert one.device.device_key() == key
