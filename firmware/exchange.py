"""One request to the bank at a time: built, protected, sent; its answer matched, checked, classified.

An answer that is not this request's (another type, trace, terminal or amount) is counted and dropped, as if
nothing had come (iso8583-pos section 4). So a late answer to a request that was given up can do no harm.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from firmware.message_security import protected
from firmware.messages import APPROVALS, REVERSAL_DONE, SIGN_IN_AGAIN, WRONG_PIN, text_of
from firmware.secure.errors import KeysExhausted, SecureError
from firmware.secure.module import SecureModule
from firmware.settings import TerminalSettings
from host_link.control import BankReport, BankStatus, request_check
from host_link.session import Channel, Session
from wire.confidential import ConfidentialBytes
from wire.iso8583 import CodecError, IsoMessage, dialect

NO_CODE = frozenset({""})
NEVER_MACED = ("03", "05", "08")  # first two digits of the MTI (section 4)
PIN_JUDGED = ("0110", "0210")  # answers to what may have a PIN; to an advice or a reversal 55 is any other no
SIGN_IN_DEMANDED = "3"  # header digit 6 (section 1.1)


class Verdict(Enum):
    """What became of a request."""

    APPROVED = "approved"
    DECLINED = "declined"
    WRONG_PIN = "wrong_pin"
    BAD_MAC = "bad_mac"
    NOT_SENT = "not_sent"  # surely not: the bank never saw it
    LOST = "lost"  # it may have arrived


@dataclass(frozen=True, slots=True)
class Answer:
    """The end of an exchange. `message` is None when there was no answer to read.

    `request`: the number of the request that it ends, for `HostExchange.is_current`.
    """

    verdict: Verdict
    message: IsoMessage | None = None
    response_code: str = ""
    sign_in_again: bool = False
    demanded: str = "0"  # header digit 6: what the bank wants besides (section 1.1)
    request: int = field(default=0, compare=False)


class HostExchange:
    """The terminal's side of its dialogue with the bank."""

    def __init__(self, settings: TerminalSettings, secure: SecureModule, session: Session) -> None:
        self._settings = settings
        self._secure = secure
        self._session = session
        self._dialect = dialect("unionpay")
        self._open: IsoMessage | None = None
        self._message_id: int | None = None
        self._request_check: int | None = None
        self._number = 0
        self.foreign_answers = 0

    @property
    def is_open(self) -> bool:
        """True while a request waits for its answer."""
        return self._open is not None

    def send(
        self, mti: str, fields: Mapping[int, str | bytes], *, now_ms: int, wait_for_link: bool = False
    ) -> Answer | None:
        """Send a request. None: it is on its way, an answer will follow. Otherwise it was surely not sent.

        `wait_for_link`: a line that is out just now is no reason to give up; the link sends when it is back.
        """
        self._number += 1
        if not self._session.is_up and not wait_for_link:
            return Answer(Verdict.NOT_SENT, request=self._number)
        try:
            request, encoded = self._protected(mti, fields)
        except SecureError as error:
            again = not isinstance(error, KeysExhausted)  # no sign-in brings new ones
            return Answer(Verdict.NOT_SENT, sign_in_again=again, request=self._number)
        self._open = request
        self._request_check = request_check(encoded)
        self._message_id = self._session.send(Channel.HOST, encoded, now_ms=now_ms)
        return None

    def _protected(self, mti: str, fields: Mapping[int, str | bytes]) -> tuple[IsoMessage, ConfidentialBytes]:
        """The request and its bytes, with what is secret enciphered and a MAC where it has one."""
        tpdu, header = self._settings.tpdu, self._settings.header
        if mti.startswith(NEVER_MACED):
            request = IsoMessage(mti, dict(fields), tpdu=tpdu, header=header)
            return request, ConfidentialBytes(self._dialect.encode(request))
        request = IsoMessage(mti, protected(fields, self._secure), tpdu=tpdu, header=header)
        return request, ConfidentialBytes(self._dialect.encode_with_mac(request, self._secure.mac))

    def close(self) -> None:
        """Stop waiting: from now on an answer to the request is a foreign one, also one that came already."""
        self._number += 1
        self._settle()

    def is_current(self, answer: Answer) -> bool:
        """False when the request was given up, or another sent, between this answer's coming and now."""
        return answer.request == self._number

    def _settle(self) -> None:
        self._open = None
        self._message_id = self._request_check = None

    def on_message(self, payload: bytes) -> Answer | None:
        """Take what the bank sent; None when it is not the answer to the open request."""
        answer = self._match(payload)
        if answer is None:
            self.foreign_answers += 1
            return None
        self._settle()
        return self._judge(answer, payload)

    def on_bank_status(self, report: BankReport) -> Answer | None:
        """Take the gateway's word on the connection to the bank.

        UNREACHABLE counts for the request that it names only: one about an earlier request may arrive late.
        """
        if self._open is None or report.status is BankStatus.REACHABLE:
            return None
        not_sent = report.status is BankStatus.UNREACHABLE
        if not_sent and report.request_check != self._request_check:
            return None
        self._settle()
        return Answer(Verdict.NOT_SENT if not_sent else Verdict.LOST, request=self._number)

    def on_unconfirmed(self, message_id: int) -> Answer | None:
        """The link cannot say whether the request reached the gateway (it restarted)."""
        if message_id != self._message_id:
            return None
        self._settle()
        return Answer(Verdict.LOST, request=self._number)

    def _match(self, payload: bytes) -> IsoMessage | None:
        request = self._open
        if request is None:
            return None
        try:
            answer = self._dialect.decode(payload)
        except CodecError:
            return None
        same_type = answer.mti == f"{int(request.mti) + 10:04d}"
        return answer if same_type and all(map(self._agrees, (11, 41, 42, 3, 4), (answer,) * 5)) else None

    def _agrees(self, field: int, answer: IsoMessage) -> bool:
        """A field that must be the request's own; F4 may be lower in a partial approval (section 4)."""
        assert self._open is not None
        asked, got = self._open.fields.get(field), answer.fields.get(field)
        if field in (3, 4) and (got is None or asked is None):
            return True
        if field == 4 and text_of(answer, 39) == "10":
            return str(got) <= str(asked)
        return got == asked

    def _judge(self, answer: IsoMessage, payload: bytes) -> Answer:
        code = text_of(answer, 39)
        demanded = answer.header[5:6]
        again = code in SIGN_IN_AGAIN or demanded == SIGN_IN_DEMANDED
        if not self._mac_holds(answer, payload, code):
            verdict = Verdict.BAD_MAC
        elif code in _good_codes(answer.mti):
            verdict = Verdict.APPROVED
        else:
            is_about_pin = code == WRONG_PIN and answer.mti in PIN_JUDGED
            verdict = Verdict.WRONG_PIN if is_about_pin else Verdict.DECLINED
        return Answer(verdict, answer, code, again, demanded, self._number)

    def _mac_holds(self, answer: IsoMessage, payload: bytes, code: str) -> bool:
        """A right MAC; none is needed on 03xx, 05xx and 08xx, nor on a decline (section 4)."""
        if answer.mti.startswith(NEVER_MACED):
            return True
        mac = answer.fields.get(64)
        if not isinstance(mac, bytes):
            return code not in APPROVALS
        try:
            return self._secure.verify_mac(self._dialect.mac_region(payload), mac)
        except SecureError:
            return False  # the keys went away meanwhile: it cannot be believed


def _good_codes(mti: str) -> frozenset[str]:
    """The response codes that say yes, by the type of the answer."""
    match mti:
        case "0410":
            return REVERSAL_DONE
        case "0510":
            return NO_CODE  # it has no F39: its F48 tells the result (section 8.1)
    return APPROVALS
