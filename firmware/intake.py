"""From what devices, link and PIN entry say to signals: what happened, by its name in the state tables."""

from __future__ import annotations

from firmware.payment_work import PaymentWork
from firmware.printing import PrintEvent
from firmware.secure.errors import SecureError
from firmware.secure.pin_entry import (
    PinBypassed,
    PinCancelled,
    PinDigits,
    PinReady,
    PinTimedOut,
    PinTooShort,
)
from firmware.terminal_work import TerminalWork
from firmware.work import Parts, Signal
from hal import api
from host_link.control import BankReport
from host_link.diagnostics import answer_to
from host_link.session import Channel, LineRate, LinkDown, LinkUp, MessageReceived, MessageUnconfirmed

_PRINT_SIGNALS = {
    PrintEvent.PRINTED: "copy_printed",
    PrintEvent.STOPPED: "printer_stopped",
    PrintEvent.READY: "printer_ready",
}


class Intake:
    """Asks every device, the PIN entry and the link what has happened, and posts it."""

    def __init__(self, parts: Parts, payment: PaymentWork, service: TerminalWork) -> None:
        self._parts = parts
        self._board = parts.board
        self._session = parts.session
        self._secure = parts.secure
        self._payment = payment
        self._service = service

    def poll(self) -> None:
        """Ask once. Raises StorageFailed, Tampered: a device is not to be trusted any more."""
        session, now_ms = self._session, self._board.clock.monotonic_ms()
        link_due_ms = session.deadline_ms()  # before it hears anything: to find it out again takes long
        for event in self._board.poll():
            self._on_device(event)
        try:
            for pin_event in self._secure.pin_events(now_ms=now_ms):
                self._on_pin(pin_event)
        except SecureError:
            self._parts.kernel.post(Signal("pin_unavailable"))
        self._service.poll_components()
        if link_due_ms is not None and link_due_ms <= now_ms:
            session.on_deadline(now_ms=now_ms)
        while (link_event := session.next_event()) is not None:
            self._on_link(link_event)

    def _on_device(self, event: api.DeviceEvent) -> None:
        match event:
            case api.BytesReceived():
                self._session.receive(event.data, now_ms=self._parts.now_ms)
            case api.ItemPrinted() | api.PrintStopped() | api.PrinterReady():
                self._on_printer(event)
            case api.KeyPressed(key):
                self._parts.kernel.post(Signal("key", key))
            case api.CardRead() | api.CardReadFailed():
                self._on_card(event)
            case api.CardRemoved():
                self._parts.kernel.post(Signal("card_removed"))
            case api.TamperTripped():
                self._parts.kernel.post(Signal("tampered"))
            case api.PortRestored():
                self._parts.session.line_returned(now_ms=self._parts.now_ms)
            case api.KeyStuck() | api.PortLost():
                pass  # a stuck key types nothing more; the session notices a lost port by itself

    def _on_card(self, event: api.CardRead | api.CardReadFailed) -> None:
        is_read = isinstance(event, api.CardRead)
        self._parts.upkeep.count(swipes=is_read, bad_swipes=not is_read)
        match event:
            case api.CardRead(tracks) if tracks.track2 is None or not tracks.track2.pan.luhn_valid:
                self._parts.kernel.post(Signal("card_unreadable", api.CardReadFailed(api.ReadFailure.FORMAT)))
            case api.CardRead():
                self._parts.kernel.post(Signal("card_read", event))
            case api.CardReadFailed():
                self._parts.kernel.post(Signal("card_unreadable", event))

    def _on_printer(self, event: api.ItemPrinted | api.PrintStopped | api.PrinterReady) -> None:
        if (print_event := self._parts.slip_printer.handle(event)) is not None:
            self._parts.upkeep.count(slips=print_event is PrintEvent.PRINTED)
            self._parts.kernel.post(Signal(_PRINT_SIGNALS[print_event]))

    def _on_pin(self, event: object) -> None:
        match event:
            case PinDigits(count):
                self._payment.pin_digits = count
                self._payment.beep_key(None)
            case PinTooShort():
                self._payment.beep_error(None)
            case PinReady():
                self._parts.kernel.post(Signal("pin_entered"))
            case PinBypassed():
                self._parts.kernel.post(Signal("pin_bypassed"))
            case PinCancelled():
                self._parts.kernel.post(Signal("cancel"))
            case PinTimedOut():
                self._parts.kernel.arm("state", self._parts.now_ms, Signal("timeout"))

    def _on_link(self, event: object) -> None:
        exchange, answer = self._parts.exchange, None
        match event:
            case LinkUp():
                self._parts.kernel.post(Signal("link_up"))
            case LinkDown():
                self._parts.kernel.post(Signal("link_down"))
            case MessageReceived(channel=Channel.HOST, payload=payload):
                answer = exchange.on_message(payload)
            case MessageReceived(channel=Channel.CONTROL, payload=payload):
                report = BankReport.decode(payload)
                answer = exchange.on_bank_status(report) if report is not None else None
            case MessageReceived(channel=Channel.DIAGNOSTICS, payload=payload):
                self._on_diagnostics(payload)
            case MessageUnconfirmed(message_id):
                answer = exchange.on_unconfirmed(message_id)
            case LineRate(bits_per_s):
                if not self._parts.board.serial_port.set_rate(bits_per_s):
                    self._parts.session.rate_refused(now_ms=self._parts.now_ms)
        if answer is not None:
            self._parts.kernel.post(Signal(f"host_{answer.verdict.value}", answer))

    def _on_diagnostics(self, message: bytes) -> None:
        session = self._parts.session
        if (answer := answer_to(message, session.counters)) is not None:
            session.send(Channel.DIAGNOSTICS, answer, now_ms=self._parts.now_ms)
