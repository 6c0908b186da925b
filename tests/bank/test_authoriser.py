"""The checks that every message passes, sign-in, and purchases with the PIN in one message."""

from __future__ import annotations

import pytest

from bank.authoriser import Bank
from bank.errors import FrameError, HsmError
from bank.provision import DEMO_MASTER_KEY, demo_bank
from bank.store import BankStore
from tests.bank.till import NOW, UNIONPAY, Till, card, without

OPENING_MINOR = 1_000_000

# The worked example of a sign-in with these keys: request and answer, without the two length bytes.
SIGN_IN_REQUEST = bytes.fromhex(
    "6000060000 603100320000 0800 0020000000C00012 000001 3132333435363738"
    "383938333230313534313130303031 0011 000000010030 0003 303120"
)
SIGN_IN_ANSWER = bytes.fromhex(
    "6000000006 603100320000 0810 003800010AC00014 000001 093015 0521 08 08960000"
    "303933303135303030303031 3030 3132333435363738 383938333230313534313130303031"
    "0011 000000010030 0040"
    "F9C2452F0F4EFC0908E97821E0A7BCC108D7B4FB45F890CD51133A5600000000000000005FFE0009"
)


class ScriptedEntropy:
    """Gives the keys of the worked examples instead of random ones."""

    def __init__(self, *tokens: str) -> None:
        self._tokens = [bytes.fromhex(token) for token in tokens]

    def token(self, length_bytes: int) -> bytes:
        token = self._tokens.pop(0)
        assert len(token) == length_bytes
        return token


def test_the_sign_in_of_the_worked_example_byte_for_byte() -> None:
    entropy = ScriptedEntropy("0123456789ABCDEFFEDCBA9876543210", "A1B2C3D4E5F60718")
    bank = demo_bank(now=NOW, entropy=entropy)
    [reply] = bank.handle(SIGN_IN_REQUEST, now=NOW)
    assert reply.message.hex().upper() == SIGN_IN_ANSWER.hex().upper()


@pytest.mark.parametrize(("layout", "bundle_bytes"), [("001", 24), ("003", 40), ("004", 60)])
def test_each_layout_gives_keys_that_work(fresh_till: Till, layout: str, bundle_bytes: int) -> None:
    answer = fresh_till.sign_in(layout)
    assert len(answer.binary(62)) == bundle_bytes
    assert 64 not in answer.fields
    assert fresh_till.purchase().text(39) == "00"


def test_a_new_sign_in_puts_the_old_keys_out_of_force(till: Till) -> None:
    old_mak = till.mak
    till.sign_in()
    new_mak, till.mak = till.mak, old_mak
    assert till.authorise().text(39) == "A0"
    till.mak = new_mak
    assert till.authorise().text(39) == "00"


def test_nothing_goes_without_sign_in_nor_after_sign_out(fresh_till: Till) -> None:
    till = fresh_till
    till.mak = bytes.fromhex("A1B2C3D4E5F60718")
    answer = till.authorise()
    assert answer.text(39) == "A0"
    assert 64 not in answer.fields
    till.sign_in()
    assert till.authorise().text(39) == "00"
    out = till.ask("0820", {11: till.next_trace(), 60: f"00{till.batch}002"}, mac=False)
    assert (out.mti, out.text(39)) == ("0830", "00")
    assert till.authorise().text(39) == "A0"


def test_echo_needs_no_sign_in(fresh_till: Till) -> None:
    answer = fresh_till.ask("0820", {60: "00000001301"}, mac=False)
    assert (answer.mti, answer.text(39)) == ("0830", "00")


def test_a_damaged_message_is_a_mac_error_and_does_nothing(till: Till) -> None:
    message = bytearray(till.pack("0100", till.authorise_fields(amount_minor=1234)))
    amount_at = message.index(bytes.fromhex("000000001234"))
    message[amount_at + 5] ^= 0x01
    answer = till.send_bytes(bytes(message))
    assert answer is not None
    assert answer.text(39) == "A0"
    assert till.bank.open_holds() == []


def test_a_request_without_mac_is_a_mac_error(till: Till) -> None:
    assert till.ask("0100", till.authorise_fields(), mac=False).text(39) == "A0"


@pytest.mark.parametrize(
    ("mid", "tid", "code"),
    [("898320154110001", "99999999", "97"), ("898320154119999", "12345678", "03")],
)
def test_strangers_are_told_so(till: Till, mid: str, tid: str, code: str) -> None:
    till.mid, till.tid = mid, tid
    answer = till.authorise()
    assert answer.text(39) == code
    assert 64 not in answer.fields


def test_what_the_bank_does_not_do(till: Till) -> None:
    fields = till.purchase_fields()
    assert till.ask("0200", {**fields, 25: "64", 60: f"22{till.batch}00020"}).text(39) == "40"
    assert till.ask("0800", {11: till.next_trace(), 60: f"00{till.batch}999"}, mac=False).text(39) == "12"


def test_missing_and_malformed_fields_are_a_format_error(till: Till) -> None:
    fields = till.authorise_fields()
    assert till.ask("0100", without(fields, 4)).text(39) == "30"
    short_private = {**till.authorise_fields(), 60: "1000000100"}
    assert till.ask("0100", short_private).text(39) == "30"
    assert till.ask("0220", without(fields, 61) | {3: "000000", 60: f"24{till.batch}00020"}).text(39) != "00"
    assert till.ask("0400", without(till.reversal_fields(fields), 39)).text(39) == "30"
    assert till.bank.open_holds() == []


def test_another_currency_is_refused(till: Till) -> None:
    assert till.ask("0100", till.authorise_fields() | {49: "840"}).text(39) == "12"


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"\x60\x00",
        bytes.fromhex("7000060000 603100320000 0820 0000000000C00010"),
        SIGN_IN_REQUEST[:-1],
        SIGN_IN_REQUEST + b"\x00",
        SIGN_IN_ANSWER,
        b"GET / HTTP/1.1\r\n\r\n",
    ],
)
def test_what_is_no_request_raises_and_changes_nothing(till: Till, message: bytes) -> None:
    with pytest.raises(FrameError):
        till.bank.handle(message, now=NOW)
    assert till.bank.open_holds() == []


# --- purchase and balance ----------------------------------------------------------------------------


def test_a_purchase_posts_at_once(till: Till) -> None:
    answer = till.purchase(amount_minor=12345)
    assert (answer.mti, answer.text(39)) == ("0210", "00")
    assert till.mac_is_right(answer)
    assert (till.balance_minor(), till.merchant_minor()) == (OPENING_MINOR - 12345, 12345)
    books = till.bank.payment_ledger(till.tid, till.mid, till.batch, answer.text(11))
    assert [posting.amount_minor for posting in books.postings] == [12345]


def test_the_pin_of_a_purchase(till: Till) -> None:
    assert till.purchase(pin="654321").text(39) == "55"
    assert till.purchase(pin="1234").text(39) == "55"
    assert till.purchase(pin=None).text(39) == "55"
    assert till.bank.cards.named("good").pin_tries_used == 2
    assert till.purchase().text(39) == "00"
    assert till.bank.cards.named("good").pin_tries_used == 0
    assert [till.purchase(pin="000000").text(39) for _ in range(4)] == ["55", "55", "55", "75"]
    assert till.purchase().text(39) == "75"
    assert till.balance_minor() == OPENING_MINOR - 1234


def test_a_pin_block_without_field_53_is_a_format_error(till: Till) -> None:
    assert till.ask("0200", without(till.purchase_fields(), 53)).text(39) == "30"


def test_a_right_pin_does_not_make_a_bad_card_good(till: Till) -> None:
    assert [till.purchase(name).text(39) for name in ("lost", "expired", "poor", "unknown")] == [
        "41",
        "54",
        "51",
        "14",
    ]


def test_the_balance_counts_holds(till: Till) -> None:
    till.authorise(amount_minor=1)
    fields = without(till.purchase_fields(), 4) | {3: "310000", 60: f"01{till.batch}00020"}
    answer = till.ask("0200", fields)
    assert answer.text(39) == "00"
    assert answer.text(54) == "0002156C000000999999"


# --- durability --------------------------------------------------------------------------------------


def test_what_was_answered_survives_a_restart(till: Till, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("bank") / "bank.db"
    first = Till(demo_bank(path, now=NOW))
    first.sign_in()
    authorised = first.authorise()
    first.bank.close()

    first.bank = demo_bank(path, now=NOW)
    assert first.verify(authorised).text(39) == "00"
    assert first.complete(authorised).text(39) == "00"
    assert first.bank.verify().ok
    first.bank.close()
    with pytest.raises(HsmError):
        Bank.open(path, bytes(32), entropy=ScriptedEntropy())


def test_an_answer_is_on_disk_before_it_is_given(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("bank") / "bank.db"
    till = Till(demo_bank(path, now=NOW))
    till.sign_in()
    answer = till.purchase()
    other = BankStore.open(path)
    assert other.number("SELECT count(*) FROM payment WHERE rrn = ?", (answer.text(37),)) == 1
    other.close()
    till.bank.close()


def test_the_file_names_no_card_and_no_key(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("bank") / "bank.db"
    till = Till(demo_bank(path, now=NOW))
    till.sign_in("004")
    fields = till.authorise_fields()
    authorised = till.ask("0100", fields)
    till.verify(authorised)
    keyed = {2: card("good").pan.reveal(), 14: "3012", 22: "012"} | without(till.purchase_fields(), 22, 35)
    assert till.ask("0200", keyed).text(2) == card("good").pan.reveal()
    till.bank.close()
    stored = path.read_bytes()
    pan = str(fields[35]).split("D")[0]
    for secret in (pan.encode(), bytes.fromhex(pan), till.tmk, till.pik, till.mak, till.tdk, DEMO_MASTER_KEY):
        assert secret not in stored


def test_the_same_seed_and_messages_give_the_same_bytes() -> None:
    def run() -> list[bytes]:
        till = Till(demo_bank(now=NOW))
        sent = [till.sign_in(), till.authorise(), till.purchase()]
        return [UNIONPAY.encode(answer) for answer in sent]

    assert run() == run()
