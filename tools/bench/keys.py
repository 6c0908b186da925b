"""PIN block and MAC beside psec, DUKPT beside pydukpt, dukpt and code on top of psec.

Every peer computes the same values, which is checked before anything is measured. All set their keys up for
every call, as a host that serves many terminals does. The MAC is taken of a message of 200 bytes: UnionPay's,
which psec has not (it is given its ciphers and its XOR), and ANSI X9.19, which it has.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Mapping
from typing import Any

from firmware.secure import dukpt_aes, dukpt_tdes, mac, pin_block, tdes
from tools.bench.measure import Measurement, compared, installed
from wire.pan import Pan

PIK = bytes.fromhex("0123456789ABCDEFFEDCBA9876543210")
MAK = bytes.fromhex("A1B2C3D4E5F60718")  # single length, as UnionPay's key bundle 003 has it
RETAIL_MAK = bytes.fromhex("A1B2C3D4E5F607181827364554637281")
MESSAGE = bytes(range(200))
PIN = "1234"
PAN = "6225880123456783"

INITIAL_KEY = bytes.fromhex("6AC292FAA1315B4D858AB3A3D7D5933A")  # ANSI X9.24-1, annex A.4
KSNS = {
    1: bytes.fromhex("FFFF9876543210E00001"),
    5: bytes.fromhex("FFFF9876543210E0001F"),
    9: bytes.fromhex("FFFF9876543210E001FF"),
}
"""Steps of derivation, as many as the counter has one bits, to the key serial number.

Of a counter dukpt takes into account only the lowest nine bits.
"""

AES_INITIAL_KEY = bytes.fromhex("1273671EA26AC29AFA4D1084127652A1")  # ANSI X9.24-3, annex
AES_KSNS = {
    1: bytes.fromhex("123456789012345600000001"),
    5: bytes.fromhex("12345678901234560000001F"),
    9: bytes.fromhex("1234567890123456000001FF"),
}

Work = Callable[[], object]
_PEERS = ("psec", "pydukpt", "dukpt")


def measure() -> list[Measurement]:
    """How many times as fast as the peers that are installed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # psec uses triple DES in ways that cryptography warns of
        return [*_pin_and_mac(), *_dukpt(), *_aes_dukpt()]


def missing() -> list[str]:
    """The peers that are not installed."""
    return [name for name in _PEERS if installed(name) is None]


# --- PIN block and MAC -------------------------------------------------------------------------------


def _pin_and_mac() -> list[Measurement]:
    if installed("psec") is None:
        return []
    macs = {
        "UnionPay MAC": (lambda: mac.unionpay_ecb_mac(MAK, MESSAGE), _unionpay_mac_of_psec()),
        "X9.19 MAC": (lambda: mac.retail_mac(RETAIL_MAK, MESSAGE), _retail_mac_of_psec()),
    }
    their_block = _pin_block_of_psec()
    return [
        _compared(f"PIN block + {name}", _both(_pin_block, ours), {"psec": _both(their_block, theirs)}, 3.0)
        for name, (ours, theirs) in macs.items()
    ]


def _pin_block() -> bytes:
    block = pin_block.format_0(bytearray(map(int, PIN)), Pan(PAN))
    tdes.encrypt_in_place(PIK, block)
    return bytes(block)


def _pin_block_of_psec() -> Work:
    from psec import des, pinblock

    return lambda: des.encrypt_tdes_ecb(PIK, pinblock.encode_pinblock_iso_0(PIN, PAN))


def _unionpay_mac_of_psec() -> Work:
    from psec import des, tools

    def work() -> bytes:
        blocks = [MESSAGE[at : at + 8] for at in range(0, len(MESSAGE), 8)]
        text = functools.reduce(tools.xor, blocks).hex().upper().encode("ascii")
        mixed = tools.xor(des.encrypt_tdes_ecb(MAK, text[:8]), text[8:])
        return des.encrypt_tdes_ecb(MAK, mixed).hex().upper()[:8].encode("ascii")

    return work


def _retail_mac_of_psec() -> Work:
    from psec.mac import generate_retail_mac

    return lambda: generate_retail_mac(RETAIL_MAK[:8], RETAIL_MAK[8:], MESSAGE, 1)


def _both(one: Work, other: Work) -> Work:
    return lambda: (one(), other())


# --- DUKPT -------------------------------------------------------------------------------------------


def _dukpt() -> list[Measurement]:
    return [
        _compared(
            f"DUKPT TDES, {_steps(steps)}",
            functools.partial(dukpt_tdes.transaction_key, INITIAL_KEY, ksn),
            {name: make(ksn) for name, make in _DUKPT_PEERS.items() if _has(name)},
            2.0,
        )
        for steps, ksn in KSNS.items()
        if any(map(_has, _DUKPT_PEERS))
    ]


def _has(peer: str) -> bool:
    return installed(peer) is not None


def _pydukpt(ksn: bytes) -> Work:
    library: Any = installed("pydukpt")
    return lambda: library.derive_key(INITIAL_KEY, ksn)


def _dukpt_package(ksn: bytes) -> Work:
    library: Any = installed("dukpt")
    initial, serial = library.BitArray(bytes=INITIAL_KEY), library.BitArray(bytes=ksn)
    server = library.Server(bdk=PIK)
    return lambda: server.derive_key(initial, serial).bytes


def _dukpt_of_psec(ksn: bytes) -> Work:
    """ANSI X9.24-1, annex A.2, as it is written with psec's cipher and XOR."""
    from psec.des import encrypt_tdes_ecb
    from psec.tools import xor

    mask = bytes.fromhex("C0C0C0C000000000")

    def half(left: bytes, right: bytes, register: bytes) -> bytes:
        return xor(encrypt_tdes_ecb(left, xor(register, right)), right)

    def work() -> bytes:
        left, right = INITIAL_KEY[:8], INITIAL_KEY[8:]
        counter = int.from_bytes(ksn, "big") & 0x1FFFFF
        reached = int.from_bytes(ksn[2:], "big") & ~0x1FFFFF
        for place in range(20, -1, -1):
            if counter >> place & 1:
                reached |= 1 << place
                register = reached.to_bytes(8, "big")
                lower = half(left, right, register)
                left, right = half(xor(left, mask), xor(right, mask), register), lower
        return left + right

    return work


_DUKPT_PEERS: Mapping[str, Callable[[bytes], Work]] = {
    "pydukpt": _pydukpt,
    "dukpt": _dukpt_package,
    "psec": _dukpt_of_psec,
}


def _aes_dukpt() -> list[Measurement]:
    if not _has("psec"):
        return []
    return [
        _compared(
            f"DUKPT AES, {_steps(steps)}",
            functools.partial(dukpt_aes.transaction_key, AES_INITIAL_KEY, ksn),
            {"psec": _aes_dukpt_of_psec(ksn)},
            2.0,
        )
        for steps, ksn in AES_KSNS.items()
    ]


def _aes_dukpt_of_psec(ksn: bytes) -> Work:
    """ANSI X9.24-3, clause 6, as it is written with psec's cipher."""
    from psec.aes import encrypt_aes_ecb

    head = bytes.fromhex("0101800000020080") + ksn[4:8]  # a derivation key, AES-128, of this device

    def work() -> bytes:
        key, reached, counter = AES_INITIAL_KEY, 0, int.from_bytes(ksn[8:], "big")
        for place in range(31, -1, -1):
            if counter >> place & 1:
                reached |= 1 << place
                key = encrypt_aes_ecb(key, head + reached.to_bytes(4, "big"))
        return key

    return work


def _steps(count: int) -> str:
    return f"{count} step{'s' * (count > 1)}"


def _compared(name: str, ours: Work, theirs: Mapping[str, Work], goal: float) -> Measurement:
    for their_name, work in theirs.items():
        assert work() == ours(), f"{their_name} computes something else than {name}"
    return compared(name, ours, theirs, goal=goal)
