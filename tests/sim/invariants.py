"""What must be true of a shop after anything at all, once line, bank, paper and power are back.

Bank, journal and paper agree: the money of every approved payment moved exactly once, no other money moved,
nothing is left on hold or to be sent, every slip belongs to an approved payment. No secret is anywhere where
it must not be. And the next payment works.
"""

from __future__ import annotations

from collections.abc import Iterator

from firmware.records import Outcome, OutgoingState, Payment, Reason
from firmware.txn.transaction import ENDED
from tests.sim.shop import PIN, WRONG_PIN, Purchase, Shop

ENDED_STATES = {state.value for state in ENDED}
DUPLICATE = "DUPLICATED"


def check(shop: Shop, *, next_sale: bool = True) -> None:
    """Assert every invariant. Heals the shop first, and makes one more sale at the end."""
    shop.heal()
    check_money(shop)
    check_slips(shop)
    check_traces(shop)
    check_secrets(shop)
    if next_sale:
        check_next_sale(shop)


def payments(shop: Shop) -> list[Payment]:
    """Every payment of the journal."""
    assert shop.station.terminal is not None
    return list(shop.station.terminal.journal.payments())


def check_money(shop: Shop) -> None:
    """Bank and journal agree to the last cent."""
    bank, settings = shop.bank, shop.station.settings
    assert shop.station.terminal is not None
    outbox = shop.station.terminal.journal.outbox.values()
    refused = {entry.payment_number for entry in outbox if entry.state is OutgoingState.REFUSED}
    assert len(refused) == len(outbox), f"still in the outbox: {outbox}"
    assert bank.verify().ok, bank.verify().findings
    paid_minor = 0
    for payment in payments(shop):
        assert payment.state in ENDED_STATES, payment
        assert payment.outcome is not None, payment
        assert payment.state == payment.outcome.value, payment
        assert (payment.reason is Reason.COMPLETION_REFUSED) == (payment.number in refused), payment
        ledger = bank.payment_ledger(
            settings.terminal_id, settings.merchant_id, payment.batch, payment.stan or "000000"
        )
        moved = [posting.amount_minor for posting in ledger.postings]
        if payment.number in refused:
            continue  # the bank's own decision, which the operator settles by hand
        assert ledger.holds_left == 0, payment
        if payment.outcome is Outcome.APPROVED:
            assert moved == [payment.amount_minor], (payment, ledger.postings)
            paid_minor += payment.amount_minor
        else:
            assert len(moved) in {0, 2}, (payment, ledger.postings)
    if not refused:
        assert bank.open_holds() == []
    earned = next(account for account in bank.accounts() if account.name.startswith("merchant"))
    assert earned.balance_minor == paid_minor, "the merchant's account is the sum of the approved payments"


def check_slips(shop: Shop) -> None:
    """Each slip belongs to an approved payment; each approved payment has its slips, or can get one."""
    approved = {one.stan: one for one in payments(shop) if one.outcome is Outcome.APPROVED}
    seen = dict.fromkeys(approved, 0)
    for text in shop.station.slips:
        for stan, amount in _vouchers(text):
            assert stan in approved, f"a slip of a payment that is not approved:\n{text}"
            assert amount in {None, f"{approved[stan].amount_minor / 100:.2f}"}, text
            seen[stan] += amount is not None and DUPLICATE not in text
    for stan, copies in seen.items():
        assert copies <= 2, f"payment {stan} has {copies} slips"
        if not shop.power_or_paper_trouble:
            assert copies == 2, f"payment {stan} has {copies} slips"
    last = max(approved.values(), key=lambda one: one.number, default=None)
    if last is not None and seen[last.stan] < 2:
        _check_reprint(shop, last)


def _check_reprint(shop: Shop, payment: Payment) -> None:
    before = len(shop.station.slips)
    shop.station.press("f2")
    shop.station.run_until(lambda: shop.state == "idle", 120_000)
    text = "\n".join(shop.station.slips[max(0, before - 1) :])
    assert DUPLICATE in text, "the slip could not be printed again"
    assert (payment.stan, f"{payment.amount_minor / 100:.2f}") in list(_vouchers(text))


def _vouchers(text: str) -> Iterator[tuple[str, str | None]]:
    """(trace, amount) of each slip in the text of a piece of paper; no amount where the piece has none."""
    stan: str | None = None
    for line in text.splitlines():
        label, _, value = line.rpartition(" ")
        if label.strip() == "VOUCHER NO.":
            if stan is not None:
                yield stan, None
            stan = value
        elif label.startswith("AMOUNT") and stan is not None:
            yield stan, value
            stan = None
    if stan is not None:
        yield stan, None


def check_traces(shop: Shop) -> None:
    """Under one batch and trace the bank was only ever asked one thing, and perhaps to undo it."""
    asked: dict[tuple[str, str], set[str]] = {}
    for message in shop.bank.asked:
        if message.mti != "0400" and 11 in message.fields:  # an echo has no trace
            batch = str(message.fields[60])[2:8]
            # The MAC and a key serial number (59) go with each sending, not with what is asked.
            content = {number: value for number, value in message.fields.items() if number not in {59, 64}}
            key = (batch, str(message.fields[11]))
            asked.setdefault(key, set()).add(f"{message.mti} {sorted(content.items())!r}")
    twice = [key for key, contents in asked.items() if len(contents) > 1]
    assert not twice, f"traces used for more than one message: {twice}"


def check_secrets(shop: Shop) -> None:
    """No card number, track, PIN, PIN block or key in the journal, on the display or on paper."""
    texts, binaries = _secrets(shop)
    places = {
        "storage": [value for (_table, _key), value in shop.storage.snapshot().items()],
        "display": [screen.text.encode() for _at_ms, screen in shop.station.devices.display.history],
        "paper": [text.encode() for text in shop.station.slips],
    }
    for place, contents in places.items():
        everything = b"\n".join(contents)
        lower = everything.lower()
        for secret in texts:
            assert secret.lower().encode() not in lower, f"a secret is in the {place}"
        for secret_bytes in binaries:
            assert secret_bytes not in everything, f"a secret is in the {place}"
            assert secret_bytes.hex().encode() not in lower, f"a secret is in the {place}"


def _secrets(shop: Shop) -> tuple[set[str], set[bytes]]:
    cards = [card.plastic for card in shop.provision.cards]
    texts = {PIN, WRONG_PIN} | {card.pan.reveal() for card in cards}
    binaries = {shop.provision.merchants[0].terminals[0].tmk}
    binaries |= {bytes.fromhex(card.pan.reveal()) for card in cards}
    for message in shop.bank.asked:
        block, track = message.fields.get(52), message.fields.get(35)
        binaries |= {block} if isinstance(block, bytes) else set()
        texts |= {track} if isinstance(track, str) else set()
    return texts, binaries


def check_next_sale(shop: Shop) -> None:
    """The next payment works, and leaves everything as it should be too."""
    before = len(payments(shop))
    shop.instead.clear()
    shop.play(Purchase(amount="50"))
    assert len(payments(shop)) == before + 1
    assert shop.outcome is Outcome.APPROVED, shop.station.payment
    shop.heal()
    check_money(shop)
    newest = payments(shop)[-1]
    copies = [text for text in shop.station.slips if (newest.stan, "0.50") in _vouchers(text)]
    assert len(copies) == 2, shop.station.slips
