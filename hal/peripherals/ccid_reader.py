"""A serial CCID reader in software, of the GemPC Twin's kind, with a card in it or not.

It works at the TPDU level: T=0 turns and T=1 blocks are the host's, characters are the reader's. Frames, echo
and the escapes that hosts send at first are those that pcscd's serial driver expects. Sources: CCID 1.1; for
the rest the behaviour of that driver, which the tests run against this reader.

Not modelled: several slots, PIN pads, voltages, the speed of the card.
"""

from __future__ import annotations

from hal.cards.card import ChipCard
from hal.peripherals.card_blocks import CardBlocks, blocks_for
from hal.peripherals.card_faults import CardFaults
from hal.peripherals.card_turns import HEADER_BYTES, CardTurns
from wire.ccid import (
    NAK_FRAME,
    NOTIFICATION,
    CardMove,
    CardState,
    CcidMessage,
    CcidType,
    CommandState,
    FrameDamaged,
    RepeatWanted,
    SerialFrameReader,
    encode_frame,
)
from wire.errors import AtrError
from wire.iso7816.atr import T1
from wire.iso7816.pps import Pps

FIRMWARE = b"GemTwin-V2.00-GL00"
_ESCAPE_FIRMWARE, _ESCAPE_MOVES = 0x02, 0x01
_MESSAGE_BYTES_MAX = 271
_TIME_EXTENSION_MS = 1_000

_UNKNOWN_COMMAND, _MUTE, _BAD_CHECK, _BAD_PROCEDURE = 0x00, 0xFE, 0xF7, 0xF4

_ANSWERS = {
    CcidType.POWER_ON: CcidType.DATA_BLOCK,
    CcidType.TRANSFER: CcidType.DATA_BLOCK,
    CcidType.SET_PARAMETERS: CcidType.PARAMETERS,
    CcidType.GET_PARAMETERS: CcidType.PARAMETERS,
    CcidType.RESET_PARAMETERS: CcidType.PARAMETERS,
    CcidType.ESCAPE: CcidType.ESCAPE_ANSWER,
}


class SerialCcidReader:
    """hal.peripherals.api.Peripheral.

    `echo`: each frame of the host is sent back first, as a GemPC Twin does it. Such a reader is silent while
    a card of T=0 takes its time: pcscd's driver takes the first frame of whatever it reads for an echo, and
    would lose the answer behind a time extension. Without echo (GemCore POS Pro) time extensions are sent.
    """

    def __init__(self, *, echo: bool = True) -> None:
        self.damaged_frames = 0
        """As many of the next frames get a wrong LRC; counts down."""
        self.silent = False
        """The reader says nothing at all: no power, or another device."""
        self.faults = CardFaults()
        self._echo = echo
        self._frames = SerialFrameReader(data_bytes_max=_MESSAGE_BYTES_MAX)
        self._output = bytearray()
        self._due: list[tuple[int, CcidMessage]] = []
        self._last_frame = b""
        self._now_ms = 0
        self._card: ChipCard | None = None
        self._active = False
        self._moves_with_answers = False
        self._move: CardMove | None = None
        self._parameters = (0, b"")
        self._turns: CardTurns | None = None
        self._blocks: CardBlocks | None = None

    # --- the cardholder's hand ---

    def insert(self, card: ChipCard, faults: CardFaults | None = None) -> None:
        """Put a card in. Raises ValueError: there is one."""
        if self._card is not None:
            raise ValueError("a card is in the reader: remove() it first")
        self._card = card
        self.faults = faults if faults is not None else CardFaults()
        self._tell_move(CardMove.INSERTED)

    def remove(self) -> None:
        """Take the card out, in the middle of whatever it does. Raises ValueError: there is none."""
        if self._card is None:
            raise ValueError("no card is in the reader: insert() one first")
        unanswered = self._due[-1:]
        self._power_off()
        self._card = None
        self._due = [
            (self._now_ms, self._failed(CcidMessage(due.type, due.slot, due.sequence), _MUTE))
            for _, due in unanswered
        ]
        self._tell_move(CardMove.REMOVED)

    # --- hal.peripherals.api.Peripheral ---

    def receive(self, data: bytes, now_ms: int) -> None:
        """Take what the host sent, and answer what is due."""
        self._now_ms = now_ms
        for event in self._frames.feed(data):
            match event:
                case CcidMessage():
                    self._on_message(event)
                case FrameDamaged():
                    self._send(NAK_FRAME)
                case RepeatWanted():
                    self._send_frame(self._last_frame)
        while self._due and self._due[0][0] <= now_ms:
            _, answer = self._due.pop(0)
            self._answer(answer)

    def take_output(self) -> bytes:
        """What the reader has sent since the last call."""
        output = bytes(self._output)
        self._output.clear()
        return output

    def deadline_ms(self) -> int | None:
        """When a slow card's answer, or the reader's word that it takes longer, is sent."""
        return self._due[0][0] if self._due else None

    # --- frames ---

    def _send(self, data: bytes) -> None:
        if not self.silent:
            self._output += data

    def _send_frame(self, frame: bytes) -> None:
        self._last_frame = frame
        if self.damaged_frames > 0:
            self.damaged_frames -= 1
            frame = frame[:-1] + bytes([frame[-1] ^ 0x01])
        self._send(frame)

    def _tell_move(self, move: CardMove) -> None:
        if self._moves_with_answers:
            self._move = move
        else:
            self._send(bytes([NOTIFICATION, move]))

    def _answer(self, message: CcidMessage) -> None:
        if self._move is not None:
            self._send(bytes([NOTIFICATION, self._move]))
            self._move = None
        self._send_frame(encode_frame(message))

    # --- commands ---

    def _on_message(self, message: CcidMessage) -> None:
        if message.type >= CcidType.DATA_BLOCK:
            return  # a host sends no answers
        if self._echo:
            self._send(encode_frame(message))
        match message.type:
            case CcidType.ESCAPE:
                self._answer(self._on_escape(message))
            case CcidType.POWER_ON:
                self._answer(self._on_power_on(message))
            case CcidType.POWER_OFF:
                self._power_off()
                self._answer(self._done(message))
            case CcidType.SLOT_STATUS | CcidType.ABORT:
                self._answer(self._done(message))
            case CcidType.SET_PARAMETERS:
                self._set_parameters(message.specific[0], message.data)
                self._answer(self._on_parameters(message))
            case CcidType.GET_PARAMETERS | CcidType.RESET_PARAMETERS:
                self._answer(self._on_parameters(message))
            case CcidType.TRANSFER:
                self._on_transfer(message)
            case _:
                self._answer(self._failed(message, _UNKNOWN_COMMAND))

    def _on_escape(self, message: CcidMessage) -> CcidMessage:
        if message.data[:1] == bytes([_ESCAPE_FIRMWARE]):
            return self._done(message, FIRMWARE)
        if message.data[:1] == bytes([_ESCAPE_MOVES]):
            self._moves_with_answers = message.data[-1:] == b"\x01"
        return self._done(message, b"\x00")

    def _on_power_on(self, message: CcidMessage) -> CcidMessage:
        card = self._card
        if card is None or self.faults.mute:
            return self._failed(message, _MUTE)
        if self.faults.bad_check:
            return self._failed(message, _BAD_CHECK)
        atr = card.reset(warm=self._active)
        self._active = True
        self._turns = CardTurns(card)
        self._blocks = blocks_for(card, atr, self.faults)
        self._set_parameters(atr.protocols[0], b"")
        return self._done(message, atr.encode())

    def _power_off(self) -> None:
        if self._active and self._card is not None:
            self._card.power_off()
        self._active = False
        self._due.clear()

    def _set_parameters(self, protocol: int, data: bytes) -> None:
        self._parameters = (protocol, data)

    def _on_parameters(self, message: CcidMessage) -> CcidMessage:
        protocol, data = self._parameters
        return self._done(message, data, last=protocol)

    def _on_transfer(self, message: CcidMessage) -> None:
        if self._card is None or not self._active or self.faults.mute_at_command:
            self._answer(self._failed(message, _MUTE))
        elif message.data[:1] == b"\xff":
            self._answer(self._on_pps(message))
        elif self._parameters[0] == T1 and self._blocks is not None:
            reply = self._blocks.take(message.data)
            self._answer_after(reply.after_ms, self._done(message, self.faults.damage(reply.block)))
        else:
            self._on_turn(message)

    def _on_pps(self, message: CcidMessage) -> CcidMessage:
        try:
            return self._done(message, Pps.decode(message.data).encode())
        except AtrError:
            return self._failed(message, _MUTE)

    def _on_turn(self, message: CcidMessage) -> None:
        turns = self._turns
        assert turns is not None
        if self.faults.wrong_procedure_byte:
            self._answer(self._failed(message, _BAD_PROCEDURE))
            return
        header, data = message.data[:HEADER_BYTES].ljust(HEADER_BYTES, b"\0"), message.data[HEADER_BYTES:]
        after_ms = turns.time_ms(header, data)
        answer = self._done(message, turns.answer(header, data))
        if self.faults.asks_for_time and not self._echo:
            for extension_ms in range(_TIME_EXTENSION_MS, after_ms, _TIME_EXTENSION_MS):
                status = bytes([CommandState.TIME_EXTENSION << 6, 1, 0])
                waiting = CcidMessage(answer.type, answer.slot, answer.sequence, status)
                self._due.append((self._now_ms + extension_ms, waiting))
        self._answer_after(after_ms, answer)

    def _answer_after(self, after_ms: int, answer: CcidMessage) -> None:
        if after_ms:
            self._due.append((self._now_ms + after_ms, answer))
        else:
            self._answer(answer)

    # --- answers ---

    @property
    def _state(self) -> CardState:
        if self._card is None:
            return CardState.ABSENT
        return CardState.ACTIVE if self._active else CardState.INACTIVE

    def _done(self, message: CcidMessage, data: bytes = b"", *, last: int = 0) -> CcidMessage:
        kind = _ANSWERS.get(CcidType(message.type), CcidType.STATUS)
        return CcidMessage(kind, message.slot, message.sequence, bytes([self._state, 0, last]), data)

    def _failed(self, message: CcidMessage, error: int) -> CcidMessage:
        known = message.type in CcidType._value2member_map_
        kind = _ANSWERS.get(CcidType(message.type), CcidType.STATUS) if known else CcidType.STATUS
        kind = CcidType(message.type) if message.type >= CcidType.DATA_BLOCK else kind
        status = bytes([CommandState.FAILED << 6 | self._state, error, 0])
        return CcidMessage(kind, message.slot, message.sequence, status)
