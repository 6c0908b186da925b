"""A terminal in a few lines: enough to send the bank well-formed requests and to read its answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from psec.pinblock import encode_pinblock_iso_0

from bank.authoriser import Bank
from bank.hsm import des_decrypt, des_encrypt, unionpay_mac
from bank.provision import DEMO_MID, DEMO_TID, CardPlastic, load_provision, plastic
from wire.iso8583 import IsoMessage, dialect
from wire.track import Track2

NOW = datetime(2026, 5, 21, 9, 30, 15)  # noqa: DTZ001 - the bank's clock face
UNIONPAY = dialect("unionpay")
TMK = bytes.fromhex("11223344556677888877665544332211")
PIN = "123456"

Fields = Mapping[int, str | bytes]


def card(name: str) -> CardPlastic:
    return plastic(load_provision().cards, name)


@dataclass
class Till:
    """Signs in, counts traces, puts MACs on requests; `now` moves by hand."""

    bank: Bank
    mid: str = DEMO_MID
    tid: str = DEMO_TID
    tmk: bytes = TMK
    batch: str = "000001"
    now: datetime = NOW
    pik: bytes = b""
    mak: bytes = b""
    tdk: bytes = b""
    trace_count: int = 0
    last_sent: bytes = b""
    tpdu: str = "6000060000"
    sent: list[IsoMessage] = field(default_factory=list)

    def next_trace(self) -> str:
        self.trace_count += 1
        return f"{self.trace_count:06d}"

    def later(self, **how_much: float) -> None:
        self.now += timedelta(**how_much)

    # --- sending ---------------------------------------------------------------------------------

    def pack(self, mti: str, fields: Fields, *, mac: bool = True) -> bytes:
        named = {41: self.tid, 42: self.mid, **fields}
        if not mac:
            return UNIONPAY.encode(IsoMessage(mti, named, tpdu=self.tpdu))
        encoded = UNIONPAY.encode(IsoMessage(mti, {**named, 64: bytes(8)}, tpdu=self.tpdu))
        return UNIONPAY.with_mac(encoded, unionpay_mac(self.mak, UNIONPAY.mac_region(encoded)))

    def exchange(self, mti: str, fields: Fields, *, mac: bool = True) -> IsoMessage | None:
        self.last_sent = self.pack(mti, fields, mac=mac)
        return self.send_bytes(self.last_sent)

    def send_bytes(self, message: bytes) -> IsoMessage | None:
        replies = self.bank.handle(message, now=self.now)
        assert len(replies) <= 1
        return UNIONPAY.decode(replies[0].message) if replies else None

    def ask(self, mti: str, fields: Fields, *, mac: bool = True) -> IsoMessage:
        answer = self.exchange(mti, fields, mac=mac)
        assert answer is not None, "the bank was silent"
        return answer

    def mac_is_right(self, answer: IsoMessage) -> bool:
        encoded = UNIONPAY.encode(answer)
        return unionpay_mac(self.mak, UNIONPAY.mac_region(encoded)) == answer.fields[64]

    # --- messages --------------------------------------------------------------------------------

    def sign_in(self, layout: str = "003") -> IsoMessage:
        answer = self.ask(
            "0800", {11: self.next_trace(), 60: f"00{self.batch}{layout}", 63: "01 "}, mac=False
        )
        if answer.text(39) == "00":
            pik_bytes = 8 if layout == "001" else 16
            bundle = answer.binary(62)
            self.pik = des_decrypt(self.tmk, bundle[:pik_bytes])
            self.mak = des_decrypt(self.tmk, bundle[pik_bytes + 4 : pik_bytes + 12])
            self.tdk = des_decrypt(self.tmk, bundle[40:56])
            self.batch = answer.text(60)[2:8]
        return answer

    def track2(self, plastic_card: CardPlastic) -> str:
        return Track2.build(
            plastic_card.pan,
            plastic_card.expiry_yymm,
            plastic_card.service_code,
            plastic_card.discretionary,
        ).nibbles()

    def track2_of(self, name: str) -> str:
        return self.track2(card(name))

    def pin_fields(self, plastic_card: CardPlastic, pin: str) -> dict[int, str | bytes]:
        block = encode_pinblock_iso_0(pin, plastic_card.pan.reveal())
        return {26: "06", 52: des_encrypt(self.pik, block), 53: "2600000000000000"}

    def authorise_fields(self, name: str = "good", amount_minor: int = 1234) -> dict[int, str | bytes]:
        return {
            3: "030000",
            4: f"{amount_minor:012d}",
            11: self.next_trace(),
            22: "022",
            25: "06",
            35: self.track2(card(name)),
            49: "156",
            60: f"10{self.batch}00020",
        }

    def authorise(self, name: str = "good", amount_minor: int = 1234) -> IsoMessage:
        return self.ask("0100", self.authorise_fields(name, amount_minor))

    def verify_fields(
        self, authorised: IsoMessage, pin: str = PIN, name: str = "good"
    ) -> dict[int, str | bytes]:
        return {
            3: "330000",
            11: self.next_trace(),
            22: "021",
            25: "06",
            **self.pin_fields(card(name), pin),
            38: authorised.text(38) or "000000",
            60: f"01{self.batch}00020",
            61: self.reference(authorised),
        }

    def verify(self, authorised: IsoMessage, pin: str = PIN, name: str = "good") -> IsoMessage:
        return self.ask("0100", self.verify_fields(authorised, pin, name))

    def completion_fields(
        self, authorised: IsoMessage, amount_minor: int | None = None
    ) -> dict[int, str | bytes]:
        return {
            3: "000000",
            4: authorised.text(4) if amount_minor is None else f"{amount_minor:012d}",
            11: self.next_trace(),
            22: "021",
            25: "06",
            38: authorised.text(38) or "000000",
            49: "156",
            60: f"24{self.batch}00020",
            61: self.reference(authorised),
        }

    def complete(self, authorised: IsoMessage, amount_minor: int | None = None) -> IsoMessage:
        return self.ask("0220", self.completion_fields(authorised, amount_minor))

    def purchase_fields(
        self, name: str = "good", amount_minor: int = 1234, pin: str | None = PIN
    ) -> dict[int, str | bytes]:
        return {
            3: "000000",
            4: f"{amount_minor:012d}",
            11: self.next_trace(),
            22: "021" if pin else "022",
            25: "00",
            35: self.track2(card(name)),
            49: "156",
            60: f"22{self.batch}00020",
            **(self.pin_fields(card(name), pin) if pin else {}),
        }

    def purchase(self, name: str = "good", amount_minor: int = 1234, pin: str | None = PIN) -> IsoMessage:
        return self.ask("0200", self.purchase_fields(name, amount_minor, pin))

    def reversal_fields(self, original: Fields, reason: str = "98") -> dict[int, str | bytes]:
        return {number: original[number] for number in (3, 4, 11, 22, 25, 49, 60)} | {39: reason}

    def reverse(self, original: Fields, reason: str = "98") -> IsoMessage:
        return self.ask("0400", self.reversal_fields(original, reason))

    def reference(self, authorised: IsoMessage) -> str:
        return authorised.text(60)[2:8] + authorised.text(11) + authorised.text(13)

    # --- what the bank has afterwards ------------------------------------------------------------

    def balance_minor(self, name: str = "good") -> int:
        return self.bank.card_account(name).balance_minor

    def available_minor(self, name: str = "good") -> int:
        return self.bank.card_account(name).available_minor

    def merchant_minor(self) -> int:
        return self.bank.ledger.account_named(f"merchant {self.mid}").balance_minor


def without(fields: Fields, *numbers: int) -> dict[int, str | bytes]:
    return {number: value for number, value in fields.items() if number not in numbers}


def altered(message: IsoMessage, **changes: str) -> IsoMessage:
    return replace(message, **changes)  # type: ignore[arg-type]
