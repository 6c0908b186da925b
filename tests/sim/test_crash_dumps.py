"""What a crash reporter would write, at every layer and under every key scheme, holds no secret."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path

import pytest
from _pytest.mark.structures import ParameterSet

from tests.sim.secret_day import PIN, PLAIN, PROTECTED, ROOMS, Day, Scheme, listening


class CrashError(Exception):
    """The unexpected."""


def dump_of(error: BaseException) -> str:
    """What a crash reporter would write: every frame of the project with its local variables."""
    root = Path(__file__).parents[2]
    told = traceback.TracebackException.from_exception(error, capture_locals=True)
    lines = [str(told)]
    for frame in told.stack:
        path = Path(frame.filename)
        if path.is_relative_to(root) and path.relative_to(root).parts[0] in ROOMS:
            lines.append(f"{frame.filename}:{frame.lineno} {frame.name}")
            lines += [f"    {name} = {value}" for name, value in (frame.locals or {}).items()]
    return "\n".join(lines)


EVERYWHERE = {  # what fails, from the screen down to the store of the keys
    "journal": "firmware.journal.Journal.commit",
    "request": "firmware.messages._request",
    "codec": "wire.iso8583.codec.Dialect._mac_start",
    "mac": "firmware.secure.module.SecureModule.mac",
    "link": "host_link.session.Session.send",
    "line": "hal.virtual.serial_port.VirtualSerialPort.write",
    "screen": "firmware.faceplate.Faceplate._values",
    "slip": "firmware.work.slip",
    "PIN block": "firmware.secure.pin_block._pin_field",
    "account field": "firmware.secure.module.account_field",
    "vault": "firmware.secure.vault._bound_to",
    "seal": "firmware.secure.gcm_engine._stream",
}
CIPHERS = {  # and in the ciphers, where keys are at hand
    "master-session": {
        "cipher": "firmware.secure.tdes._cipher",
        "bundle": "firmware.secure.key_bundle.check_value",
    },
    "sm4": {
        "cipher": "firmware.secure.sm4._cipher",
        "track": "firmware.secure.module.encrypt_track",
    },
    "dukpt-tdes": {
        "cipher": "firmware.secure.tdes._cipher",
        "derivation": "firmware.secure.dukpt_tdes._half_below",
        "register": "firmware.secure.dukpt_register.DukptRegister.encode",
        "track": "firmware.secure.module.encrypt_whole_track",
    },
    "dukpt-aes": {
        "cipher": "firmware.secure.aes._cipher",
        "derivation": "firmware.secure.dukpt_aes._text",
        "register": "firmware.secure.dukpt_register.DukptRegister.encode",
        "track": "firmware.secure.module.encrypt_whole_track",
    },
}
PRINTING = ("journal", "line", "screen", "slip")
EARLY = ("account field", "track")  # which are used before the PIN is typed


def _cases() -> Iterator[ParameterSet]:
    """Everything at every moment without track encryption; with it from the card on, the PIN's part again."""
    for scheme in [*PLAIN, *PROTECTED]:
        parts = EVERYWHERE | CIPHERS[scheme.key_scheme]
        if scheme in PLAIN:
            late = [what for what in parts if what not in EARLY]
            cases = [*product(["card"], parts), *product(["pin"], late), *product(["print"], PRINTING)]
        else:
            cases = [*product(["card"], parts), *product(["pin"], ("cipher", "PIN block"))]
        for moment, what in cases:
            yield pytest.param(scheme, moment, parts[what], id=f"{scheme}-{moment}-{what}")


def crash_of(day: Day, moment: str, break_it: Callable[[], None]) -> CrashError:
    """Sell until the part that is broken from this moment on is used."""
    station = day.station
    try:
        station.enter_amount("5.00")
        if moment == "card":
            break_it()
        station.swipe("good")
        station.wait_for("pin", "purchase_pin")
        station.press(*PIN[:-1])
        if moment == "pin":
            break_it()
        station.press(PIN[-1], "enter")
        if moment == "print":
            break_it()
        station.finish()
    except CrashError as error:
        return error
    raise AssertionError("this part is not used after this moment")


@pytest.mark.parametrize(("scheme", "moment", "part"), list(_cases()))
def test_a_crash_dump_holds_no_secret(
    scheme: Scheme, moment: str, part: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_args: object, **_more: object) -> None:
        raise CrashError(part)

    with listening(Day(tmp_path, scheme)) as day:
        day.station.power_on()
        day.sell("good", PIN)  # so that all keys are known, and have been used
        error = crash_of(day, moment, lambda: monkeypatch.setattr(part, crash))
        day.capture_devices()
    # Below the link's door a message is what the line carries; an enciphered PIN block is on its way too.
    below = part == EVERYWHERE["line"]
    dump = dump_of(error)
    assert "firmware/app.py" in dump
    found = day.secrets.found(
        dump.encode(), allowed=scheme.on_the_line if below else frozenset({"PIN block"})
    )
    assert found == set(), dump
