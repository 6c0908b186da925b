"""The slot of a serial CCID reader: GemPC Twin and its kin.

It works at the TPDU level: the reader carries T=0 turns and T=1 blocks, the rules of both are kept here
(`hal.chip`). The reader tells card moves as they happen; it is asked for its state every half second besides,
which also shows that it is still there. Sources: CCID 1.1; `wire.ccid` for the frames.
"""

from __future__ import annotations

from collections.abc import Sequence

from hal.api import BytesReceived, Clock, DeviceEvent, PortLost, PortRestored, SelfTest, SerialPort
from hal.chip.link import CardLink, Fate, Step
from hal.chip.links import link_for
from hal.chip.slot import SlotKeeper
from hal.chip.t1_link import T1Link
from hal.serial.ccid_line import CcidLine
from hal.serial.port import PyserialPort
from hal.smart_card import Atr, ChipFailure, CommandApdu
from wire.ccid import CardState, CcidMessage, CcidType, CommandState
from wire.errors import AtrError
from wire.iso7816.atr import T0

_POLL_MS = 500
_HELLO_AGAIN_MS = 2_000
_POWER_PATIENCE_MS = 5_000
_TRANSFER_PATIENCE_MS = 3_000
_NULLS_PATIENCE_MS = 15_000  # a reader with echo keeps a card's NULLs to itself
_FIRMWARE = b"\x02"  # the escape that answers with the firmware's name
_VOLTS_5, _VOLTS_3 = 1, 2

_MUTE, _PARITY = 0xFE, 0xFD
_FAILURES = {  # bError, CCID 1.1 table 6.2-2
    _MUTE: ChipFailure.MUTE,
    _PARITY: ChipFailure.PROTOCOL,
    0xF8: ChipFailure.BAD_ATR,  # TS
    0xF7: ChipFailure.BAD_ATR,  # TCK
    0xF6: ChipFailure.UNSUPPORTED,  # protocol
    0xF4: ChipFailure.PROTOCOL,  # procedure byte
}


class CcidSlot(SlotKeeper):
    """hal.smart_card.SmartCardSlot behind any port; the port is opened and closed with it."""

    def __init__(self, port: SerialPort, clock: Clock) -> None:
        super().__init__()
        self.firmware = ""
        """What the reader calls itself; empty until it has answered."""
        self._port = port
        self._clock = clock
        self._line = CcidLine(port.write, self._on_answer, self._ask_state)
        self._link: CardLink | None = None
        self._patience_ms = _TRANSFER_PATIENCE_MS
        self._there = False
        self._silent = False
        self._ask_at_ms = 0

    # --- the terminal's side ---

    def open(self) -> None:
        """Take the port and greet the reader. Raises DeviceMissing."""
        if self._is_open:
            return
        self._port.open()
        super().open()
        self._greet()

    def close(self) -> None:
        """Switch the card off, as far as the line takes it, and give the port back."""
        self._line.reset()  # nothing is waited for: so the power is switched off at once
        super().close()
        self._port.close()
        self._line.reset()
        self._there, self._silent = False, False

    def self_test(self) -> SelfTest:
        """Report whether the reader answers. Before its first answer is due, nothing is wrong."""
        if not self._is_open:
            return SelfTest(ok=False, detail="not open")
        port = self._port.self_test()
        if not port.ok:
            return port
        return SelfTest(ok=not self._silent, detail="the card reader does not answer" if self._silent else "")

    def poll(self) -> Sequence[DeviceEvent]:
        """Take what the reader sent, do what is due, return what happened."""
        for event in self._port.poll():
            match event:
                case BytesReceived(data):
                    self._line.receive(data, now_ms=self._now_ms())
                case PortLost():
                    self._lose_reader()
                    self._line.reset()
                case PortRestored():
                    self._greet()
        self._line.on_deadline(now_ms=self._now_ms())
        if self._is_open and self._line.idle and self._now_ms() >= self._ask_at_ms:
            self._ask_state() if self._there else self._greet()
        return super().poll()

    def deadline_ms(self) -> int | None:
        """When an answer is overdue, or the reader's state is to be asked for again."""
        if not self._is_open:
            return None
        own = self._line.deadline_ms() if not self._line.idle else self._ask_at_ms
        port = self._port.deadline_ms()
        return min((at_ms for at_ms in (own, port) if at_ms is not None), default=None)

    def filenos(self) -> Sequence[int]:
        """The port's."""
        return self._port.filenos()

    # --- the reader ---

    def _now_ms(self) -> int:
        return self._clock.monotonic_ms()

    def _greet(self) -> None:
        self._ask_at_ms = self._now_ms() + _HELLO_AGAIN_MS
        self._line.request(CcidType.ESCAPE, self._on_firmware, now_ms=self._now_ms(), data=_FIRMWARE)

    def _on_firmware(self, answer: CcidMessage | None) -> None:
        if answer is None:
            self._lose_reader()
            return
        self.firmware = answer.data.decode("ascii", "replace")
        self._there, self._silent = True, False
        self._ask_state()

    def _ask_state(self) -> None:
        """Ask for the state of the card; harmless at any time."""
        self._ask_at_ms = self._now_ms() + _POLL_MS
        self._line.request(CcidType.SLOT_STATUS, self._on_state, now_ms=self._now_ms())

    def _on_state(self, answer: CcidMessage | None) -> None:
        if answer is None:
            self._lose_reader()

    def _lose_reader(self) -> None:
        self._there, self._silent = False, True
        self._ask_at_ms = self._now_ms() + _HELLO_AGAIN_MS
        self._line.give_up()
        self._fail(ChipFailure.READER, "the card reader does not answer")
        self._card_left()

    def _on_answer(self, answer: CcidMessage) -> None:
        """Every answer says whether there is a card."""
        if answer.type == CcidType.ESCAPE_ANSWER:
            return
        if answer.card is CardState.ABSENT:
            self._card_left()
            return
        if answer.card is CardState.INACTIVE and self._powered:
            self._card_left()  # out and in again between two looks: it is another card, or a fresh one
        self._card_came()

    # --- hal.chip.slot.SlotKeeper ---

    def _start_reset(self, *, warm: bool) -> None:
        if not warm:
            self._line.request(CcidType.POWER_OFF, self._on_state, now_ms=self._now_ms())
        self._apply_power(_VOLTS_5)

    def _apply_power(self, volts: int) -> None:
        self._line.request(
            CcidType.POWER_ON,
            lambda answer: self._on_power(answer, volts),
            now_ms=self._now_ms(),
            specific=bytes([volts, 0, 0]),
            patience_ms=_POWER_PATIENCE_MS,
        )

    def _on_power(self, answer: CcidMessage | None, volts: int) -> None:
        if answer is None:
            self._lose_reader()
        elif answer.command is CommandState.DONE:
            self._on_atr(answer.data)
        elif answer.error == _MUTE and volts == _VOLTS_5:
            self._apply_power(_VOLTS_3)
        else:
            self._fail_for(answer)

    def _on_atr(self, data: bytes) -> None:
        try:
            atr = Atr.decode(data)
        except AtrError as error:
            self._fail(ChipFailure.BAD_ATR, str(error))
            return
        self._link = link_for(atr)
        if self._link is None:
            self._fail(ChipFailure.UNSUPPORTED, f"the card speaks T={atr.protocol}")
            return
        self._patience_ms = _card_patience_ms(atr)
        self._line.request(
            CcidType.SET_PARAMETERS,
            lambda answer: self._on_parameters(answer, atr),
            now_ms=self._now_ms(),
            data=_parameters(atr),
            specific=bytes([atr.protocol, 0, 0]),
        )

    def _on_parameters(self, answer: CcidMessage | None, atr: Atr) -> None:
        if answer is None:
            self._lose_reader()
        elif answer.command is CommandState.DONE:
            self._atr_came(atr)
        else:
            self._fail(ChipFailure.UNSUPPORTED, "the reader refuses the card's parameters")

    def _start_command(self, command: CommandApdu) -> None:
        assert self._link is not None
        self._carry_on(self._link.start(command))

    def _carry_on(self, step: Step) -> None:
        if step.response is not None:
            self._response_came(step.response)
        elif step.fate is Fate.GOING_ON:
            self._transfer(step)
        elif step.fate is Fate.FAILED:
            self._fail(ChipFailure.PROTOCOL, "the exchange was given up", powered=True)
            if step.send:
                self._line.request(CcidType.TRANSFER, self._on_state, now_ms=self._now_ms(), data=step.send)
        else:
            self._fail(ChipFailure.PROTOCOL, "the card does not follow its protocol")
            self._stop()

    def _transfer(self, step: Step) -> None:
        self._line.request(
            CcidType.TRANSFER,
            self._on_transfer,
            now_ms=self._now_ms(),
            data=step.send,
            specific=bytes([step.waiting_factor if step.waiting_factor > 1 else 0, 0, 0]),
            patience_ms=_TRANSFER_PATIENCE_MS + step.waiting_factor * self._patience_ms,
        )

    def _on_transfer(self, answer: CcidMessage | None) -> None:
        if answer is None:
            self._lose_reader()
        elif self._link is None or not self._powered:
            return
        elif answer.command is CommandState.DONE:
            self._carry_on(self._link.take(answer.data))
        elif isinstance(self._link, T1Link) and answer.error in {_MUTE, _PARITY}:
            self._carry_on(self._link.silence() if answer.error == _MUTE else self._link.take(b""))
        else:
            self._fail_for(answer)
            self._stop()

    def _fail_for(self, answer: CcidMessage) -> None:
        failure = _FAILURES.get(answer.error, ChipFailure.READER)
        self._fail(failure, f"the reader's reason is {answer.error:02X}")

    def _stop(self) -> None:
        self._link = None
        self._line.give_up()
        self._line.request(CcidType.POWER_OFF, self._on_state, now_ms=self._now_ms())


class SerialCcidSlot(CcidSlot):
    """A CcidSlot on a serial port. `url`: as `hal.serial.opening.open_port` has it."""

    def __init__(self, url: str, clock: Clock, *, bits_per_s: int = 115_200) -> None:
        super().__init__(PyserialPort(url, clock, bits_per_s=bits_per_s, stop_bits=2), clock)


def _card_patience_ms(atr: Atr) -> int:
    """How long the card may take before it says anything, at the slowest clock that readers use (1 MHz)."""
    if atr.protocol == T0:
        return atr.work_wait_cycles // 1_000 + _NULLS_PATIENCE_MS
    return atr.block_wait_cycles // 1_000


def _parameters(atr: Atr) -> bytes:
    """What SetParameters carries (CCID 1.1, 6.1.7). Without PPS the speed is the default, or TA2's."""
    fidi = atr.fidi if atr.specific_protocol is not None else 0x11
    convention = 0x02 if atr.inverse else 0x00
    if atr.protocol == T0:
        return bytes([fidi, convention, atr.extra_guard_time, atr.waiting_integer, 0])
    bwi, cwi = atr.waiting_integers
    check = 0x10 | convention | atr.t1_uses_crc
    return bytes([fidi, check, atr.extra_guard_time, bwi << 4 | cwi, 0, atr.ifsc, 0])
