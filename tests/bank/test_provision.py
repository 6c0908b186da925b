from __future__ import annotations

from pathlib import Path

import pytest

from bank.errors import BankError, RecordError
from bank.provision import DEMO_MID, DEMO_TID, demo_bank, fill, load_provision, plastic
from tests.bank.till import NOW, TMK

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "cards.toml"
CARD = '[[card]]\nname = "a"\npan = "6225880000000100"\nexpiry = "3012"\npin = "848484"\n'
MERCHANT = '[[merchant]]\nmid = "898320154110009"\nname = "SHOP"\n'
TERMINAL = f'[[merchant.terminal]]\ntid = "12345678"\ntmk = "{TMK.hex()}"\n'


def write(folder: Path, text: str) -> Path:
    path = folder / "my.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_demo() -> None:
    demo = load_provision()
    assert [card.name for card in demo.cards] == ["good", "poor", "expired", "lost", "limited", "unknown"]
    pans = [card.plastic.pan for card in demo.cards]
    assert len(set(pans)) == 6
    assert all(pan.luhn_valid and pan.reveal().startswith("6225880000") for pan in pans)
    [merchant] = demo.merchants
    assert (merchant.mid, merchant.name, merchant.name_local) == (DEMO_MID, "POSTERM DEMO SHOP", "小样咖啡馆")
    assert (merchant.terminals[0].tid, merchant.terminals[0].tmk) == (DEMO_TID, TMK)


def test_plastic_by_name() -> None:
    cards = load_provision().cards
    good = plastic(cards, "good")
    assert (good.expiry_yymm, good.service_code, good.name) == ("3012", "120", "ZHANG/SAN")
    assert good.pan.reveal() not in repr(good) + repr(cards)
    with pytest.raises(RecordError, match="known are expired, good"):
        plastic(cards, "gold")


def test_a_card_that_the_bank_does_not_hold_is_plastic_only() -> None:
    bank = demo_bank(now=NOW)
    assert "unknown" not in [card.name for card in bank.cards.cards()]
    assert plastic(load_provision().cards, "unknown").pan.luhn_valid
    assert bank.card_account("good").balance_minor == 1_000_000
    assert bank.cards.named("limited").amount_limit_minor == 1000
    bank.close()


def test_a_filled_database_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "bank.db"
    first = demo_bank(path, now=NOW)
    with first.store.transaction():
        first.cards.set_pin_tries_used(first.cards.named("good"), 2)
    first.close()
    again = demo_bank(path, now=NOW)
    assert again.cards.named("good").pin_tries_used == 2
    again.close()


def test_the_example_fills_a_bank() -> None:
    bank = demo_bank(now=NOW, provision=load_provision(EXAMPLE))
    assert [card.name for card in bank.cards.cards()] == ["anna", "boris", "foreign", "partial", "vip"]
    assert bank.cards.named("vip").terms.approval_code == "11"
    assert bank.cards.named("partial").terms.partial_approval
    assert [terminal.tid for terminal in bank.merchants.terminals()] == ["00000002"]
    bank.close()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("card = ", ["is not TOML"]),
        ("[card]\n", ["card", "[[card]]"]),
        (CARD.replace("6225880000000100", "6225880000000101"), ['card "a"', "pan", "check digit"]),
        (CARD.replace("6225880000000100", "622588"), ['card "a"', "pan", "digits"]),
        (CARD.replace('pan = "6225880000000100"\n', ""), ['card "a"', "pan", "missing"]),
        (CARD.replace('pin = "848484"\n', ""), ['card "a"', "pin", "missing"]),
        (CARD.replace('"848484"', "848484"), ['card "a"', "pin", "text"]),
        (CARD.replace("3012", "3013"), ['card "a"', "expiry", "month"]),
        (CARD + 'balance = "-1"\n', ["balance", "negative"]),
        (CARD + 'status = "sleepy"\n', ["status", "active"]),
        (CARD + 'ballance = "1.00"\n', ["ballance", "known key"]),
        (CARD + "pin_tries = 0\n", ["pin_tries"]),
        (CARD + CARD, ["two cards"]),
        (MERCHANT + TERMINAL.replace("11223344", "1122"), ["tmk", "hex"]),
        ('colour = "red"\n', ["colour", "known key"]),
    ],
)
def test_mistakes_are_one_line_with_file_entry_and_key(tmp_path: Path, text: str, words: list[str]) -> None:
    path = write(tmp_path, text)
    with pytest.raises(RecordError) as caught:
        load_provision(path)
    message = str(caught.value)
    assert "\n" not in message
    assert str(path) in message
    for word in words:
        assert word in message
    for secret in ("62258800", "848484", TMK.hex()[8:]):
        assert secret not in message


@pytest.mark.parametrize(
    "text",
    [
        MERCHANT.replace("898320154110009", "1"),
        MERCHANT + MERCHANT,
        MERCHANT + TERMINAL + TERMINAL,
        MERCHANT + TERMINAL.replace("12345678", "1"),
        CARD + CARD.replace('"a"', '"b"'),
    ],
)
def test_what_the_bank_refuses_leaves_it_empty(tmp_path: Path, text: str) -> None:
    provision = load_provision(write(tmp_path, CARD.replace('"a"', '"c"').replace("0100", "0209") + text))
    bank = demo_bank(now=NOW)
    before = [account.name for account in bank.accounts()]
    with pytest.raises(BankError):
        fill(bank, provision, now=NOW)
    assert [account.name for account in bank.accounts()] == before
    bank.close()


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="cannot read"):
        load_provision(tmp_path / "none.toml")
