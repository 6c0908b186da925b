"""A till with everything that a merchant does besides selling: undoing, paying back, settling, asking."""

from __future__ import annotations

from tests.bank.till import PIN, Till, card
from wire.iso8583 import IsoMessage
from wire.iso8583.private import Detail, F48Details, F48Totals, Totals

Request = dict[int, str | bytes]


class Clerk(Till):
    """Each method named `..._fields` gives a request's fields; the one without sends it."""

    def balance_fields(self, name: str = "good", pin: str | None = PIN) -> Request:
        fields = self.purchase_fields(name, pin=pin) | {3: "310000", 60: f"01{self.batch}00020"}
        return {number: value for number, value in fields.items() if number != 4}

    def linked(
        self, selector: str, original: IsoMessage, amount_minor: int | None = None, name: str = "good"
    ) -> Request:
        """`selector`: F3, F25 and 60.1, as "200000 00 23"."""
        processing_code, condition, type_code = selector.split()
        return {
            3: processing_code,
            4: original.text(4) if amount_minor is None else f"{amount_minor:012d}",
            11: self.next_trace(),
            22: "022",
            25: condition,
            35: self.track2(card(name)),
            37: original.text(37),
            38: original.text(38) or "000000",
            49: "156",
            60: f"{type_code}{self.batch}00020",
            61: self.reference(original),
        }

    def void_fields(self, original: IsoMessage, name: str = "good") -> Request:
        return self.linked("200000 00 23", original, name=name)

    def void(self, original: IsoMessage) -> IsoMessage:
        return self.ask("0200", self.void_fields(original))

    def refund_fields(
        self, original: IsoMessage, amount_minor: int | None = None, name: str = "good"
    ) -> Request:
        fields = self.linked("200000 00 25", original, amount_minor, name)
        return fields | {61: "0" * 12 + original.text(13), 63: "000"}

    def refund(self, original: IsoMessage, amount_minor: int | None = None) -> IsoMessage:
        return self.ask("0220", self.refund_fields(original, amount_minor))

    def preauth_fields(self, name: str = "good", amount_minor: int = 1000) -> Request:
        return self.authorise_fields(name, amount_minor) | {22: "021"} | self.pin_fields(card(name), PIN)

    def preauth(self, name: str = "good", amount_minor: int = 1000) -> IsoMessage:
        return self.ask("0100", self.preauth_fields(name, amount_minor))

    def cancel_fields(self, original: IsoMessage, amount_minor: int | None = None) -> Request:
        return self.linked("200000 06 11", original, amount_minor)

    def cancel(self, original: IsoMessage, amount_minor: int | None = None) -> IsoMessage:
        return self.ask("0100", self.cancel_fields(original, amount_minor))

    def finish_fields(self, original: IsoMessage, amount_minor: int | None = None) -> Request:
        return self.linked("000000 06 20", original, amount_minor)

    def finish(self, original: IsoMessage, amount_minor: int | None = None) -> IsoMessage:
        """A completion by request."""
        return self.ask("0200", self.finish_fields(original, amount_minor))

    def advise(self, original: IsoMessage, amount_minor: int | None = None) -> IsoMessage:
        """A completion by advice, with the card and the day instead of the message."""
        fields = self.linked("000000 06 24", original, amount_minor)
        return self.ask("0220", fields | {61: "0" * 12 + original.text(13)})

    def void_completion_fields(self, original: IsoMessage) -> Request:
        return self.linked("200000 06 21", original)

    def void_completion(self, original: IsoMessage) -> IsoMessage:
        return self.ask("0200", self.void_completion_fields(original))

    def offline_fields(self, name: str = "good", amount_minor: int = 800) -> Request:
        """A sale that was authorised by telephone: the card and the code are keyed."""
        return {
            2: card(name).pan.reveal(),
            3: "000000",
            4: f"{amount_minor:012d}",
            11: self.next_trace(),
            14: card(name).expiry_yymm,
            22: "012",
            25: "00",
            38: "T12345",
            49: "156",
            60: f"30{self.batch}00020",
            61: "000000000000" + "0000" + "01",
        }

    def adjust_fields(self, original: IsoMessage, tip_minor: int, total_minor: int | None = None) -> Request:
        total = int(original.text(4)) + tip_minor if total_minor is None else total_minor
        return self.linked("000000 00 32", original, total) | {48: f"{tip_minor:012d}"}

    def adjust(self, original: IsoMessage, tip_minor: int, total_minor: int | None = None) -> IsoMessage:
        return self.ask("0220", self.adjust_fields(original, tip_minor, total_minor))

    # --- management and settlement ---------------------------------------------------------------

    def manage(self, mti: str, code: str, more: Request | None = None, *, traced: bool = True) -> IsoMessage:
        fields: Request = {60: f"00{self.batch}{code}", **(more or {})}
        return self.ask(mti, fields | ({11: self.next_trace()} if traced else {}), mac=False)

    def settle(self, domestic: Totals, foreign: Totals | None = None) -> IsoMessage:
        totals = F48Totals(domestic, foreign or Totals()).encode()
        return self.manage("0500", "201", {48: totals, 49: "156", 63: "01 "})

    def upload(self, *details: Detail) -> IsoMessage:
        return self.manage("0320", "201", {48: F48Details(details).encode()})

    def end(self, code: str, count: int) -> IsoMessage:
        answer = self.manage("0320", code, {48: f"{count:04d}"})
        told = answer.text(60)[2:8]
        self.batch = told if told != self.batch else f"{int(self.batch) + 1:06d}"
        return answer


def results(answer: IsoMessage) -> tuple[int, int]:
    """What a 0510 says of the domestic and of the foreign block."""
    totals = F48Totals.parse(answer.text(48))
    return totals.domestic.result, totals.foreign.result
