"""What must be nowhere: PINs, PIN blocks in clear, keys; card numbers where docs/threat-model.md bars them.

On the line a track may be read while `encrypt_track` is off; with "tdk" the number at its beginning still
may, with "dukpt" nothing of it. What is stored, shown, printed, logged or told never has a whole number,
whatever the settings; nor has the bank's memory, where numbers and keys are sealed (docs/threat-model.md).
Content is gathered and searched by the piece: that costs least.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from cobs import cobs
from Crypto.Cipher import DES3

from bank import dukpt
from bank.authoriser import Bank
from bank.ciphers import sm4_decrypt
from bank.provision import DEMO_MASTER_KEY, CardSpec, TerminalSpec
from hal.virtual.storage import Snapshot
from tools.simulate.any_till import AnyTill
from tools.simulate.checkers.finding import Finding
from tools.simulate.town import PIN, WRONG_PIN
from wire.iso8583 import IsoMessage

PIECE_BYTES = 65_536
_PREFIX_BYTES = 4
_SHOWN = re.compile(rb"\\(?:x([0-9a-f]{2})|(.))")
_LETTERS = {b"t": b"\t", b"n": b"\n", b"r": b"\r"}
_BUNDLES_KEPT = 2  # working keys that may still be in use
_BUNDLE_BYTES = frozenset({40, 60})  # of field 62: iso8583-pos section 6.2


@dataclass
class _Alike:
    """Forms that begin with the same bytes, at least four; and the names of what they are forms of."""

    beginning: bytes
    names: dict[bytes, str] = field(default_factory=dict)


class Search:
    """Names of secrets by the forms in which they could be written, found by what many of them begin with."""

    def __init__(self) -> None:
        self._forms: dict[bytes, _Alike] = {}  # by their first four bytes

    def add(self, name: str, forms: Iterable[bytes]) -> None:
        """Forms of at least five bytes: shorter ones would be met by chance."""
        for form in forms:
            assert len(form) > _PREFIX_BYTES, name
            alike = self._forms.setdefault(form[:_PREFIX_BYTES], _Alike(form))
            while not form.startswith(alike.beginning):
                alike.beginning = alike.beginning[:-1]
            alike.names[form] = name

    def found(self, content: bytes) -> set[str]:
        """The names of what is in it."""
        names, is_ascii = set(), content.isascii()
        for alike in self._forms.values():
            if is_ascii and not alike.beginning.isascii():
                continue  # most that is packed cannot be in words
            at = content.find(alike.beginning)
            while at >= 0:
                names |= {name for form, name in alike.names.items() if content.startswith(form, at)}
                at = content.find(alike.beginning, at + 1)
        return names


def written(digits: str) -> Iterator[bytes]:
    """Hexadecimal digits as text and packed two to a byte, from the first or from the second of them."""
    yield digits.upper().encode()
    yield digits.lower().encode()
    for start in (0, 1):
        yield bytes.fromhex(digits[start : start + (len(digits) - start) // 2 * 2])


def clear_pin_blocks(pin: str, pan: str) -> Iterator[str]:
    """The PIN fields of ISO 9564-1 with a PIN, as hex, as far as they are not random fill."""
    told = f"{len(pin):X}{pin}"
    mixed = (1 + len(told)) // 2 * 2  # whole bytes of the PIN field
    account = "0000" + pan[-13:-1]
    yield _mixed(f"0{told}".ljust(16, "F"), account)
    yield f"1{told}"[:mixed]
    yield f"2{told}".ljust(16, "F")
    yield _mixed(f"3{told}"[:mixed], account[:mixed])
    yield f"4{told}".ljust(16, "A")
    yield f"0{told}".ljust(16, "F")  # SM4's: the account is mixed into what follows


def _mixed(field: str, account: str) -> str:
    return f"{int(field, 16) ^ int(account, 16):0{len(field)}X}"


def _first_keys(spec: TerminalSpec) -> Mapping[str, bytes]:
    """What the terminal's other keys come from."""
    first_keys = {"master key": spec.tmk}
    if spec.bdk is not None:
        first_keys["base key"] = spec.bdk
        first_keys["initial key"] = (
            dukpt.aes_initial_key(spec.bdk, spec.ksn[:8])
            if spec.key_scheme == "dukpt-aes"
            else dukpt.tdes_initial_key(spec.bdk, spec.ksn)
        )
    return first_keys


def _under_tdes(tmk: bytes, key: bytes) -> bytes:
    return DES3.new(tmk, DES3.MODE_ECB).decrypt(key)


def pins(search: Search, cards: Sequence[CardSpec]) -> None:
    """The PINs: as text, as numbers, in a clear PIN block of each card."""
    for pin in (PIN, WRONG_PIN):
        search.add("PIN", [pin.encode(), bytes(map(int, pin))])
        for card in cards:
            for block in clear_pin_blocks(pin, card.plastic.pan.reveal()):
                search.add("PIN block in clear", [bytes.fromhex(block), block.encode()])


def tracks(search: Search, cards: Sequence[CardSpec]) -> None:
    """Track 2 of each card, and what stands on it behind the number."""
    for card in cards:
        plastic = card.plastic
        rest = f"{plastic.expiry_yymm}{plastic.service_code}{plastic.discretionary}"
        number = plastic.pan.reveal()
        search.add("track", [f"{number}={rest}".encode(), *written(f"{number}D{rest}")])


def numbers(search: Search, cards: Sequence[CardSpec]) -> None:
    """The number of each card."""
    for card in cards:
        search.add("card number", written(card.plastic.pan.reveal()))


def keys(search: Search, named: Mapping[str, bytes]) -> None:
    """Keys, by their names."""
    for name, key in named.items():
        search.add(name, written(key.hex()))


def of_inside(cards: Sequence[CardSpec], named_keys: Mapping[str, bytes]) -> Search:
    """What nothing behind a line may hold: no memory, display, paper or log."""
    search = Search()
    pins(search, cards)
    tracks(search, cards)
    numbers(search, cards)
    keys(search, named_keys)
    return search


def readings(text: bytes) -> bytes:
    r"""What is written in a log: the text, and bytes that stand in it as Python shows them (`\x90`)."""
    return text + b"\n" + _SHOWN.sub(_byte, text) if b"\\" in text else text


def _byte(shown: re.Match[bytes]) -> bytes:
    digits, letter = shown.groups()
    return bytes.fromhex(digits.decode()) if digits else _LETTERS.get(letter, letter)


def stored_by(bank: Bank) -> bytes:
    """Every value in the bank's database, numbers as their digits."""
    store = bank.store
    tables = [row[0] for row in store.rows("SELECT name FROM sqlite_schema WHERE type = 'table'")]
    rows = (row for table in tables for row in store.rows(f'SELECT * FROM "{table}"'))  # noqa: S608 - its own
    return b"\n".join(
        value if isinstance(value, bytes) else str(value).encode() for row in rows for value in row
    )


class Secrets:
    """Everything that one till puts on a line, keeps, shows and prints."""

    def __init__(self, till: AnyTill, spec: TerminalSpec) -> None:
        self._till = till
        self._spec = spec
        cards, protection = till.station.cards, till.station.settings.encrypt_track
        first_keys = _first_keys(spec)
        self._inside = of_inside(cards, first_keys)
        self._line = Search()
        pins(self._line, cards)
        keys(self._line, first_keys)
        if protection != "off":
            tracks(self._line, cards)
        if protection == "dukpt":
            numbers(self._line, cards)
        self._keys: deque[Search] = deque(maxlen=_BUNDLES_KEPT)
        self._serial = {"terminal": bytearray(), "gateway": bytearray()}
        self._messages = bytearray()
        self._stored: Snapshot = {}
        self._screens = self._slips = 0

    # --- the lines ----------------------------------------------------------------------------------

    def on_serial(self, side: str, data: bytes) -> Iterable[Finding]:
        """Bytes of the serial line."""
        self._serial[side] += data
        return self._search_serial(side) if len(self._serial[side]) >= PIECE_BYTES else ()

    def on_message(self, message: bytes, iso: IsoMessage | None) -> Iterator[Finding]:
        """A message between gateway and bank."""
        if iso is not None:
            self._note_keys(iso)
        self._messages += message
        if len(self._messages) >= PIECE_BYTES:
            yield from self._search_messages()

    def _note_keys(self, iso: IsoMessage) -> None:
        """The working keys of a sign-in's answer, as they are in clear."""
        bundle = iso.fields.get(62)
        if not (iso.mti == "0810" and isinstance(bundle, bytes) and len(bundle) in _BUNDLE_BYTES):
            return
        search, is_sm4 = Search(), self._spec.key_scheme == "sm4"
        deciphered = sm4_decrypt if is_sm4 else _under_tdes
        parts = {
            "PIN key": bundle[:16],
            "MAC key": bundle[20 : 36 if is_sm4 else 28],
            "track key": bundle[40:56],
        }
        keys(search, {name: deciphered(self._spec.tmk, key) for name, key in parts.items() if key})
        self._keys.append(search)

    def _search_serial(self, side: str) -> Iterator[Finding]:
        """Frame by frame, with the byte stuffing taken out; a frame that is not whole yet waits."""
        *frames, rest = bytes(self._serial[side]).split(b"\0")
        self._serial[side] = bytearray(rest)
        yield from self._search(self._line, f"serial line from {side}", b"\n".join(map(_unstuffed, frames)))

    def _search_messages(self) -> Iterator[Finding]:
        yield from self._search(self._line, "line to the bank", bytes(self._messages))
        self._messages.clear()

    # --- inside -------------------------------------------------------------------------------------

    def look(self, content: Snapshot) -> Iterator[Finding]:
        """What has been stored, shown and printed since the last look."""
        new = [value for key, value in content.items() if self._stored.get(key) != value]
        self._stored = content
        yield from self._search(self._inside, "storage", b"\n".join(new))
        screens = self._till.station.devices.display.history
        if self._screens > len(screens):  # the oldest were forgotten
            self._screens = 0
        shown = "\n".join(screen.text for _, screen in screens[self._screens :])
        self._screens = len(screens)
        yield from self._search(self._inside, "display", shown.encode())

    def at_the_end(self, content: Snapshot, paper: Iterable[str]) -> Iterator[Finding]:
        """Everything that is left, and the paper."""
        yield from self.look(content)
        for side in self._serial:
            yield from self._search_serial(side)
        yield from self._search_messages()
        yield from self._search(self._inside, "paper", "\n".join(paper).encode())

    def inside(self, content: bytes) -> set[str]:
        """The names of what is in it of this till, of its cards and its keys."""
        return self._found(self._inside, content)

    def _search(self, search: Search, place: str, content: bytes) -> Iterator[Finding]:
        yield from told_of(self._found(search, content), place, self._till.name)

    def _found(self, search: Search, content: bytes) -> set[str]:
        return search.found(content).union(*(working.found(content) for working in self._keys))


class SharedSecrets:
    """What belongs to no till alone: the trace, the log, and the bank's memory."""

    def __init__(self, tills: Sequence[Secrets]) -> None:
        self._tills = tills
        self._bank = Search()
        keys(self._bank, {"bank's master key": DEMO_MASTER_KEY})

    def inside(self, place: str, content: bytes) -> Iterator[Finding]:
        """What is in it of any till or of the bank."""
        found = self._bank.found(content).union(*(till.inside(content) for till in self._tills))
        yield from told_of(found, place)


def told_of(names: Iterable[str], place: str, where: str = "") -> Iterator[Finding]:
    """A finding for each secret that is there."""
    for name in sorted(names):
        yield Finding("secret", f"{where and f'{where}: '}a {name} is in the clear in: {place}")


def _unstuffed(frame: bytes) -> bytes:
    try:
        return bytes(cobs.decode(frame))
    except cobs.DecodeError:
        return frame


def left_behind(till: AnyTill, paper: Iterable[str]) -> Iterator[Finding]:
    """What a till has stored, shown and printed, searched once."""
    search = of_inside(till.station.cards, {})
    screens = till.station.devices.display.history
    places = {
        "storage": b"\n".join(till.storage.snapshot().values()),
        "display": "\n".join(screen.text for _, screen in screens).encode(),
        "paper": "\n".join(paper).encode(),
    }
    for place, content in places.items():
        yield from told_of(search.found(content), place, till.name)
