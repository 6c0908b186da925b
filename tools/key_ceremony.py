"""What happens before a terminal is delivered: its first keys are loaded, and the bank is told of its scheme.

For simulations the two ends must agree: `matching` makes the bank's record of a terminal what the terminal's
settings say. The keys that it adds where the data has none are published test keys.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from bank import dukpt
from bank.authoriser import Bank
from bank.provision import MerchantSpec, Provision, TerminalSpec
from firmware.secure.module import SecureModule
from firmware.settings import TerminalSettings

_TEST_KEYS: Mapping[str, tuple[bytes, bytes]] = {  # BDK and serial number, of the standards' own examples
    "dukpt-tdes": (
        bytes.fromhex("0123456789ABCDEFFEDCBA9876543210"),
        bytes.fromhex("FFFF9876543210E00000"),
    ),
    "dukpt-aes": (
        bytes.fromhex("FEDCBA9876543210F1F1F1F1F1F1F1F1"),
        bytes.fromhex("123456789012345600000000"),
    ),
}


def matching(provision: Provision, settings: TerminalSettings) -> Provision:
    """The same data, with the terminal of these settings as they say."""
    return replace(provision, merchants=tuple(_merchant(one, settings) for one in provision.merchants))


def _merchant(merchant: MerchantSpec, settings: TerminalSettings) -> MerchantSpec:
    if merchant.mid != settings.merchant_id:
        return merchant
    terminals = (
        _terminal(one, settings) if one.tid == settings.terminal_id else one for one in merchant.terminals
    )
    return replace(merchant, terminals=tuple(terminals))


def _terminal(terminal: TerminalSpec, settings: TerminalSettings) -> TerminalSpec:
    security = settings.security
    scheme, algorithm = security.key_scheme.value, security.mac_algorithm.value
    bdk, ksn = terminal.bdk, terminal.ksn
    if security.is_dukpt and (bdk is None or terminal.key_scheme != scheme):
        bdk, ksn = _TEST_KEYS[scheme]
    return replace(terminal, key_scheme=scheme, mac_algorithm=algorithm, bdk=bdk, ksn=ksn)


def agree(bank: Bank, settings: TerminalSettings, terminal: TerminalSpec) -> None:
    """Change a bank's record that was made for other settings. One that agrees is left alone."""
    known = bank.merchants.find_terminal(settings.merchant_id, settings.terminal_id)
    wanted = (terminal.key_scheme, terminal.mac_algorithm)
    if known is not None and (known.key_scheme, known.mac_algorithm) != wanted:
        with bank.store.transaction():
            bank.merchants.set_security(known, *wanted, terminal.bdk)


def load_first_keys(secure: SecureModule, settings: TerminalSettings, terminal: TerminalSpec) -> None:
    """Load what the scheme begins with, unless it is there: the TMK, or a DUKPT initial key.

    Raises SecureError.
    """
    if secure.has_root_key:
        return
    if not secure.security.is_dukpt:
        secure.load_tmk(settings.master_key_index, terminal.tmk)
        return
    assert terminal.bdk is not None, "`matching` has given it one"
    is_aes = settings.key_scheme == "dukpt-aes"
    key = (
        dukpt.aes_initial_key(terminal.bdk, terminal.ksn[:8])
        if is_aes
        else dukpt.tdes_initial_key(terminal.bdk, terminal.ksn)
    )
    secure.load_initial_key(key, terminal.ksn)
