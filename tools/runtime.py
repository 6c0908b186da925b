"""The composition root: from a profile, settings and a bank's data to a running station.

Nothing else in the project chooses which parts work together.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from bank.authoriser import Bank
from bank.entropy import Entropy, SeededEntropy, SystemEntropy
from bank.hsm import USUAL_MACS
from bank.provision import CardSpec, MerchantSpec, Provision, TerminalSpec, demo_bank, load_provision
from bank.store import MEMORY
from firmware.app import Observer
from firmware.secure.module import SecureModule
from firmware.secure.scheme import AUTO
from firmware.settings import TerminalSettings
from hal.board import Board
from hal.profile import Profile, load_profile
from hal.registry import build_board, check_kinds
from hal.virtual.clock import VirtualClock
from hal.virtual.serial_port import VirtualSerialPort
from tools.config import Choices, ConfigError, check_settings
from tools.drive import Drive, Tap
from tools.drive_virtual import VirtualDrive
from tools.key_ceremony import agree, load_first_keys, matching
from tools.loopback import Loopback, is_loopback
from tools.state_folder import check_bank, check_memory, taken
from tools.station import Station, StationError, virtual_devices

_BANK_FILE = "bank.db"


@dataclass(frozen=True)
class StationPlan:
    """What a station is made of. The defaults are the demo: virtual time, nothing kept."""

    live: bool = False  # real time, a pseudo-terminal pair, a TCP bank
    profile: Profile | None = None  # None: "virtual", or "headless" when live
    settings: TerminalSettings | None = None  # None: the first terminal of the bank's data
    provision: Provision | None = None  # None: the demo bank
    state_folder: Path | None = None  # None: nothing outlives the station
    seed: int = 1
    tap: Tap = lambda _at_ms, _side, _data: None
    make_drive: Callable[[Board], Drive] | None = None  # in virtual time, to a bank that is there already
    observers: Sequence[Observer] = field(default=())

    @property
    def pairing_key(self) -> bytes | None:
        """The key of both ends of its line; None: they are not paired."""
        return self.settings.pairing_key if self.settings is not None else None

    @property
    def half_duplex(self) -> bool:
        """Whether its line carries one direction at a time."""
        return self.settings is not None and self.settings.half_duplex


def settings_of(provision: Provision, base: TerminalSettings | None = None) -> TerminalSettings:
    """Settings with the identity of the first terminal in the bank's data. Raises StationError."""
    for merchant in provision.merchants:
        for terminal in merchant.terminals:
            return replace(
                base or _protected_as(terminal),
                terminal_id=terminal.tid,
                merchant_id=merchant.mid,
                merchant_name=merchant.name,
                merchant_name_zh=merchant.name_local or merchant.name,
                master_key_index=terminal.tmk_index,
            )
    raise StationError("the bank's data has no terminal: add [[merchant]] with [[merchant.terminal]]")


def _protected_as(terminal: TerminalSpec) -> TerminalSettings:
    """Settings with the key scheme that the bank's data say; the algorithm by name where it is unusual."""
    usual = USUAL_MACS[terminal.key_scheme] == terminal.mac_algorithm
    return TerminalSettings(
        key_scheme=terminal.key_scheme, mac_algorithm=AUTO if usual else terminal.mac_algorithm
    )


def build_station(plan: StationPlan) -> Station:
    """Build a station; the terminal is off.

    Everything is looked at before anything is made or changed: after HalError, BankError or StationError
    nothing is running, and the state folder is as it was.
    """
    provision = plan.provision or load_provision()
    settings = plan.settings or settings_of(provision)
    provision = matching(provision, settings)
    terminal = _terminal_of(settings, provision)
    profile = _profile_of(plan)
    with ExitStack() as leftovers:
        loopback = _loopback_of(plan, profile)
        if loopback is not None:
            leftovers.callback(loopback.close)
            profile = loopback.profile
        folder = plan.state_folder or Path()
        virtual_devices(build_board(profile, state_folder=folder), loopback)  # nothing is opened
        if plan.state_folder is not None:
            leftovers.enter_context(taken(plan.state_folder))
            check_memory(profile, plan.state_folder)
            check_bank(plan.state_folder / _BANK_FILE)
        if plan.live:
            board, drive = _live(plan, profile, provision, leftovers, loopback)
        else:
            board, drive = _virtual(plan, profile, provision)
        try:
            drive.ask_bank(lambda bank: agree(bank, settings, terminal))
            _inject_first_keys(board, settings, terminal)
            station = Station(
                board, settings, drive, provision.cards, observers=list(plan.observers), loopback=loopback
            )
        except BaseException:
            drive.close()
            raise
        station.leftovers = leftovers.pop_all()
    return station


def _profile_of(plan: StationPlan) -> Profile:
    """The plan's profile with clock, randomness and memory that fit. Raises HalError, StationError."""
    profile = plan.profile or load_profile("headless" if plan.live else "virtual")
    check_kinds(profile)
    if profile.devices["serial_port"].backend != "virtual":
        raise StationError(
            f"profile {profile.name}: its serial_port is a real one, and this command brings its own line, "
            f"gateway and bank: use posterm terminal --profile {profile.name} --link DEVICE, or a profile "
            "whose serial_port is virtual"
        )
    clock = "host" if plan.live else "virtual"
    if (profile.devices["clock"].backend == "virtual") is plan.live:
        profile = profile.with_device("clock", clock)
    if plan.live:
        return profile
    profile = profile.with_device("rng", "virtual", seed=plan.seed)
    if plan.state_folder is not None:
        profile = profile.with_device("storage", "sqlite", path="terminal.db")
        profile = profile.with_device("tamper", "virtual", key_file="device-key.json")
    return profile


def _loopback_of(plan: StationPlan, profile: Profile) -> Loopback | None:
    """The devices in software that the profile puts behind real drivers. Raises HalError, StationError."""
    if not is_loopback(profile):
        return None
    if not plan.live:
        raise StationError(
            f"profile {profile.name}: its pseudo-terminals know no virtual time: use real time (--live)"
        )
    return Loopback(profile)


def _virtual(plan: StationPlan, profile: Profile, provision: Provision) -> tuple[Board, Drive]:
    board = build_board(profile, state_folder=plan.state_folder)
    if plan.make_drive is not None:
        return board, plan.make_drive(board)
    port, clock = board.serial_port, board.clock
    assert isinstance(port, VirtualSerialPort)
    assert isinstance(clock, VirtualClock)
    bank = _open_bank(provision, plan.state_folder, clock.wall(), SeededEntropy(plan.seed))
    return board, VirtualDrive(
        port,
        clock,
        bank,
        seed=plan.seed,
        tap=plan.tap,
        pairing_key=plan.pairing_key,
        half_duplex=plan.half_duplex,
    )


def _live(
    plan: StationPlan,
    profile: Profile,
    provision: Provision,
    leftovers: ExitStack,
    loopback: Loopback | None,
) -> tuple[Board, Drive]:
    from bank.server import wall_clock
    from tools.drive_live import LiveDrive

    folder = plan.state_folder
    state = folder or Path(leftovers.enter_context(TemporaryDirectory(prefix="posterm-")))
    drive = LiveDrive(
        lambda: _open_bank(provision, folder, wall_clock(), SystemEntropy()),
        tap=plan.tap,
        loopback=loopback,
        pairing_key=plan.pairing_key,
        half_duplex=plan.half_duplex,
    )
    try:
        profile = profile.with_device("serial_port", "serial", url=drive.port_path)
        return build_board(profile, state_folder=state), drive
    except BaseException:
        drive.close()
        raise


def _open_bank(provision: Provision, folder: Path | None, now: datetime, entropy: Entropy) -> Bank:
    path = folder / _BANK_FILE if folder else MEMORY
    return demo_bank(path, now=now, entropy=entropy, provision=provision)


def _inject_first_keys(board: Board, settings: TerminalSettings, terminal: TerminalSpec) -> None:
    """What a key-loading ceremony does before a terminal is delivered: the keys that the scheme begins with.

    A terminal that holds them already, or whose case was opened, is left alone.
    """
    board.storage.open()
    board.rng.open()
    board.tamper.open()
    try:
        secure = SecureModule(
            board.storage,
            board.tamper,
            board.rng,
            master_key_index=settings.master_key_index,
            security=settings.security,
        )
        if not board.tamper.tripped:
            load_first_keys(secure, settings, terminal)
    finally:
        board.close()


def _terminal_of(settings: TerminalSettings, provision: Provision) -> TerminalSpec:
    merchants: list[MerchantSpec] = [m for m in provision.merchants if m.mid == settings.merchant_id]
    for merchant in merchants:
        for terminal in merchant.terminals:
            if terminal.tid == settings.terminal_id:
                return terminal
    raise StationError(
        f"the bank's data has no terminal {settings.terminal_id} of merchant {settings.merchant_id}: "
        "add it there, or change terminal_id and merchant_id in the settings"
    )


def plan_of(choices: Choices, *, extra_cards: Sequence[CardSpec] = ()) -> StationPlan:
    """The plan for a station as chosen. `extra_cards` replace the bank data's cards of the same name.

    Raises ConfigError, ProfileError, RecordError or StationError; nothing was made.
    """
    provision = load_provision(choices.bank_data)
    if extra_cards:
        cards = {card.name: card for card in (*provision.cards, *extra_cards)}
        provision = Provision(tuple(cards.values()), provision.merchants)
    settings = replace(settings_of(provision), **choices.settings)
    try:
        _ = settings.security
    except ValueError as error:
        raise ConfigError(f"with the bank's data: {error}") from None
    return StationPlan(
        live=bool(choices.live),
        profile=load_profile(choices.profile) if choices.profile is not None else None,
        settings=settings,
        provision=provision,
        state_folder=choices.state,
        seed=choices.seed if choices.seed is not None else 1,
    )


def start_station(plan: StationPlan) -> Station:
    """Build a station and wait until its terminal is idle, or knows why it cannot be.

    Raises as `build_station`, and then the state folder is as it was.
    """
    station = build_station(plan)
    try:
        station.power_on()
    except BaseException:
        station.close()
        raise
    return station


def start(
    *,
    live: bool = False,
    seed: int = 1,
    state_folder: str | Path | None = None,
    bank_data: str | Path | None = None,
    profile: str | Path | None = None,
    **settings: object,
) -> Station:
    """Start a terminal with virtual devices, its link and its bank, and wait until it is idle.

    `live`: real time over a pseudo-terminal pair and TCP instead of virtual time. `state_folder`: where
    journal, keys and bank are kept; None: nothing is kept. `bank_data`: a TOML file of cards and merchants
    instead of the demo's. `settings`: any field of TerminalSettings, such as flow="pin-first", language="zh",
    response_timeout_ms=5000. Raises ConfigError for a setting that cannot be; nothing is running then.

    >>> with start() as pos:
    ...     pos.enter_amount("12.34")
    ...     pos.swipe("good")
    ...     pos.enter_pin("123456")
    ...     pos.finish().outcome.value
    'approved'
    """
    choices = Choices(
        settings=check_settings("start", settings),
        profile=str(profile) if profile is not None else None,
        bank_data=Path(bank_data) if bank_data is not None else None,
        state=Path(state_folder) if state_folder is not None else None,
        live=live,
        seed=seed,
    )
    return start_station(plan_of(choices))
