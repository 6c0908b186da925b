"""Network management: sign-in, sign-out, echo, downloads, settlement. These messages carry no MAC."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from bank.answers import APPROVED, Outcome
from bank.emv_downloads import DOWNLOADS
from bank.hsm import KEY_LAYOUTS, KeyLayout
from bank.merchants import Terminal
from bank.office import Office
from bank.parameters import end_download, send_parameters, take_status
from bank.request import Request
from bank.settling import (
    end_upload,
    settle,
    take_advice,
    take_certificate,
    take_details,
    take_failed,
)

_LONG_MAK: Final = frozenset({"x9.19", "cmac"})
"""MAC algorithms whose MAK has 16 bytes, sent whole in the bundle (section 6.2, "host profile option")."""

ManagementHandler = Callable[[Office, Request, Terminal], Outcome]


def _sign_in(layout: KeyLayout) -> ManagementHandler:
    def sign_in(office: Office, request: Request, terminal: Terminal) -> Outcome:
        """Make new working keys, in force from now on; the answer carries them and the batch to use."""
        if (layout == "005") is not (terminal.key_scheme == "sm4") or terminal.message_keys().is_dukpt:
            return Outcome("40")
        mak_bytes = 16 if terminal.mac_algorithm in _LONG_MAK else 8
        keys = office.hsm.make_working_keys(terminal.tmk_sealed, layout, office.entropy, mak_bytes=mak_bytes)
        office.merchants.sign_in(terminal, layout, keys)
        return Outcome(APPROVED, fields={60: _batch_told(office, request, terminal), 62: keys.bundle})

    return sign_in


def sign_in_without_keys(office: Office, request: Request, terminal: Terminal) -> Outcome:
    """DUKPT: batch and time, and the terminal may trade; posterm's own code."""
    if not terminal.message_keys().is_dukpt:
        return Outcome("40")
    office.merchants.sign_in(terminal, request.network_code, None)
    return Outcome(APPROVED, fields={60: _batch_told(office, request, terminal)})


def _batch_told(office: Office, request: Request, terminal: Terminal) -> str:
    """Field 60 of the answer, with the batch that the terminal adopts (section 3.1).

    Traces only grow within a batch. A sign-in whose trace is no higher than one that was used comes from a
    terminal that counts anew, having lost its storage or reached 999999: it gets another batch. In the old
    one its next payment could have the key of an earlier one, and be given that one's answer.
    """
    batch = terminal.batch
    if office.payments.highest_trace(terminal.mid, terminal.tid, batch) >= request.trace:
        batch = office.payments.unused_batch(terminal.mid, terminal.tid, after=batch)
        office.merchants.open_batch(terminal, batch)
    return f"00{batch}{request.network_code}"


def sign_out(office: Office, _request: Request, terminal: Terminal) -> Outcome:
    """Forget the terminal's working keys."""
    office.merchants.sign_out(terminal)
    return Outcome(APPROVED)


def echo(_office: Office, _request: Request, _terminal: Terminal) -> Outcome:
    """Say that the bank is there."""
    return Outcome(APPROVED)


MANAGEMENT: Final[Mapping[tuple[str, str], ManagementHandler]] = {
    **{("0800", layout): _sign_in(layout) for layout in KEY_LAYOUTS},
    ("0800", "006"): sign_in_without_keys,
    ("0820", "002"): sign_out,
    ("0820", "301"): echo,
    ("0820", "362"): take_status,
    ("0800", "360"): send_parameters,
    ("0800", "364"): send_parameters,
    ("0800", "361"): end_download,
    ("0800", "371"): end_download,
    ("0800", "381"): end_download,
    **DOWNLOADS,
    ("0500", "201"): settle,
    ("0320", "201"): take_details,
    ("0320", "000"): take_advice,
    ("0320", "203"): take_certificate,
    ("0320", "205"): take_certificate,
    ("0320", "204"): take_failed,
    ("0320", "206"): take_failed,
    ("0320", "202"): end_upload,
    ("0320", "207"): end_upload,
}
"""(MTI, 60.3) -> management message. iso8583-pos section 5.0."""
