"""The terminal's settings: what a merchant, an acquirer or a test may choose."""

from __future__ import annotations

from dataclasses import dataclass, field

from firmware.records import Flow
from firmware.secure.scheme import AUTO, Security
from wire.iso8583.profile import Profile, profile


@dataclass(frozen=True, slots=True)
class TerminalSettings:
    """One terminal's settings. Times end in `_ms`; identities are as the acquirer issued them."""

    terminal_id: str = "12345678"  # F41
    merchant_id: str = "898320154110001"  # F42
    merchant_name: str = "POSTERM DEMO SHOP"
    merchant_name_zh: str = "小样咖啡馆"
    currency: str = "156"
    language: str = "en"  # "en" or "zh"
    flow: Flow = Flow.AUTHORISE_FIRST
    tpdu: str = "6000060000"
    header: str = "603100320000"
    operator: str = "01"
    acquirer_profile: str = (
        "unionpay"  # one of wire.iso8583.profile.PROFILES: what the specification leaves open
    )
    partial_approval: bool = False  # tells the bank (60.6) that it may approve a part of the amount
    master_key_index: int = 1
    key_scheme: str = "master-session"  # see firmware.secure.scheme for this and the next three
    mac_algorithm: str = AUTO
    pin_format: str = AUTO
    encrypt_track: str = "off"
    sign_in_max_age_h: int = 24  # working keys older than this are renewed before the next payment; 0: never
    log_on_required: bool = False  # an operator must log on before anything is sold or shown
    password_tries: int = 5  # wrong ones in a row; then the operator is locked out
    password_lock_min: int = 30  # for how long; 0: until a supervisor or administrator gives a new password
    slip_copies: int = 2  # 1: merchant, 2: cardholder too
    pin_tries: int = 3
    swipe_tries: int = 3
    pin_digits_min: int = 4
    pin_digits_max: int = 12
    manual_entry_allowed: bool = False  # of card numbers; parameter 20
    void_asks_card: bool = True
    void_asks_pin: bool = True  # ENTER alone passes it by
    tip_percent_max: int = 15  # of the original's amount; parameter 19
    completion_percent_max: int = 115  # of the authorised amount
    signs_out_after_settlement: bool = False  # parameter 21
    switches: str = ""  # parameter 26 in hex: the types that are on; "" for all
    resends: int = 3  # of a settlement's message; parameter 23
    offline_kept_max: int = 10  # advices kept before they must go; parameter 27
    preauth_masks_pan: bool = True  # False: the slip of a pre-authorisation shows the whole card number
    payments_kept: int = 1000  # in the journal, of settled batches; all of the open one are kept
    pin_bypass_allowed: bool = False  # pin-first only: ENTER alone pays without a PIN, if the bank lets it
    operator_timeout_ms: int = 60_000
    card_timeout_ms: int = 60_000
    pin_total_timeout_ms: int = 60_000
    pin_key_timeout_ms: int = 30_000
    pin_guard_ms: int = 65_000  # behind the secure room's own timers, should they fail
    connect_timeout_ms: int = 15_000
    response_timeout_ms: int = 60_000
    printer_timeout_ms: int = 60_000
    paper_timeout_ms: int = 120_000
    tear_off_timeout_ms: int = 5_000
    authorised_ms: int = 800  # how long "authorised" stands before the PIN is asked for
    balance_ms: int = 10_000  # how long the cardholder's balance stands on the display
    wrong_pin_ms: int = 1_500
    report_timeout_ms: int = 600_000  # for a report on paper: the details of a day are long
    guide_timeout_ms: int = 600_000  # for one step of cleaning: alcohol must dry
    device_test_ms: int = 500  # how long each device's turn in the self-test lasts
    result_ms: int = 3_000
    idle_refresh_ms: int = 30_000  # the clock on the idle screen
    clean_printer_slips: int = 1_000  # after so many slips the terminal asks for cleaning; 0: never
    clean_reader_swipes: int = 1_000  # after so many swipes; 0: never
    clean_reader_bad_percent: int = 25  # or when so many of them could not be read; 0: never
    service_retry_ms: int = 60_000  # out of service: how soon everything is tested again
    outbox_retry_ms: int = 30_000  # first wait before a due message is tried again when idle
    outbox_retry_max_ms: int = 600_000
    pairing_key: bytes | None = field(default=None, repr=False)  # 32 bytes, the gateway's; None: unpaired
    half_duplex: bool = False  # the line to the gateway carries one direction at a time

    @property
    def acquirer(self) -> Profile:
        """What this acquirer does its own way. Raises CodecError (unsupported) for a name that is unknown."""
        return profile(self.acquirer_profile)

    @property
    def security(self) -> Security:
        """How messages are protected. Raises ValueError when the four settings do not fit together."""
        return Security.of(self.key_scheme, self.mac_algorithm, self.pin_format, self.encrypt_track)
