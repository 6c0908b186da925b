"""The slot of a Phoenix or Smartmouse reader: a card's contacts on a serial port, and nothing clever between.

The plan of this file. The reader gives the card power and a clock; a control line is its reset, another one
says whether there is a card. Everything else is done here: the answer to reset is taken character by
character, a PPS is made where wanted, commands go by T=0 turns or T=1 blocks (`hal.chip`), each with the
waiting time that the ATR allows. `_take` gets the next character, `_on_deadline` is called when none came.

The reader cannot take the card's power away: "off" is the card held in reset, and a cold reset is a warm one.
Sources: ISO/IEC 7816-3:2006 sections 6 to 11; EMV Level 1 for times.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

from hal.api import BytesReceived, Clock, DeviceEvent, PortLost, SelfTest
from hal.chip.link import CardLink, Fate, Step
from hal.chip.links import link_for
from hal.chip.slot import SlotKeeper
from hal.chip.t0_link import T0Link
from hal.chip.t0_turn import ProcedureError, T0Turn, TurnEnded
from hal.serial.contact_line import ContactLine, ControlledPort
from hal.serial.port import PyserialPort
from hal.smart_card import Atr, ChipFailure, CommandApdu
from wire.errors import AtrError
from wire.iso7816.atr import ATR_BYTES_MAX, DIRECT, bytes_missing, clock_rate
from wire.iso7816.pps import Pps, pps_bytes_missing
from wire.iso7816.t1_block import block_bytes_missing

_LOOK_MS = 100  # how often the card contact is looked at
_RESET_MS = 50  # ISO asks for 400 clock cycles, EMV for 40,000 (11 ms)
_FIRST_CHARACTER_MS = 500  # 42,000 clock cycles, and what USB adapters add
_ADAPTER_MS = 50  # how much later than they came characters may be told
_INVERSE_TS = 0x03  # 3F as it looks in the direct convention
_INITIAL_WAIT_ETU = 9_600

_Take = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Wiring:
    """How a reader of this kind is wired: which control line does what, at which level (True is on)."""

    reset_line: Literal["rts", "dtr"] = "rts"
    reset_when: bool = True
    """The level that holds the card in reset: Phoenix readers True, Smartmouse readers False."""
    presence_line: Literal["cts", "dsr", "dcd", "none"] = "dcd"
    """"none": a card is always taken to be there."""
    present_when: bool = True
    echo: bool = True
    """What is sent comes back."""


class PhoenixSlot(SlotKeeper):
    """hal.smart_card.SmartCardSlot behind any port with control lines; it is opened and closed with the slot.

    `bits_per_s`: the reader's clock divided by 372. `negotiate`: ask a card that can be faster to be so
    (PPS); EMV does not.
    """

    def __init__(
        self,
        port: ControlledPort,
        clock: Clock,
        *,
        wiring: Wiring = Wiring(),
        bits_per_s: int = 9_600,
        negotiate: bool = False,
    ) -> None:
        super().__init__()
        self._port = port
        self._clock = clock
        self._wiring = wiring
        self._line = ContactLine(port, bits_per_s, echo=wiring.echo)
        self._negotiate = negotiate
        self._take: _Take | None = None  # who is given the next character
        self._on_deadline: Callable[[], None] | None = None
        self._deadline_ms: int | None = None
        self._look_at_ms = 0
        self._collected = bytearray()
        self._damaged = False  # one of the characters since the last thing that was sent
        self._atr = Atr()
        self._link: CardLink | None = None
        self._turn: T0Turn | None = None

    # --- the terminal's side ---

    def open(self) -> None:
        """Take the port; hold a card that is there in reset. Raises DeviceMissing."""
        if self._is_open:
            return
        self._port.open()
        super().open()
        self._stop()
        self._look_at_ms = self._now_ms()

    def close(self) -> None:
        """Hold the card in reset and give the port back."""
        super().close()
        self._port.close()

    def self_test(self) -> SelfTest:
        """Report whether the port is there, and has what a reader of this kind needs."""
        if not self._is_open:
            return SelfTest(ok=False, detail="not open")
        port = self._port.self_test()
        if port.ok and self._port.modem_lines() is None:
            return SelfTest(ok=False, detail="the port has no control lines: the card cannot be reset")
        return port

    def poll(self) -> Sequence[DeviceEvent]:
        """Take the card's characters, look at its contact, do what is due, return what happened."""
        for event in self._port.poll():
            match event:
                case BytesReceived(data):
                    self._on_bytes(data)
                case PortLost():
                    self._fail(ChipFailure.READER, "the serial port is gone")
                    self._be_idle()
                    self._card_left()
        if self._is_open:
            self._line.work(now_ms=self._now_ms())
            self._work()
        return super().poll()

    def deadline_ms(self) -> int | None:
        """When a character is overdue or due, or the card contact is to be looked at."""
        if not self._is_open:
            return None
        times = (self._deadline_ms, self._line.deadline_ms(), self._look_at_ms, self._port.deadline_ms())
        return min(at_ms for at_ms in times if at_ms is not None)

    def filenos(self) -> Sequence[int]:
        """The port's."""
        return self._port.filenos()

    def _now_ms(self) -> int:
        return self._clock.monotonic_ms()

    def _work(self) -> None:
        now_ms = self._now_ms()
        if now_ms >= self._look_at_ms:
            self._look_at_ms = now_ms + _LOOK_MS
            self._look()
        if self._deadline_ms is not None and now_ms >= self._deadline_ms and self._on_deadline is not None:
            due, self._on_deadline, self._deadline_ms = self._on_deadline, None, None
            due()

    def _look(self) -> None:
        """Look at the contact that a card closes."""
        wiring = self._wiring
        if wiring.presence_line == "none":
            present = self._port.self_test().ok
        else:
            lines = self._port.modem_lines()
            present = lines is not None and getattr(lines, wiring.presence_line) == wiring.present_when
        if present:
            self._card_came()
        elif self._card_present:
            self._be_idle()
            self._hold_in_reset(hold=True)
            self._card_left()

    # --- characters ---

    def _on_bytes(self, data: bytes) -> None:
        from_card = self._line.without_echo(data)
        if from_card is None:
            self._give_up(ChipFailure.READER, "what was sent did not come back: another one is on the line")
            return
        for character in from_card:
            if self._take is not None:  # nobody listens: noise between two commands
                self._damaged = self._damaged or character.damaged
                self._take(self._line.meaning(character))

    def _listen(
        self, take: _Take, within_ms: int, otherwise: Callable[[], None], *, since_ms: int | None = None
    ) -> None:
        """Give the next characters to `take`; `otherwise` when none comes in time."""
        begin_ms = self._now_ms() if since_ms is None else since_ms
        self._take, self._on_deadline = take, otherwise
        self._deadline_ms = begin_ms + within_ms + _ADAPTER_MS

    def _begin_to_collect(self) -> None:
        self._collected.clear()
        self._damaged = False

    def _be_idle(self) -> None:
        self._take, self._on_deadline, self._deadline_ms = None, None, None

    def _give_up(self, failure: ChipFailure, detail: str) -> None:
        self._fail(failure, detail)
        self._stop()

    # --- reset ---

    def _start_reset(self, *, warm: bool) -> None:  # noqa: ARG002 the power cannot be switched
        self._link = None
        if not self._hold_in_reset(hold=True):
            self._fail(ChipFailure.READER, "the port has no control lines: the card cannot be reset")
            return
        self._line.begin()
        self._be_idle()
        self._on_deadline, self._deadline_ms = self._release, self._now_ms() + _RESET_MS

    def _release(self) -> None:
        self._hold_in_reset(hold=False)
        self._begin_to_collect()
        mute = partial(self._give_up, ChipFailure.MUTE, "no answer to reset")
        self._listen(self._on_atr_character, _FIRST_CHARACTER_MS, mute)

    def _on_atr_character(self, character: int) -> None:
        if not self._collected and character == _INVERSE_TS:
            self._line.use_inverse()
            character = 0x3F
        elif not self._collected and character != DIRECT:
            return  # noise of the contacts: TS has not come yet
        self._collected.append(character)
        missing = bytes_missing(bytes(self._collected))
        if missing > 0 and len(self._collected) < ATR_BYTES_MAX:
            wait_ms = self._line.etu_ms(_INITIAL_WAIT_ETU)
            cut = partial(self._give_up, ChipFailure.BAD_ATR, "the ATR ends before its last byte")
            self._listen(self._on_atr_character, wait_ms, cut)
            return
        self._be_idle()
        # Not _give_up: the card stays active, as EMV's warm reset after a bad ATR wants it.
        if self._damaged and not self._line.is_inverse:  # an inverse ATR came with the other parity
            self._fail(ChipFailure.BAD_ATR, "a damaged character")
            return
        try:
            self._atr = Atr.decode(bytes(self._collected))
        except AtrError as error:
            self._fail(ChipFailure.BAD_ATR, str(error))
            return
        self._after_atr()

    def _after_atr(self) -> None:
        atr = self._atr
        self._line.use_guard_time(atr.extra_guard_time)
        if link_for(atr) is None:
            self._give_up(ChipFailure.UNSUPPORTED, f"the card speaks T={atr.protocol}")
        elif atr.specific_protocol is not None:
            self._use_speed(*atr.speed_at_once)
        elif self._negotiate and clock_rate(atr.fidi) not in {None, (372, 1)}:
            self._ask_for_speed(Pps(atr.protocol, atr.fidi))
        else:
            self._be_ready()

    def _ask_for_speed(self, wanted: Pps) -> None:
        self._begin_to_collect()
        sent_ms = self._line.send(wanted.encode(), now_ms=self._now_ms())
        take = partial(self._on_pps_character, wanted)
        mute = partial(self._give_up, ChipFailure.MUTE, "no answer to PPS")
        self._listen(take, self._line.etu_ms(_INITIAL_WAIT_ETU), mute, since_ms=sent_ms)

    def _on_pps_character(self, wanted: Pps, character: int) -> None:
        self._collected.append(character)
        if pps_bytes_missing(bytes(self._collected)) > 0:
            return
        self._be_idle()
        try:
            answer = Pps.decode(bytes(self._collected))
        except AtrError as error:
            self._give_up(ChipFailure.PROTOCOL, str(error))
            return
        if self._damaged or not wanted.is_granted_by(answer):
            self._give_up(ChipFailure.PROTOCOL, "the card's PPS is not what was asked for")
        elif answer.fidi is None:
            self._be_ready()
        else:
            self._use_speed(*(clock_rate(answer.fidi) or (372, 1)))

    def _use_speed(self, fi: int, di: int) -> None:
        if self._line.use_speed(fi, di):
            self._be_ready()
        else:
            self._give_up(ChipFailure.UNSUPPORTED, "the port cannot do the card's speed")

    def _be_ready(self) -> None:
        self._link = link_for(self._atr)
        self._atr_came(self._atr)

    # --- commands ---

    def _start_command(self, command: CommandApdu) -> None:
        assert self._link is not None
        self._carry_on(self._link.start(command))

    def _carry_on(self, step: Step) -> None:
        self._be_idle()
        if step.response is not None:
            self._response_came(step.response)
        elif step.fate is Fate.FAILED:
            self._line.send(step.send, now_ms=self._now_ms())
            self._fail(ChipFailure.PROTOCOL, "the exchange was given up", powered=True)
        elif step.fate is Fate.LOST:
            self._give_up(ChipFailure.PROTOCOL, "the card does not follow its protocol")
        elif isinstance(self._link, T0Link):
            self._turn = T0Turn(self._link.turn)
            self._send_for_turn(self._turn.start())
        else:
            self._send_block(step)

    def _send_for_turn(self, data: bytes) -> None:
        self._damaged = False
        sent_ms = self._line.send(data, now_ms=self._now_ms())
        wait_ms = self._atr.work_wait_cycles * 1_000 // self._line.clock_hz
        mute = partial(self._give_up, ChipFailure.MUTE, "no answer within the work waiting time")
        self._listen(self._on_turn_character, wait_ms, mute, since_ms=sent_ms)

    def _on_turn_character(self, character: int) -> None:
        assert self._turn is not None
        assert self._link is not None
        if self._damaged:
            self._give_up(ChipFailure.PROTOCOL, "a damaged character")
            return
        try:
            result = self._turn.take(character)
        except ProcedureError:
            self._give_up(ChipFailure.PROTOCOL, "a procedure byte that means nothing")
            return
        if isinstance(result, TurnEnded):
            self._carry_on(self._link.take(result.data + result.sw.to_bytes(2, "big")))
        else:
            self._send_for_turn(result)

    def _send_block(self, step: Step) -> None:
        self._begin_to_collect()
        sent_ms = self._line.send(step.send, now_ms=self._now_ms())
        wait_ms = self._atr.block_wait_cycles * 1_000 // self._line.clock_hz + self._line.etu_ms(11)
        self._listen(
            self._on_block_character, step.waiting_factor * wait_ms, self._on_silence, since_ms=sent_ms
        )

    def _on_block_character(self, character: int) -> None:
        self._collected.append(character)
        block = bytes(self._collected)
        if block_bytes_missing(block, crc=self._atr.t1_uses_crc) > 0:
            _, cwi = self._atr.waiting_integers
            self._listen(self._on_block_character, self._line.etu_ms(11 + (1 << cwi)), self._on_silence)
            return
        assert self._link is not None
        # Wrong parity is to T=1 what a wrong check is; two wrong bits might agree with it by chance.
        self._carry_on(self._link.take(block[:-1] + bytes([block[-1] ^ 0xFF]) if self._damaged else block))

    def _on_silence(self) -> None:
        """No block, or half a one."""
        assert self._link is not None
        self._carry_on(self._link.silence())

    # --- hal.chip.slot.SlotKeeper ---

    def _stop(self) -> None:
        self._be_idle()
        self._line.begin()
        self._hold_in_reset(hold=True)

    def _hold_in_reset(self, *, hold: bool) -> bool:
        level = self._wiring.reset_when if hold else not self._wiring.reset_when
        by_rts = self._wiring.reset_line == "rts"
        return self._port.set_lines(rts=level) if by_rts else self._port.set_lines(dtr=level)


class SerialPhoenixSlot(PhoenixSlot):
    """A PhoenixSlot on a serial port. `url`: as `hal.serial.opening.open_port` has it."""

    def __init__(
        self,
        url: str,
        clock: Clock,
        *,
        bits_per_s: int = 9_600,
        reset_line: Literal["rts", "dtr"] = "rts",
        reset_when: bool = True,
        presence_line: Literal["cts", "dsr", "dcd", "none"] = "dcd",
        present_when: bool = True,
        echo: bool = True,
        negotiate: bool = False,
    ) -> None:
        super().__init__(
            PyserialPort(url, clock, bits_per_s=bits_per_s, parity="even", stop_bits=2, mark_damage=True),
            clock,
            wiring=Wiring(reset_line, reset_when, presence_line, present_when, echo),
            bits_per_s=bits_per_s,
            negotiate=negotiate,
        )
