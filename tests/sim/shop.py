"""A shop in virtual time: one terminal with line, gateway and bank, hands that pay, and eyes on everything.

The hands act on what the terminal asks for, so that a payment goes on by itself whatever happens in between.
A test puts something else into one of the terminal's states (`Shop.instead`, `Shop.when`), lets the shop
play, heals everything (`Shop.heal`) and leaves the judgement to `tests.sim.invariants`.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from bank.authoriser import Bank, Reply
from bank.entropy import SeededEntropy
from bank.faults import Fault, FaultKind
from bank.provision import DEMO_MASTER_KEY, Provision, fill, load_provision
from firmware.app import Transition
from firmware.records import Flow, Outcome, OutgoingState
from firmware.secure.module import SecureModule
from firmware.txn.schema import Kind
from firmware.txn.transaction import TABLE, State
from hal.api import PrinterStatus
from hal.profile import load_profile
from hal.virtual.clock import VirtualClock
from hal.virtual.power import PowerCut
from hal.virtual.serial_port import VirtualSerialPort
from hal.virtual.storage import MemoryStorage
from host_link.line import DuplexLine, Line
from tools.drive_virtual import VirtualDrive
from tools.key_ceremony import matching
from tools.runtime import StationPlan, build_station, settings_of
from tools.simulate.till import HURRIED as SIMULATED
from wire.iso8583 import IsoMessage, dialect

PIN = "907351"  # unlike the demo's, no part of a terminal number: it can be searched for
WRONG_PIN = "418266"
AT_REST = frozenset({"idle", "no_keys", "out_of_service", "tampered", "off"})
SETTLE_MS = 3_000  # longer than the link takes to notice a gateway that has just started again
PATIENCE_MS = 300_000
HURRIED = replace(SIMULATED, manual_entry_allowed=False)  # as the simulator's, but for what a test asks for
WAITING = tuple(row.state.value for row in TABLE.rows if row.kind is Kind.WAITING)

SILENT_BEFORE = FaultKind.SILENT_BEFORE_POSTING
SILENT_AFTER = FaultKind.SILENT_AFTER_POSTING
REQUESTS = {  # (MTI, processing code) of each request of a payment, by flow
    Flow.AUTHORISE_FIRST: {
        "authorisation": ("0100", "030000"),
        "verification": ("0100", "330000"),
        "completion": ("0220", "000000"),
    },
    Flow.PIN_FIRST: {"purchase": ("0200", "000000")},
}

Action = Callable[[], None]
Alteration = Callable[[IsoMessage], IsoMessage]


def shop_data() -> Provision:
    """The demo bank's data, with a PIN that can be searched for."""
    demo = load_provision()
    return replace(demo, cards=tuple(replace(card, pin=PIN) for card in demo.cards))


class WatchedBank(Bank):
    """A bank that remembers what it was asked; its answers without a MAC can be altered on their way."""

    @property
    def altered(self) -> dict[str, Alteration]:
        """What is done to the answers of a message type."""
        altered: dict[str, Alteration] = self.__dict__.setdefault("_altered", {})
        return altered

    @property
    def asked(self) -> list[IsoMessage]:
        """Every request that arrived, faults or not."""
        asked: list[IsoMessage] = self.__dict__.setdefault("_asked", [])
        return asked

    def handle(self, message: bytes, *, now: datetime) -> list[Reply]:
        """As the bank, and remember."""
        self.asked.append(dialect("unionpay").decode(message))
        replies = super().handle(message, now=now)
        return [self._alter(reply) for reply in replies] if self.altered else replies

    def _alter(self, reply: Reply) -> Reply:
        answer = dialect("unionpay").decode(reply.message)
        alteration = self.altered.get(answer.mti)
        if alteration is None:
            return reply
        return replace(reply, message=dialect("unionpay").encode(alteration(answer)))


def noisy_line(
    seed: int, *, bit_error_rate: float = 0.0, drop_rate: float = 0.0, latency_ms: int = 0
) -> DuplexLine:
    """A line that flips bits and loses bytes in both directions."""
    ways = [
        Line(
            random.Random(f"{seed} {way}"),
            bit_error_rate=bit_error_rate,
            drop_rate=drop_rate,
            latency_ms=latency_ms,
        )
        for way in ("there", "back")
    ]
    return DuplexLine(*ways)


@dataclass
class Purchase:
    """What the hands do when they are asked."""

    amount: str = "1234"  # as typed
    card: str = "good"
    pins: tuple[str, ...] = (PIN,)  # successive tries, the last one again and again
    inserted: bool = False  # instead of swiped
    swipes: tuple[str, ...] = ("good",)
    kind: str = "purchase"  # the type of the transaction
    typed: Mapping[str, str] = field(default_factory=dict)  # by state, what its number, code or date is
    number: str = ""  # a card number that is typed instead


@dataclass
class Shop:
    """One shop. `seed` decides the line's and the gateway's chance, and the terminal's."""

    flow: Flow = Flow.AUTHORISE_FIRST
    seed: int = 1
    line: DuplexLine | None = None
    print_mm_per_s: int = 300
    security: Mapping[str, str] = field(default_factory=dict)  # settings such as key_scheme

    def __post_init__(self) -> None:
        settings = settings_of(shop_data(), replace(HURRIED, flow=self.flow))
        settings = replace(settings, **self.security)  # type: ignore[arg-type]
        self.provision = matching(shop_data(), settings)
        profile = load_profile("virtual").with_options("printer", speed_mm_per_s=self.print_mm_per_s)
        plan = StationPlan(profile=profile, settings=settings, provision=self.provision, seed=self.seed)
        self.station = build_station(plan)
        self.station.drive.close()
        self.transitions: list[Transition] = []
        self.station.observers.append(self._observe)
        self.tapped: list[tuple[int, str, bytes]] = []
        board = self.station.board
        assert isinstance(board.serial_port, VirtualSerialPort)
        assert isinstance(board.clock, VirtualClock)
        assert isinstance(board.storage, MemoryStorage)
        self.storage = board.storage
        bank = WatchedBank.open(":memory:", DEMO_MASTER_KEY, entropy=SeededEntropy(1))
        assert isinstance(bank, WatchedBank)
        self.bank = bank
        fill(self.bank, self.provision, now=board.clock.wall())
        self.drive = VirtualDrive(
            board.serial_port, board.clock, self.bank, seed=self.seed, line=self.line, tap=self._tap
        )
        self.station.drive = self.drive
        self._take_up(Purchase())
        self.instead: dict[str, Action] = {}  # once, in this state, instead of what the hands would do
        self.on_transition: Callable[[Transition], None] = lambda _transition: None
        self.on_bytes: Callable[[str], None] = lambda _side: None
        self.power_or_paper_trouble = False  # so that a slip may be missing

    def _observe(self, transition: Transition) -> None:
        self.transitions.append(transition)
        self.on_transition(transition)

    def _tap(self, at_ms: int, side: str, data: bytes) -> None:
        self.tapped.append((at_ms, side, data))
        self.on_bytes(side)

    # --- the shop's day -----------------------------------------------------------------------------

    def open(self) -> None:
        """Switch on and wait for idle."""
        self.station.power_on()

    @property
    def state(self) -> str:
        """The terminal's or payment's state."""
        return self.station.state

    def play(self, purchase: Purchase | None = None) -> None:
        """One sale from the sale key until the terminal rests, the hands doing what it asks for."""
        self._take_up(purchase or Purchase())
        if self.purchase.kind == "purchase":
            self.station.press("f1")
        else:
            self.station.start(self.purchase.kind)
        self.go_on()
        if self.station.devices.card_reader.card_present:
            self.station.remove()

    def _take_up(self, purchase: Purchase) -> None:
        self.purchase = purchase
        self._pins = list(purchase.pins)
        self._swipes = list(purchase.swipes)

    def go_on(self, limit_ms: int = PATIENCE_MS) -> None:
        """Let the hands answer each state once, until the terminal rests."""
        end_ms = self.drive.now_ms() + limit_ms
        acted = (-1, "")
        while self.state not in AT_REST:
            assert self.drive.now_ms() < end_ms, f"the terminal does not come to rest: {self.state}"
            if (now := (len(self.transitions), self.state)) != acted:
                acted = now
                self._act()
                self.station.settle()
            elif self.station.is_on:
                self.drive.wait(self.station.terminal, end_ms)
                self.station.settle()

    def _act(self) -> None:
        action = self.instead.pop(self.state, None)
        if action is not None:
            action()
        elif self.state == State.AMOUNT.value:
            self.station.press(*self.purchase.amount, "enter")
        elif self.state in self.purchase.typed:
            self.station.press(*self.purchase.typed[self.state], "enter")
        elif self.state == State.CARD_NUMBER.value:
            self.station.press(*self.purchase.number[1:], "enter")
        elif self.state in {State.ORIGINAL_SHOWN.value, State.BALANCE_SHOWN.value}:
            self.station.press("enter")
        elif self.state == State.CARD.value and self.purchase.number:
            self.station.press(self.purchase.number[0])
        elif self.state == State.CARD.value:
            self._present_card()
        elif self.state in {State.PIN.value, State.PURCHASE_PIN.value}:
            self.station.press(*_next(self._pins), "enter")

    def _present_card(self) -> None:
        if self.station.devices.card_reader.card_present:
            self.station.remove()
        if self.purchase.inserted:
            self.station.insert(self.purchase.card)
        else:
            self.station.swipe(self.purchase.card, _next(self._swipes))

    def reach(self, state: str, purchase: Purchase | None = None) -> bool:
        """Play until the terminal is in this state; False when the sale ended before."""
        reached: list[str] = []

        def stop() -> None:
            reached.append(state)
            raise _ReachedError

        self.instead[state] = stop
        try:
            self.play(purchase)
        except _ReachedError:
            pass
        finally:
            self.instead.pop(state, None)
        return bool(reached)

    def expect_reach(self, state: str) -> None:
        """`reach`, by the way that leads there."""
        assert self.reach(state, way_to(self, state)), f"{state} was not reached"

    # --- faults and their end -----------------------------------------------------------------------

    def fault(self, kind: FaultKind, request: tuple[str, str] = ("", ""), **more: int | str | None) -> None:
        """Arm a fault of the bank for a request: (MTI, processing code)."""
        mti, processing_code = request
        self.bank.faults.add(replace(Fault(kind, mti, processing_code), **more))  # type: ignore[arg-type]

    def cut_cable_until_down(self) -> None:
        """Pull the cable and wait until the terminal knows."""
        self.station.unplug_cable()
        self.station.run_until(lambda: not self.link_is_up, 5_000)

    @property
    def link_is_up(self) -> bool:
        """As the terminal sees it."""
        return self.station.terminal is not None and self.station.terminal.link_is_up

    def power_fails(self) -> PowerCut:
        """Switch off in the middle of whatever runs now: raise what this returns."""
        self.on_bytes = lambda _side: None
        self.on_transition = lambda _transition: None
        return PowerCut("pulled by the test")

    def power_cycle(self) -> None:
        """Off and on again; wait until it rests."""
        self.power_or_paper_trouble = True
        self.station.cut_power()
        self.open()

    def heal(self) -> None:
        """Everything that can be wrong is put right, and time passes until nothing is left to do."""
        self.bank.faults.clear()
        self.bank.altered.clear()
        self.drive.start_bank()
        self.station.plug_cable()
        self._heal_devices()
        if not self.station.is_on:
            self.open()
        if self.state == "out_of_service":
            self.station.press("enter")
        self.go_on()
        self.station.run_for(SETTLE_MS)
        rested = self.station.run_until(lambda: self.state in AT_REST and not self.owes, PATIENCE_MS)
        assert rested, f"in {self.state} long after, owing {self.owes}"

    def forgive_wrong_pins(self) -> None:
        """Clear every card's count of wrong PINs, as a clerk of the bank would."""
        with self.bank.store.transaction():
            for card in self.bank.cards.cards():
                self.bank.cards.set_pin_tries_used(card, 0)

    @property
    def owes(self) -> list[str]:
        """What the outbox still has to send."""
        if self.station.terminal is None:
            return ["off"]
        entries = self.station.terminal.journal.outbox.values()
        return [entry.kind.value for entry in entries if entry.state is not OutgoingState.REFUSED]

    def _heal_devices(self) -> None:
        devices = self.station.devices
        self.storage._failing.clear()
        self.storage.mend()
        self.storage._cuts.clear()
        if devices.card_reader.card_present:
            self.station.remove()
        devices.printer._scripted = None
        devices.printer._speed_mm_per_s = 300
        devices.printer.close_cover()
        devices.printer.plug()
        devices.printer.clear_jam()
        devices.printer.cool_down()
        devices.printer.load_paper()
        if devices.tamper.tripped:
            self._service_visit()

    def _service_visit(self) -> None:
        """A new device key and the master key again."""
        self.station.cut_power()
        board = self.station.board
        self.station.devices.tamper.service_reset()
        opened = (board.storage, board.rng, board.tamper)
        for device in opened:
            device.open()
        secure = SecureModule(board.storage, board.tamper, board.rng, master_key_index=1)
        secure.load_tmk(1, self.provision.merchants[0].terminals[0].tmk)
        for device in opened:
            device.close()
        self.power_or_paper_trouble = True
        self.open()

    # --- what was seen ------------------------------------------------------------------------------

    @property
    def outcome(self) -> Outcome | None:
        """How the newest payment ended."""
        return None if self.station.payment is None else self.station.payment.outcome

    def took(self, source: str, event: str) -> bool:
        """Whether a rule of this state and event was taken so far."""
        return any((t.rule.source.value, t.rule.event.value) == (source, event) for t in self.transitions)


NOT_OF_A_PURCHASE = {  # or, as the first, over at once
    State.OPENING,
    State.ORIGINAL,
    State.ORIGINAL_SHOWN,
    State.REFERENCE,
    State.AUTHORISATION_CODE,
    State.ORIGINAL_DATE,
    State.CARD_NUMBER,
    State.EXPIRY,
    State.BALANCE_SHOWN,
}


def states_of(flow: Flow) -> list[str]:
    """The waiting states that a payment of this flow can be in."""
    others = (
        NOT_OF_A_PURCHASE
        | {
            Flow.AUTHORISE_FIRST: {State.PURCHASE_PIN, State.PURCHASING},
            Flow.PIN_FIRST: {
                State.AUTHORISING,
                State.AUTHORISED,
                State.PIN,
                State.VERIFYING_PIN,
                State.COMPLETING,
            },
        }[flow]
    )
    return [row.state.value for row in TABLE.rows if row.kind is Kind.WAITING and row.state not in others]


FLOWS_AND_STATES = [(flow, state) for flow in Flow for state in states_of(flow)]


def way_to(shop: Shop, state: str, *, inserted: bool = False) -> Purchase:
    """Prepare the shop so that the sale returned passes through `state`; a plain sale passes most of them."""
    purchase = Purchase(inserted=inserted)
    match State(state):
        case State.CONNECTING:
            shop.cut_cable_until_down()
        case State.WRONG_PIN:
            purchase.pins = (WRONG_PIN, PIN)
        case State.PRINTER_STOPPED:
            shop.power_or_paper_trouble = True
            shop.station.devices.printer.fail_after_items(9, PrinterStatus.PAPER_OUT)
        case State.REVERSING if shop.flow is Flow.AUTHORISE_FIRST:
            shop.instead[State.PIN.value] = lambda: shop.station.press("cancel")
        case State.REVERSING:
            shop.fault(FaultKind.CLOSE_AFTER_POSTING, REQUESTS[Flow.PIN_FIRST]["purchase"])
    return purchase


class _ReachedError(Exception):
    """The state that a test waits for."""


def _next(left: list[str]) -> str:
    return left.pop(0) if len(left) > 1 else left[0]
