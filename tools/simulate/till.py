"""One till of a simulation: a terminal, its line and its gateway; the bank and the time are everybody's."""

from __future__ import annotations

import random
from dataclasses import replace
from functools import cache
from typing import Any, ClassVar

from bank.answers import BankPolicy
from bank.provision import Provision, TerminalSpec
from firmware.app import Terminal, Transition
from firmware.records import Flow
from firmware.settings import TerminalSettings
from hal.board import Board
from hal.profile import Profile, load_profile
from hal.virtual.clock import VirtualClock
from hal.virtual.power import PowerCut
from hal.virtual.serial_port import VirtualSerialPort
from hal.virtual.storage import MemoryStorage
from host_link.line import DuplexLine, Line
from host_link.transport import earliest
from tools.drive import Tap
from tools.drive_virtual import VirtualDrive
from tools.runtime import StationPlan, build_station, settings_of
from tools.simulate.any_till import AnyTill
from tools.simulate.habits import SHARES
from tools.simulate.trace import Trace
from tools.virtual_bank import BankMachine
from wire.iso8583.profile import profile

PRINT_MM_PER_S = 300
FASTER_BITS_PER_S = 460_800
ENCRYPTING_SHARE = 0.4  # of the tills encipher the track: its end, or with DUKPT all of it
BACK_AFTER_MS = 2_000
HURRIED = TerminalSettings(
    # A tenth of the real waits: their order is what matters, and a virtual second costs real time too.
    operator_timeout_ms=8_000,
    card_timeout_ms=8_000,
    pin_total_timeout_ms=8_000,
    pin_key_timeout_ms=6_000,
    pin_guard_ms=9_000,
    connect_timeout_ms=4_000,
    response_timeout_ms=6_000,
    printer_timeout_ms=8_000,
    paper_timeout_ms=9_000,
    outbox_retry_ms=3_000,
    outbox_retry_max_ms=30_000,
    balance_ms=2_000,
    guide_timeout_ms=20_000,
    report_timeout_ms=30_000,
    manual_entry_allowed=True,
)


@cache
def _profile(*, is_faster: bool) -> Profile:
    profile = load_profile("virtual").with_options("printer", speed_mm_per_s=PRINT_MM_PER_S)
    return profile.with_options("serial_port", max_bits_per_s=FASTER_BITS_PER_S) if is_faster else profile


def hurried_policy() -> BankPolicy:
    """The bank's: what it lets a terminal download hurries as well."""
    timeout_s = HURRIED.response_timeout_ms // 1000
    return BankPolicy(profile=profile().changed(response_timeout_s=timeout_s))


def _settings_of(own: Provision, rng: random.Random) -> TerminalSettings:
    """A till's settings, by chance: shops differ in what they have agreed on."""
    return settings_of(
        own,
        replace(
            HURRIED,
            flow=Flow.AUTHORISE_FIRST if rng.random() < 0.5 else Flow.PIN_FIRST,
            void_asks_card=rng.random() < 0.8,
            partial_approval=rng.random() < SHARES["tells_parts"],
            log_on_required=rng.random() < SHARES["shop_with_log_on"],
        ),
    )


def _track_protection_of(spec: TerminalSpec, number: int, seed: int) -> str:
    """Whether tracks are enciphered, by numbers of its own: the end of them, or under DUKPT all."""
    if random.Random(f"protection {seed} {number}").random() >= ENCRYPTING_SHARE:
        return "off"
    return "dukpt" if spec.bdk is not None else "tdk"


def _line_of(number: int, seed: int) -> tuple[bool, bool]:
    """Whether the line is half duplex, and whether its ends may agree on a faster rate: never both."""
    luck = random.Random(f"line {seed} {number}")
    half_duplex = luck.random() < SHARES["half_duplex_line"]
    return half_duplex, not half_duplex and luck.random() < SHARES["faster_line"]


class Till(AnyTill):
    """A till in virtual time, which can be cut off."""

    drive_type: ClassVar[type[VirtualDrive]] = VirtualDrive
    storage: MemoryStorage

    def __init__(
        self,
        number: int,
        spec: TerminalSpec,
        provision: Provision,
        bank: BankMachine,
        seed: int,
        trace: Trace,
    ) -> None:
        self._trace = trace
        rng = random.Random(f"till {seed} {number}")
        (shop,) = (one for one in provision.merchants if spec in one.terminals)
        own = replace(provision, merchants=(replace(shop, terminals=(spec,)),))
        half_duplex, is_faster = _line_of(number, seed)
        settings = replace(
            _settings_of(own, rng),
            key_scheme=spec.key_scheme,
            encrypt_track=_track_protection_of(spec, number, seed),
            half_duplex=half_duplex,
        )
        seed_of_board, seed_of_drive = rng.getrandbits(32), rng.getrandbits(32)

        def drive_of(board: Board) -> VirtualDrive:
            assert isinstance(board.serial_port, VirtualSerialPort)
            assert isinstance(board.clock, VirtualClock)
            return self.drive_type(
                board.serial_port,
                board.clock,
                bank,
                seed=seed_of_drive,
                tap=self._tap,
                message_tap=self._message_tap,
                half_duplex=half_duplex,
            )

        plan = StationPlan(
            profile=_profile(is_faster=is_faster),
            settings=settings,
            provision=own,
            seed=seed_of_board,
            make_drive=drive_of,
        )
        station = build_station(plan)
        board = station.board
        assert isinstance(station.drive, VirtualDrive)
        assert isinstance(board.clock, VirtualClock)
        assert isinstance(board.storage, MemoryStorage)
        super().__init__(number, station, board.storage)
        self.power_back_ms: int | None = None
        self._due_ms: int | None = None
        self._due_after_pump = -1  # the drive's count when that was asked
        self.taps: list[Tap] = []  # told what crosses the serial line, and from which side
        self.message_taps: list[Tap] = []  # and what passes between gateway and bank, message by message
        self.clock = board.clock
        self.drive = station.drive

    def use(self, **settings: Any) -> None:
        """Change settings, from the next power-on."""
        self.station.settings = replace(self.station.settings, **settings)

    def use_lines(self, there: Line, back: Line) -> None:
        """Put another line between terminal and gateway, before anything has crossed it."""
        self.drive.line = DuplexLine(there, back, half_duplex=self.station.settings.half_duplex)

    # --- time ---------------------------------------------------------------------------------------

    def deadline_ms(self) -> int | None:
        """When something is due here; None when nothing is. Known until the till is pumped or `touched`."""
        if self._due_after_pump != self.drive.pump_count:
            self._due_ms = earliest(self.drive.deadline_ms(self.station.terminal), self.power_back_ms)
            self._due_after_pump = self.drive.pump_count
        return self._due_ms

    def touched(self) -> None:
        """Something was done to one of its parts, so that something else may be due."""
        self._due_after_pump = -1

    def turn(self) -> None:
        """Do everything that can be done at this moment; with the power back, start."""
        self.touched()
        if self.station.terminal is None and self.power_back_ms is not None:
            if self.clock.monotonic_ms() < self.power_back_ms:
                self.drive.pump(None)
                return
            self.drive.lose_input()
            self._power_on()
        self.station.settle()
        self.note_power()

    def turn_due(self) -> None:
        """As `turn`, where nobody has touched anything since `deadline_ms` was asked: only what is due."""
        if self.station.terminal is None:
            self.turn()
            return
        try:
            self.drive.pump_due(self.station.terminal)
        except PowerCut:
            self.cut_power(BACK_AFTER_MS)

    def cut_power(self, back_after_ms: int) -> None:
        """The plug is pulled, and put back a while later."""
        self.station.cut_power()
        self.note_power(back_after_ms)

    def note_power(self, back_after_ms: int = BACK_AFTER_MS) -> None:
        """Whatever was done there may have taken its power: then it comes back a while later."""
        if self.station.terminal is None and self.power_back_ms is None:
            self.power_back_ms = self.clock.monotonic_ms() + back_after_ms
            self._trace.note(self.clock.monotonic_ms(), self.name, "power is off")

    def _power_on(self) -> None:
        self.power_back_ms = None
        self._trace.note(self.clock.monotonic_ms(), self.name, "power is on")
        station = self.station
        terminal = Terminal(station.board, station.settings, observer=station.observer)
        try:
            terminal.power_on()
        except PowerCut:
            station.board.close()
        else:
            station.terminal = terminal

    def start(self) -> None:
        """Switch it on for the first time."""
        self.power_back_ms = self.clock.monotonic_ms()

    # --- what is seen -------------------------------------------------------------------------------

    def _observe(self, transition: Transition) -> None:
        super()._observe(transition)
        self._trace.took(self.name, transition)

    def _tap(self, at_ms: int, side: str, data: bytes) -> None:
        self._trace.crossed(at_ms, self.name, side, data)
        for tap in self.taps:
            tap(at_ms, side, data)

    def _message_tap(self, at_ms: int, side: str, message: bytes) -> None:
        self._trace.passed(at_ms, self.name, side, message)
        for tap in self.message_taps:
            tap(at_ms, side, message)
