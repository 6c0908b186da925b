"""A whole day of a shop, everything captured: what is searched for secrets, and which there are."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from types import FunctionType, ModuleType

import pytest
from Crypto.Cipher import DES3
from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext, algorithms, modes

from bank import dukpt
from bank.authoriser import Bank, Reply
from bank.faults import Fault, FaultKind
from bank.provision import CardSpec, TerminalSpec
from firmware.app import Transition
from firmware.records import Flow
from firmware.secure import dukpt_aes, dukpt_tdes
from tests.sim.custodians import keys_of
from tests.sim.secrets import Secrets
from tests.sim.shop import HURRIED, shop_data
from tools.key_ceremony import matching
from tools.runtime import StationPlan, build_station, settings_of
from tools.station import StationError
from tools.wire_log import WireLog
from wire.iso8583 import dialect
from wire.pan import Pan, luhn_check_digit
from wire.security_data import SecurityData

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
    # and here in field 62; the enciphered block of 32 nibbles begins within the number
    Scheme(Flow.PIN_FIRST, "sm4", "tdk", frozenset()),
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
        """The keys that a DUKPT terminal begins with: each counter of a single bit has one."""
        self.bdk, ksn = terminal.bdk, terminal.ksn
        self.ksn = ksn
        if self.bdk is None or not self.scheme.key_scheme.startswith("dukpt"):
            return
        self.secrets.add_key("BDK", self.bdk)
        is_aes = self.scheme.key_scheme == "dukpt-aes"
        initial = (
            dukpt.aes_initial_key(self.bdk, ksn[:8]) if is_aes else dukpt.tdes_initial_key(self.bdk, ksn)
        )
        self.secrets.add_key("initial key", initial)
        device = dukpt_aes if is_aes else dukpt_tdes
        start = int.from_bytes(ksn, "big") >> device.COUNTER_BITS << device.COUNTER_BITS
        for place in range(device.COUNTER_BITS):
            number = (start | 1 << place).to_bytes(len(ksn), "big")
            self.secrets.add_key("future key", device.transaction_key(initial, number))

    def _add_message_keys(self, ksn: bytes) -> None:
        assert self.bdk is not None
        derive = dukpt.aes_key if self.scheme.key_scheme == "dukpt-aes" else dukpt.tdes_key
        for use in ("pin", "mac", "mac answer", "data"):
            self.secrets.add_key("message key", derive(self.bdk, ksn, use))

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
        if isinstance(private := fields.get(59), bytes) and (ksn := SecurityData.parse(private).ksn):
            self._add_message_keys(ksn)
        if isinstance(bundle := fields.get(62), bytes) and len(bundle) in {40, 60}:
            # iso8583-pos section 6.2: PIK and its check value, MAK (padded) and its check value; TDK
            is_sm4 = self.scheme.key_scheme == "sm4"
            decrypt = _sm4(TMK).update if is_sm4 else DES3.new(TMK, DES3.MODE_ECB).decrypt
            if len(bundle) == 60:
                self.secrets.add_key("TDK", decrypt(bundle[40:56]))
            self.secrets.add_key("PIK", decrypt(bundle[:16]))
            self.secrets.add_key("MAK", decrypt(bundle[20 : 36 if is_sm4 else 28]))

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
        station.press("up", "enter")
        if self.scheme.key_scheme.startswith("dukpt"):
            station.press(*keys_of(self.ksn.hex().upper()), "enter")
        station.press(*keys_of(COMPONENT.hex().upper()), "enter")
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
    return replace(
        card, pin=PIN, plastic=replace(card.plastic, pan=pan, discretionary=f"{number}48629573108")
    )


def _sm4(key: bytes) -> CipherContext:
    return Cipher(algorithms.SM4(key), modes.ECB()).decryptor()


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


@contextmanager
def listening(day: Day) -> Iterator[Day]:
    """Open the shop; what the bank gets and sends is captured."""
    handle = Bank.handle

    def listen(bank: Bank, message: bytes, *, now: datetime) -> list[Reply]:
        replies = handle(bank, message, now=now)
        for content in (message, *(reply.message for reply in replies if reply.message)):
            day.on_host_message(content)
        return replies

    with pytest.MonkeyPatch.context() as patch, day.station:
        patch.setattr(Bank, "handle", listen)
        yield day
