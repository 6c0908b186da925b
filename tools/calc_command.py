"""`posterm calc`: the calculations of payments, for test keys and test cards.

The subjects are a table; only the module of the one that is asked for is imported.
"""

from __future__ import annotations

import argparse
import difflib
import importlib
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - argparse has no public name

SUBJECTS: dict[str, tuple[str, str]] = {
    "pin-block": ("pins", "PIN blocks, formats 0 to 4: encode, decode"),
    "pvv": ("pins", "Visa's PIN verification value"),
    "ibm3624": ("pins", "IBM 3624: PIN out of an offset, offset out of a PIN"),
    "cvv": ("cards", "CVV/CVC, iCVV, CVV2"),
    "dcvv": ("cards", "dynamic CVV of a contactless stripe transaction"),
    "cvc3": ("cards", "dynamic CVC of a contactless stripe transaction"),
    "luhn": ("cards", "check digit of a card number"),
    "track": ("tracks", "magnetic stripe: parse, build, bits, encipher, service code"),
    "kcv": ("keys", "key check values"),
    "components": ("keys", "key components: split, combine"),
    "mac": ("keys", "message authentication codes"),
    "sm4": ("keys", "SM4: encrypt, decrypt"),
    "unionpay": ("keys", "key bundle of a sign-in, MAC of a message"),
    "tr31": ("key_blocks", "TR-31 key blocks: wrap, unwrap, header"),
    "dukpt": ("dukpt", "DUKPT, triple DES and AES: the keys of a counter, the next counter"),
    "emv": ("emv", "chip keys and cryptograms: master and session keys, ARQC, ARPC, scripts"),
    "bits": ("emv_data", "TVR, TSI, AIP, AUC, capabilities, CID, AFL, CVM in words"),
    "tlv": ("emv_data", "BER-TLV: decode with names, encode"),
    "dol": ("emv_data", "data object lists: parse, build"),
    "qr": ("codes", "EMV QR codes: parse, build, CRC"),
    "crc": ("codes", "cyclic redundancy checks"),
    "frame": ("codes", "serial frames: COBS, SLIP, HDLC, STX/ETX"),
    "iso8583": ("messages", "ISO 8583 messages: decode, build"),
    "run": ("files", "compute all cases of a file of test vectors"),
    "verify": ("files", "compute all cases of a file and compare"),
}
"""Subject to (module below `tools.calc.commands`, one line)."""

_WIDTH = max(map(len, SUBJECTS))

DESCRIPTION = """Calculations of payments. For test keys and test cards: this machine is no security module.

Each subject has its own help: posterm calc SUBJECT --help. Values may be - for standard input; keys and PINs
may come from files (--key-file): what stands on a command line is kept in the shell's history.

subjects:
""" + "\n".join(f"  {name:{_WIDTH}}  {text}" for name, (_, text) in SUBJECTS.items())

EXAMPLES = """examples:
  posterm calc pin-block encode --format 0 --pin 1234 --pan 6225880123456783 --explain
  posterm calc bits TVR 0000008000
  posterm calc iso8583 decode - < message.hex
"""


def register(subparsers: Subparsers) -> None:
    """Add the command to the command line."""
    parser = subparsers.add_parser(
        "calc",
        help="payment calculations: PIN blocks, MACs, DUKPT, TR-31, EMV, TLV, ISO 8583, ...",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("subject", metavar="SUBJECT", help="one of the above")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, metavar="...", help="see its own help")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Calculate; 0 done, 1 a check failed, 2 wrong input or usage."""
    from tools.calc.command import perform

    if options.subject not in SUBJECTS:
        print(f"posterm calc: there is no such subject{_close_to(options.subject)}", file=sys.stderr)
        return 2
    module, _ = SUBJECTS[options.subject]
    groups = importlib.import_module(f"tools.calc.commands.{module}").GROUPS
    return perform(groups[options.subject], options.arguments)


def _close_to(name: str) -> str:
    # The name itself is not repeated: what is written in the wrong place may be a key.
    close = difflib.get_close_matches(name, SUBJECTS, n=1)
    return f" (did you mean {close[0]!r}?)" if close else "; see posterm calc --help"
