"""Everything that must be nowhere, in every form in which it could be written; and the search for it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from bank.provision import CardSpec


def written(digits: str) -> Iterator[bytes]:
    """Hexadecimal digits as text, and packed two to a byte, from either nibble.

    Packed from the second nibble the first and last digit share their bytes with something else, so that what
    lies between them is looked for.
    """
    yield digits.upper().encode()
    yield digits.lower().encode()
    for start in (0, 1):
        packed = digits[start : start + (len(digits) - start) // 2 * 2]
        yield bytes.fromhex(packed)
        yield repr(bytes.fromhex(packed))[2:-1].encode()  # as a traceback shows bytes


def clear_pin_block(pin: str, pan: str) -> str:
    """Format 0 of ISO 9564-1 in clear, as hexadecimal digits."""
    pin_field = int(f"0{len(pin):X}{pin}".ljust(16, "F"), 16)
    return f"{pin_field ^ int('0000' + pan[-13:-1], 16):016X}"


@dataclass
class Secrets:
    """Named secrets and their forms."""

    forms: dict[bytes, str] = field(default_factory=dict)

    def add(self, name: str, forms: Iterable[bytes]) -> None:
        """Forms of fewer than four bytes would be found by chance."""
        self.forms |= {form: name for form in forms if len(form) >= 4}

    def add_key(self, name: str, key: bytes) -> None:
        """A key: as text, as it is, shifted."""
        self.add(name, written(key.hex()))

    def add_pin(self, pin: str, pans: Iterable[str]) -> None:
        """A PIN: its digits as text, as numbers, packed, in a clear PIN block of each card."""
        self.add("PIN", written(pin))
        self.add("PIN", [bytes(map(int, pin)), repr(bytes(map(int, pin)))[2:-1].encode()])
        for pan in pans:
            self.add("clear PIN block", written(clear_pin_block(pin, pan)))

    def add_card(self, card: CardSpec) -> None:
        """A card: the number, and more of it than the first six and last four digits; its tracks."""
        plastic = card.plastic
        pan = plastic.pan.reveal()
        rest = f"{plastic.expiry_yymm}{plastic.service_code}{plastic.discretionary}"
        self.add("card number", written(pan))
        self.add("card number", [*written(pan[:10]), pan[-8:].encode()])
        self.add("track", [f"{pan}={rest}".encode(), rest.encode()])
        self.add("track", written(f"{pan}D{rest}"))

    def found(self, content: bytes, *, allowed: frozenset[str] = frozenset()) -> set[str]:
        """The names of the secrets that are in `content`, apart from those that may be."""
        return {name for form, name in self.forms.items() if name not in allowed and form in content}
