"""What a step of a scenario can do. `STEP_KINDS` is the list, with the help that `posterm run` shows."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from re import escape, fullmatch

from bank.errors import RecordError
from bank.faults import parse_fault
from firmware.records import Payment
from firmware.txn.plans import PLANS
from hal.api import Key, PrinterStatus
from hal.virtual.card import Swipe
from tools.station import PATIENCE_MS, STATES, Station
from tools.toml_table import TomlTable
from wire.money import AmountError, parse_amount

Action = Callable[[Station], object]

KEYS = tuple(key.value for key in Key)
QUALITIES = tuple(swipe.value for swipe in Swipe)
ITEMS_MAX = 1000
WAIT_MS_MAX = 24 * 60 * 60 * 1000


@dataclass(frozen=True, slots=True)
class Doing:
    """What a step does: in words, and in fact."""

    title: str
    action: Action


Reader = Callable[[TomlTable, Collection[str]], Doing]


@dataclass(frozen=True, slots=True)
class StepKind:
    """One kind of step: how it is read, which further keys it has, and its line of help."""

    read: Reader
    help: str
    options: tuple[str, ...] = ()


# --- hands -------------------------------------------------------------------------------------------


def _amount(table: TomlTable, _cards: Collection[str]) -> Doing:
    text = table.text("amount")
    try:
        parse_amount(text)
    except AmountError as error:
        raise table.wrong("amount", str(error)) from None

    def enter(station: Station) -> None:
        station.try_amount(text)  # that a sale is refused may be what the script expects

    return Doing(f"amount {text}", enter)


def _press(table: TomlTable, _cards: Collection[str]) -> Doing:
    keys = table.text("press").split()
    for key in keys:
        if key not in KEYS:
            raise table.wrong("press", f"no key has this name; the names are {' '.join(KEYS)}")
    return Doing(f"press {' '.join(keys)}", lambda station: station.press(*keys))


def _hold(table: TomlTable, _cards: Collection[str]) -> Doing:
    key = table.choice("hold", KEYS)

    def hold(station: Station) -> None:
        station.devices.keypad.hold(key)
        station.settle()

    return Doing(f"hold {key} down", hold)


def _swipe(table: TomlTable, cards: Collection[str]) -> Doing:
    card, quality = table.choice("swipe", cards), table.choice("quality", QUALITIES, "good")
    how = "" if quality == "good" else f", {quality.replace('_', ' ')}"
    return Doing(f"swipe {card}{how}", lambda station: station.swipe(card, quality))


def _insert(table: TomlTable, cards: Collection[str]) -> Doing:
    card = table.choice("insert", cards)
    return Doing(f"insert {card}", lambda station: station.insert(card))


def _start(table: TomlTable, _cards: Collection[str]) -> Doing:
    kind = table.choice("start", PLANS)
    return Doing(f"start: {kind.replace('_', ' ')}", lambda station: station.start(kind))


def _type(table: TomlTable, _cards: Collection[str]) -> Doing:
    text = table.text("type")
    if not fullmatch(rf"[0-9]*|{'|'.join(map(escape, OF_LAST_SLIP))}", text):
        raise table.wrong("type", f"digits, or one of {', '.join(OF_LAST_SLIP)}")

    def typed(station: Station) -> None:
        payment = station.last_approved
        station.type(OF_LAST_SLIP[text](payment) if text in OF_LAST_SLIP and payment else text)

    return Doing(f"type {text}", typed)


def _pin(table: TomlTable, _cards: Collection[str]) -> Doing:
    pin = table.text("pin", pattern=r"[0-9]{4,12}", words="4 to 12 digits")
    return Doing("pin ****", lambda station: station.enter_pin(pin))


# --- time --------------------------------------------------------------------------------------------


def _wait_for(table: TomlTable, _cards: Collection[str]) -> Doing:
    states = table.choices("wait_for", STATES)
    limit_ms = table.number("within_ms", 0, PATIENCE_MS, PATIENCE_MS)
    return Doing(
        f"wait for {' or '.join(states)}", lambda station: station.wait_for(*states, limit_ms=limit_ms)
    )


def _wait_ms(table: TomlTable, _cards: Collection[str]) -> Doing:
    duration_ms = table.number("wait_ms", 0, WAIT_MS_MAX)
    return Doing(f"wait {duration_ms} ms", lambda station: station.run_for(duration_ms))


# --- surroundings ------------------------------------------------------------------------------------


def _bank_fault(table: TomlTable, _cards: Collection[str]) -> Doing:
    text = table.text("bank_fault")
    try:
        fault = parse_fault(text)
    except RecordError as error:
        raise table.wrong("bank_fault", str(error)) from None
    return Doing(f"the bank will misbehave: {text}", lambda station: station.add_bank_fault(fault))


def _paper(table: TomlTable, _cards: Collection[str]) -> Doing:
    what = table.choice("paper", ("out", "load"))
    after = table.number("after_items", 0, ITEMS_MAX, 0) if "after_items" in table else None
    if what == "load":
        return Doing("load paper", lambda station: station.devices.printer.load_paper())
    if after is None:
        return Doing("paper runs out", lambda station: station.devices.printer.run_out_of_paper())
    return Doing(
        f"paper will run out after {after} items",
        lambda station: station.devices.printer.fail_after_items(after, PrinterStatus.PAPER_OUT),
    )


def _one_of(key: str, doings: Mapping[str, Doing]) -> Reader:
    return lambda table, _cards: doings[table.choice(key, doings)]


def _flag(key: str, doing: Doing) -> Reader:
    def read(table: TomlTable, _cards: Collection[str]) -> Doing:
        if not table.value(key, bool):
            raise table.wrong(key, "must be true: leave the step out if it is not to be done")
        return doing

    return read


_CABLE = {
    "pull": Doing("pull the cable", lambda station: station.unplug_cable()),
    "plug": Doing("plug the cable in", lambda station: station.plug_cable()),
}
_BANK = {
    "stop": Doing("stop the bank", lambda station: station.drive.stop_bank()),
    "start": Doing("start the bank", lambda station: station.drive.start_bank()),
    "behave": Doing(
        "the bank behaves again", lambda station: station.ask_bank(lambda bank: bank.faults.clear())
    ),
}
_GATEWAY = {"restart": Doing("restart the gateway", lambda station: station.drive.restart_gateway())}
_COVER = {
    "open": Doing("open the printer's cover", lambda station: station.devices.printer.open_cover()),
    "close": Doing("close the printer's cover", lambda station: station.devices.printer.close_cover()),
}
_PRINTER = {
    "jam": Doing("the printer jams", lambda station: station.devices.printer.jam()),
    "clear": Doing("clear the jam", lambda station: station.devices.printer.clear_jam()),
    "overheat": Doing("the printer overheats", lambda station: station.devices.printer.set_overheated()),
    "cool": Doing("the printer cools down", lambda station: station.devices.printer.cool_down()),
}
_POWER = {
    "cut": Doing("cut the power", lambda station: station.cut_power()),
    "on": Doing("switch the power on", lambda station: station.power_on()),
}
OF_LAST_SLIP: Mapping[str, Callable[[Payment], str]] = {
    "{voucher}": lambda payment: payment.stan,
    "{reference}": lambda payment: payment.rrn,
    "{code}": lambda payment: payment.authorisation_code,
    "{date}": lambda payment: payment.host_date,
}
"""What `type` can take from the slip that was printed last."""
_SETTLE = Doing("settle the batch", lambda station: station.settle_batch())
_REMOVE = Doing("take the card out", lambda station: station.remove())
_RELEASE = Doing("release the key", lambda station: station.devices.keypad.release())
_FINISH = Doing("wait until the payment is over", lambda station: station.finish())
_TAMPER = Doing("open the case", lambda station: station.devices.tamper.trip())

STEP_KINDS: Mapping[str, StepKind] = {
    "amount": StepKind(_amount, '"12.34": begin a sale, type the amount and ENTER'),
    "swipe": StepKind(_swipe, f'"good": a card by its name; quality = {" | ".join(QUALITIES)}', ("quality",)),
    "insert": StepKind(_insert, '"good": put a card in and leave it there'),
    "remove": StepKind(_flag("remove", _REMOVE), "true: take it out"),
    "pin": StepKind(_pin, '"123456": wait until a PIN is asked for, type it and ENTER'),
    "start": StepKind(_start, f'"refund": begin a transaction; the types are {" ".join(PLANS)}'),
    "type": StepKind(_type, f'"1234" and ENTER, or from the last slip: {" ".join(OF_LAST_SLIP)}'),
    "settle": StepKind(_flag("settle", _SETTLE), "true: settle the batch, and wait until that is over"),
    "press": StepKind(_press, f'"1 2 enter": keys; they are {" ".join(KEYS)}'),
    "hold": StepKind(_hold, '"5": press a key and keep it down'),
    "release": StepKind(_flag("release", _RELEASE), "true: let it go"),
    "wait_for": StepKind(_wait_for, '"pin" or ["pin", "declined"]: a state; within_ms = how long at most'),
    "wait_ms": StepKind(_wait_ms, "1500: let time pass"),
    "finish": StepKind(_flag("finish", _FINISH), "true: wait until the terminal is idle again"),
    "cable": StepKind(_one_of("cable", _CABLE), "pull | plug: the line between terminal and gateway"),
    "gateway": StepKind(_one_of("gateway", _GATEWAY), "restart"),
    "bank": StepKind(_one_of("bank", _BANK), "stop | start | behave (no faults any more)"),
    "bank_fault": StepKind(_bank_fault, '"silent-after-posting:mti=0100,count=1": see bank serve --fault'),
    "paper": StepKind(_paper, "out | load; after_items = 5: out in the middle of a slip", ("after_items",)),
    "cover": StepKind(_one_of("cover", _COVER), "open | close: the printer's"),
    "printer": StepKind(_one_of("printer", _PRINTER), "jam | clear | overheat | cool"),
    "power": StepKind(_one_of("power", _POWER), "cut | on: the terminal's"),
    "tamper": StepKind(_flag("tamper", _TAMPER), "true: open the case; the keys are gone"),
}

OPTIONS = frozenset(option for kind in STEP_KINDS.values() for option in kind.options)
