"""A whole day of a shop, everything captured, and searched for everything that must not be there.

Where secrets are allowed, and why:

- the serial line carries track 2 in clear while `encrypt_track` is off: so does the line of any terminal
  without point-to-point encryption (`docs/threat-model.md`). That it is found there also shows that the
  search can find it. With "tdk" most of the number is left, with "dukpt" nothing;
- the device key is in the file of the virtual tamper device, which stands for a secure chip's memory.
"""

from __future__ import annotations

import gc
import logging
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from types import FunctionType, ModuleType

import pytest
from Crypto.Cipher import DES3

from bank import dukpt
from bank.authoriser import Bank, Reply
from bank.faults import Fault, FaultKind
from bank.provision import CardSpec, TerminalSpec
from firmware.app import Transition
from firmware.records import Flow
from tests.sim.custodians import keys_of
from tests.sim.secrets import Secrets
from tests.sim.shop import HURRIED, shop_data
from tools.key_ceremony import matching
from tools.runtime import StationPlan, build_station, settings_of
from tools.station import StationError
from tools.wire_log import WireLog
from wire.iso8583 import dialect
from wire.pan import Pan, luhn_check_digit

PIN, WRONG_PIN = "90735182", "41826607"  # long enough never to be found by chance
TMK = bytes.fromhex("3D8A51F7C26E94B00F5BE2719CA6D843")
COMPONENT = bytes.fromhex("7B16E9402DA85FC3918D3C6F04B7EA52")
ON_THE_LINE = frozenset({"card number", "track", "PIN block"})  # the block is enciphered
ROOMS = ("firmware", "hal", "wire", "host_link")


@dataclass(frozen=True)
class Scheme:
    """How the terminal protects what it sends, and what of it is on the line nevertheless."""

    flow: Flow
    key_scheme: str = "master-session"
    encrypt_track: str = "off"
    on_the_line: frozenset[str] = ON_THE_LINE

    def __str__(self) -> str:
        return f"{self.flow.value}-{self.key_scheme}-{self.encrypt_track}"


PLAIN = [Scheme(flow) for flow in Flow]
PROTECTED = [
    # iso8583-pos section 6.6 enciphers the end of a track only: the number at its beginning stays in clear
    Scheme(Flow.AUTHORISE_FIRST, encrypt_track="tdk", on_the_line=frozenset({"card number", "PIN block"})),
    # the whole track under a key of its own: the host link never sees a card number
    Scheme(Flow.AUTHORISE_FIRST, "dukpt-tdes", "dukpt", frozenset({"PIN block"})),
    Scheme(Flow.PIN_FIRST, "dukpt-aes", "dukpt", frozenset()),  # its PIN block is in field 59
]


@dataclass
class Day:
    """One shop for one day. `captured`: place and content, for the search."""

    folder: Path
    scheme: Scheme
    secrets: Secrets = field(default_factory=Secrets)
    captured: dict[str, list[bytes]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        shop = shop_data()
        merchant = shop.merchants[0]
        terminals = (replace(merchant.terminals[0], tmk=TMK), *merchant.terminals[1:])
        cards = tuple(_searchable(card, number) for number, card in enumerate(shop.cards, 1))
        provision = replace(shop, cards=cards, merchants=(replace(merchant, terminals=terminals),))
        protection = replace(
            HURRIED,
            flow=self.scheme.flow,
            key_scheme=self.scheme.key_scheme,
            encrypt_track=self.scheme.encrypt_track,
        )
        settings = settings_of(provision, protection)
        self._add_dukpt_keys(matching(provision, settings).merchants[0].terminals[0])
        self.wire_log = WireLog(frames_max=100_000)
        plan = StationPlan(
            settings=settings,
            provision=provision,
            state_folder=self.folder,
            tap=self._tap,
            observers=[self._on_transition],
        )
        self.station = build_station(plan)
        for card in cards:
            self.secrets.add_card(card)
        pans = [card.plastic.pan.reveal() for card in cards]
        self.secrets.add_pin(PIN, pans)
        self.secrets.add_pin(WRONG_PIN, pans)
        self.secrets.add_key("TMK", TMK)
        self.secrets.add_key("key component", COMPONENT)

    def _add_dukpt_keys(self, terminal: TerminalSpec) -> None:
        if terminal.bdk is None or not self.scheme.key_scheme.startswith("dukpt"):
            return
        self.secrets.add_key("BDK", terminal.bdk)
        if self.scheme.key_scheme == "dukpt-aes":
            self.secrets.add_key("initial key", dukpt.aes_initial_key(terminal.bdk, terminal.ksn[:8]))
        else:
            self.secrets.add_key("initial key", dukpt.tdes_initial_key(terminal.bdk, terminal.ksn))

    # --- what is captured ---------------------------------------------------------------------------

    def capture(self, place: str, content: bytes | str) -> None:
        data = content.encode() if isinstance(content, str) else content
        self.captured.setdefault(place, []).append(data)

    def _tap(self, at_ms: int, side: str, data: bytes) -> None:
        self.capture(f"line from {side}", data)
        self.wire_log.feed(at_ms, side, data)

    def _on_transition(self, transition: Transition) -> None:
        self.capture("log", repr(transition))

    def on_host_message(self, message: bytes) -> None:
        """What the gateway sees. It tells the enciphered PIN blocks and working keys."""
        self.capture("host messages", message)
        fields = dialect("unionpay").decode(message).fields
        if isinstance(block := fields.get(52), bytes) and any(block):  # zeros: it is in field 59
            self.secrets.add("PIN block", [block, block.hex().encode(), block.hex().upper().encode()])
        if isinstance(bundle := fields.get(62), bytes) and len(bundle) in {40, 60}:
            # iso8583-pos section 6.2: PIK and its check value, MAK (padded) and its check value; TDK
            tmk = DES3.new(TMK, DES3.MODE_ECB)
            if len(bundle) == 60:
                self.secrets.add_key("TDK", tmk.decrypt(bundle[40:56]))
            self.secrets.add_key("PIK", tmk.decrypt(bundle[:16]))
            self.secrets.add_key("MAK", tmk.decrypt(bundle[20:28]))

    def capture_files(self) -> None:
        """Every byte on the disk, the write-ahead logs too."""
        for path in self.folder.iterdir():
            self.capture(f"file {path.name}", path.read_bytes())

    def capture_graph(self) -> None:
        """What everything that the terminal is made of says of itself."""
        for thing in _made_of(self.station.terminal):
            self.capture("object graph", repr(thing))

    def capture_devices(self) -> None:
        devices = self.station.devices
        for _at_ms, screen in devices.display.history:
            self.capture("screens", screen.text)
        for slip in self.station.slips:
            self.capture("slips", slip)
        for frame in self.wire_log.frames:
            self.capture("wire log", repr(frame))
        self.secrets.add_key("device key", self.station.board.tamper.device_key())

    # --- what happens -------------------------------------------------------------------------------

    def sell(self, card: str = "good", *pins: str, amount: str = "5.00") -> None:
        self.station.enter_amount(amount)
        self.station.swipe(card)
        for pin in pins:
            try:
                self.station.wait_for("pin", "purchase_pin")
            except StationError:
                break  # declined before a PIN was asked for
            self.capture_graph()
            self.station.press(*pin, "enter")
        self.station.finish()
        self.capture_files()

    def fault(self, kind: FaultKind) -> None:
        self.station.add_bank_fault(
            Fault(kind, "0100" if self.scheme.flow is Flow.AUTHORISE_FIRST else "0200")
        )

    def live_through(self) -> None:
        """The day."""
        station = self.station
        station.power_on()
        self.sell("good", PIN)
        self.sell("good", WRONG_PIN, PIN)
        for card in ("poor", "expired", "lost", "limited", "unknown"):
            self.sell(card, PIN, amount="50.00")
        self.sell("poor", WRONG_PIN, WRONG_PIN, WRONG_PIN, amount="0.50")
        station.press("f4")  # in Chinese from here
        self._sale_cut_short()
        self.fault(FaultKind.SILENT_AFTER_POSTING)
        self.sell("good", PIN)
        self.fault(FaultKind.WRONG_MAC)
        self.sell("good", PIN)
        self._power_cut()
        station.press("f2")
        station.run_until(lambda: station.state == "idle")
        station.press("f3")
        station.run_until(lambda: station.state == "idle")
        self._half_a_key()
        self.sell("good", PIN)

    def _sale_cut_short(self) -> None:
        """A bad swipe, then half a PIN and CANCEL: a reversal in the one flow, nothing in the other."""
        station = self.station
        station.enter_amount("7.00")
        station.swipe("good", "bad")
        station.swipe("good")
        station.wait_for("pin", "purchase_pin")
        station.press(*PIN[:6])
        self.capture_graph()
        station.press("cancel")
        station.finish()

    def _power_cut(self) -> None:
        station = self.station
        station.enter_amount("8.00")
        station.swipe("good")
        station.wait_for("pin", "purchase_pin")
        station.press(*PIN)
        self.capture_files()
        station.cut_power()
        self.capture_files()
        station.power_on()

    def _half_a_key(self) -> None:
        """A custodian types a component, and is called away."""
        station = self.station
        station.press("up", "enter", *keys_of(COMPONENT.hex().upper()), "enter")
        assert station.state == "typing_check_value"
        self.capture_graph()
        station.press("cancel")

    # --- the search ---------------------------------------------------------------------------------

    def found(self) -> dict[str, set[str]]:
        """By place, the secrets that are there."""
        return {
            place: names
            for place, contents in self.captured.items()
            if (names := self.secrets.found(b"\n".join(contents)))
        }


def _searchable(card: CardSpec, number: int) -> CardSpec:
    """The card with another test number: one without zero bytes, which framing would replace."""
    digits = f"62258801234567{number}"
    pan = Pan(digits + luhn_check_digit(digits))
    return replace(card, pin=PIN, plastic=replace(card.plastic, pan=pan, discretionary=f"{number}4862957"))


def _made_of(root: object) -> Iterator[object]:
    """Every object of the project's own classes that can be reached from `root`."""
    seen, front = {id(root)}, [root]
    while front:
        thing = front.pop()
        if type(thing).__module__.split(".")[0] in ROOMS:
            yield thing
        for part in gc.get_referents(thing):
            if id(part) not in seen and not isinstance(part, type | ModuleType | FunctionType):
                seen.add(id(part))
                front.append(part)


@pytest.fixture(params=PLAIN, ids=str)
def day(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Day]:
    one = Day(tmp_path, request.param)
    handle = Bank.handle

    def listen(bank: Bank, message: bytes, *, now: datetime) -> list[Reply]:
        replies = handle(bank, message, now=now)
        for content in (message, *(reply.message for reply in replies if reply.message)):
            one.on_host_message(content)
        return replies

    monkeypatch.setattr(Bank, "handle", listen)
    with one.station:
        yield one


@pytest.mark.parametrize("day", [*PLAIN, *PROTECTED], ids=str, indirect=True)
def test_a_whole_day_leaves_no_secret_anywhere(day: Day, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        day.live_through()
    day.capture("log", caplog.text)
    day.capture_devices()
    found = day.found()
    assert found.pop("line from terminal", set()) == day.scheme.on_the_line
    assert found.pop("host messages", set()) == day.scheme.on_the_line
    assert found.pop("file device-key.json") == {"device key"}
    assert found == {}
    wanted = {"PIN", "clear PIN block", "device key", "key component", "card number", "track", "TMK"}
    wanted |= {"BDK", "initial key"} if day.scheme.key_scheme.startswith("dukpt") else {"PIK", "MAK"}
    assert wanted <= set(day.secrets.forms.values()), "each of these was looked for"
    assert {"log", "screens", "slips", "wire log", "object graph", "file terminal.db", "file bank.db"} <= set(
        day.captured
    )


# --- crash dumps -----------------------------------------------------------------------------------------


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


CRASHES = {  # what fails, from the screen down to the cipher
    "journal": "firmware.journal.Journal.commit",
    "request": "firmware.messages._request",
    "codec": "wire.iso8583.codec.Dialect.mac_region",
    "mac": "firmware.secure.module.SecureModule.mac",
    "link": "host_link.session.Session.send",
    "line": "hal.virtual.serial_port.VirtualSerialPort.write",
    "screen": "firmware.faceplate.Faceplate._values",
    "slip": "firmware.work.slip",
    "cipher": "firmware.secure.tdes._cipher",
    "PIN block": "firmware.secure.pin_block.format_0",
}


MOMENTS = [
    *((moment, what) for moment in ("card", "pin") for what in CRASHES),
    *(("print", what) for what in ("journal", "line", "screen", "slip", "cipher")),
]


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


@pytest.mark.parametrize(("moment", "what"), MOMENTS)
def test_a_crash_dump_holds_no_secret(
    day: Day, moment: str, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_args: object, **_more: object) -> None:
        raise CrashError(what)

    day.station.power_on()
    day.sell("good", PIN)  # so that all keys are known, and have been used
    error = crash_of(day, moment, lambda: monkeypatch.setattr(CRASHES[what], crash))
    day.capture_devices()
    # Below the link's door a message is what the line carries; an enciphered PIN block is on its way too.
    allowed = ON_THE_LINE if what == "line" else frozenset({"PIN block"})
    dump = dump_of(error)
    assert "firmware/app.py" in dump
    assert day.secrets.found(dump.encode(), allowed=allowed) == set(), dump


def test_the_search_can_find_everything(day: Day) -> None:
    """In each form, in the middle of something else; so that the tests above are not blind."""
    for form, name in day.secrets.forms.items():
        assert name in day.secrets.found(b"\x00before" + form + b"after\xff")
    assert not day.secrets.found(b"622588******0100 5.00 000001")
