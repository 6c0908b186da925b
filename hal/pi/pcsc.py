"""The slot of any reader that PC/SC knows (USB CCID readers, above all), through pyscard and pcscd.

pcscd carries T=0 turns for cards of T=0 and whole commands for cards of T=1; the rules of T=0 are kept here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hal.api import Clock, DeviceEvent, DeviceMissing, SelfTest
from hal.chip.link import CardLink, Fate, Step, WholeLink
from hal.chip.slot import Operation, SlotKeeper
from hal.chip.t0_link import T0Link
from hal.pi.pcsc_worker import Done, PcscWorker, Presence
from hal.smart_card import Atr, ChipFailure, CommandApdu
from wire.errors import AtrError


class PcscSlot(SlotKeeper):
    """hal.smart_card.SmartCardSlot on a PC/SC reader. `reader`: a part of its name; empty: there is only one.

    The card is taken for this program alone while it has power.
    """

    def __init__(self, clock: Clock, *, reader: str = "") -> None:
        super().__init__()
        self._clock = clock
        self._wanted = reader
        self._scard: Any = None
        self._worker: PcscWorker | None = None
        self._link: CardLink | None = None
        self._token = 0  # of the job whose result is wanted
        self._presence = Presence(present=False, count=0)
        self._detail = ""

    # --- the terminal's side ---

    def open(self) -> None:
        """Take the reader. Raises DeviceMissing: no pyscard, no pcscd, no such reader."""
        if self._is_open:
            return
        self._scard = _scard()
        context = _context(self._scard)
        try:
            name = _choose(_readers(self._scard, context), self._wanted)
        except DeviceMissing:
            self._scard.SCardReleaseContext(context)
            raise
        self._worker = PcscWorker(self._scard, context, name)
        self._worker.start()
        super().open()

    def close(self) -> None:
        """Switch the card off and give the reader back. Waits for a card that computes."""
        super().close()
        if self._worker is not None:
            self._worker.stop()
            self._worker = None
        self._presence = Presence(present=False, count=0)

    def self_test(self) -> SelfTest:
        """Report whether the reader is still there."""
        if not self._is_open:
            return SelfTest(ok=False, detail="not open")
        return SelfTest(ok=not self._detail, detail=self._detail)

    def poll(self) -> Sequence[DeviceEvent]:
        """Take what the thread has to say."""
        for result in self._worker.results() if self._worker is not None else ():
            if isinstance(result, Presence):
                self._on_presence(result)
            elif result.token == self._token:
                self._on_done(result)
        return super().poll()

    def filenos(self) -> Sequence[int]:
        """Readable when there is a result."""
        return () if self._worker is None else (self._worker.fileno(),)

    # --- what the thread says ---

    def _on_presence(self, presence: Presence) -> None:
        replaced = presence.count - self._presence.count >= 2  # out and in again between two looks
        self._presence = presence
        self._detail = "the card reader is gone" if presence.count < 0 else ""
        if not presence.present or replaced:
            self._card_left()
        if presence.present:
            self._card_came()

    def _on_done(self, result: Done) -> None:
        self._token += 1
        if result.code != 0:
            self._fail_for(result.code)
        elif self._operation is Operation.RESET:
            self._on_atr(result)
        elif self._operation is Operation.COMMAND and self._link is not None:
            self._carry_on(self._link.take(result.data))

    def _on_atr(self, result: Done) -> None:
        try:
            atr = Atr.decode(result.data)
        except AtrError as error:
            self._fail(ChipFailure.BAD_ATR, str(error))
            return
        self._link = T0Link() if result.protocol == self._scard.SCARD_PROTOCOL_T0 else WholeLink()
        self._atr_came(atr)

    def _fail_for(self, code: int) -> None:
        failure = _failures(self._scard).get(code, ChipFailure.READER)
        text: str = self._scard.SCardGetErrorMessage(code)
        if failure is ChipFailure.REMOVED:
            self._card_left()
        self._fail(failure, text.strip())
        self._stop()

    # --- hal.chip.slot.SlotKeeper ---

    def _start_reset(self, *, warm: bool) -> None:
        assert self._worker is not None
        self._token += 1
        self._worker.reset(self._token, warm=warm)

    def _start_command(self, command: CommandApdu) -> None:
        assert self._link is not None
        self._carry_on(self._link.start(command))

    def _carry_on(self, step: Step) -> None:
        assert self._worker is not None
        if step.response is not None:
            self._response_came(step.response)
        elif step.fate is Fate.GOING_ON:
            self._token += 1
            self._worker.transmit(self._token, step.send)
        else:
            self._fail(ChipFailure.PROTOCOL, "the card does not follow its protocol")
            self._stop()

    def _stop(self) -> None:
        self._token += 1
        if self._worker is not None:
            self._worker.power_off()


def _scard() -> Any:
    try:
        from smartcard import scard
    except ImportError:
        raise DeviceMissing("PC/SC card readers need pyscard: pip install 'posterm[pcsc]'") from None
    return scard


def _context(scard: Any) -> Any:
    code, context = scard.SCardEstablishContext(scard.SCARD_SCOPE_SYSTEM)
    if code == scard.SCARD_W_SECURITY_VIOLATION:
        raise DeviceMissing(
            "PC/SC: pcscd refuses this user: allow org.debian.pcsc-lite.access_pcsc and access_card with a "
            "polkit rule (/usr/share/doc/pcscd/README.polkit)"
        )
    if code != 0:
        raise DeviceMissing("PC/SC: no pcscd runs here: sudo apt install pcscd, sudo systemctl start pcscd")
    return context


def _readers(scard: Any, context: Any) -> list[str]:
    code, readers = scard.SCardListReaders(context, [])
    return list(readers) if code == 0 else []


def _choose(readers: list[str], wanted: str) -> str:
    matching = [name for name in readers if wanted.lower() in name.lower()]
    known = ", ".join(repr(name) for name in readers)
    if not readers:
        raise DeviceMissing("PC/SC: no card reader is there: plug one in")
    if not matching:
        raise DeviceMissing(f"PC/SC: no card reader is called {wanted!r}: take one of {known}")
    if len(matching) > 1:
        raise DeviceMissing(f"PC/SC: several card readers: set reader to a part of one of {known}")
    return matching[0]


def pcsc_readers() -> list[str]:
    """The names of the readers that are there. Raises DeviceMissing: no pyscard, no pcscd."""
    scard = _scard()
    context = _context(scard)
    try:
        return _readers(scard, context)
    finally:
        scard.SCardReleaseContext(context)


def _failures(scard: Any) -> dict[int, ChipFailure]:
    return {
        scard.SCARD_E_NO_SMARTCARD: ChipFailure.REMOVED,
        scard.SCARD_W_REMOVED_CARD: ChipFailure.REMOVED,
        scard.SCARD_W_UNRESPONSIVE_CARD: ChipFailure.MUTE,
        scard.SCARD_W_UNPOWERED_CARD: ChipFailure.MUTE,
        scard.SCARD_E_PROTO_MISMATCH: ChipFailure.UNSUPPORTED,
        scard.SCARD_E_NOT_TRANSACTED: ChipFailure.PROTOCOL,
    }
