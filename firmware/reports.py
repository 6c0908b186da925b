"""Reports as items for paper or display: what became of a transaction, who the operators are.

Pure: the same values give the same report. Each takes the `Paper` on which it is to stand; a display is a
narrow one. No report holds a full card number, a password or key material: what it is made of holds none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from firmware.boot import DeviceReport
from firmware.operators import Operator
from firmware.paper import Paper
from firmware.records import CLEARED, Outcome, Outgoing, OutgoingKind, OutgoingState, Payment, Reason
from firmware.settings import TerminalSettings
from firmware.texts import response_code, text
from firmware.txn.plans import PLANS, Totals
from firmware.upkeep import Wear, heads_due
from hal.api import Align, PrintItem, PrintRule, PrintText
from wire.money import currency

Items = list[PrintItem]

FIRMWARE_VERSION = "0.1.0"


def kind_name(paper: Paper, payment: Payment) -> str:
    """The words for a transaction's type, as on its slip; what has no slip is named as on the display."""
    group = "slip" if PLANS[payment.kind].has_slip else "screen"
    return text(paper.language, f"{group}.kind.{payment.kind}")


def amount_of(payment: Payment) -> str:
    """The amount with its currency."""
    return currency(payment.currency).format(payment.amount_minor)


def heading(paper: Paper, title: str, settings: TerminalSettings, printed_at: datetime) -> Items:
    """What every report on paper begins with: its title, the merchant, the terminal, the time."""
    name = settings.merchant_name_zh if paper.language == "zh" else settings.merchant_name
    return [
        *paper.centred(f"title.{title}", bold=True, large=True),
        PrintRule(),
        *paper.field("merchant_name", name),
        *paper.field("merchant_no", settings.merchant_id),
        *paper.field("terminal_no", settings.terminal_id),
        *paper.field("operator_no", settings.operator),
        *paper.field("printed_at", f"{printed_at:%Y/%m/%d %H:%M:%S}"),
        PrintRule(),
    ]


def operator_list(paper: Paper, operators: Iterable[Operator], locked: frozenset[str]) -> Items:
    """Every operator with the rank, and what should be known about the password: never the password."""
    items: Items = []
    for operator in operators:
        items += paper.pair(operator.number, paper.text(f"rank.{operator.rank.name.lower()}"))
        if operator.has_default_password:
            items += paper.paragraph(paper.text("default_password"))
        if operator.number in locked:
            items += paper.paragraph(paper.text("locked_out"))
    return items


# --- what became of a transaction --------------------------------------------------------------------


def transaction_report(paper: Paper, payment: Payment, outbox: Iterable[Outgoing], copies_max: int) -> Items:
    """What a cashier asks about a transaction that was lost sight of: did it work, who knows, what now."""
    sent = [entry for entry in outbox if entry.payment_number == payment.number]
    return [
        *paper.pair(_outcome(paper, payment), amount_of(payment), bold=True),
        *(
            item
            for key, values in _fate(payment, sent)
            for item in paper.paragraph(paper.text(key, **values))
        ),
        *_why(paper, payment),
        *_slip(paper, payment, copies_max),
        PrintRule(),
        *_particulars(paper, payment),
    ]


def _outcome(paper: Paper, payment: Payment) -> str:
    outcome = payment.outcome.value if payment.outcome else "open"
    return paper.text(f"outcome.{outcome}")


def _fate(payment: Payment, sent: Sequence[Outgoing]) -> list[tuple[str, dict[str, object]]]:
    """What the bank knows of it, and what is still to be sent, as keys of texts."""
    if payment.mark == CLEARED:
        return [("fate.cleared", {})]
    by_kind = {entry.kind: entry for entry in sent}
    reversal = by_kind.get(OutgoingKind.REVERSAL)
    if reversal is not None and reversal.state is OutgoingState.DUE:
        return [("fate.reversal_waits", {}), ("fate.attempts", {"count": reversal.attempts})]
    if reversal is not None:
        return [("fate.reversal_refused" if reversal.state is OutgoingState.REFUSED else "fate.open", {})]
    if payment.reversed:
        return [("fate.reversed", {})]
    if payment.reason is Reason.UNKNOWN:
        return [("fate.unknown", {})]
    if payment.outcome is not Outcome.APPROVED:
        return [("fate.open" if payment.outcome is None else "fate.nothing_charged", {})]
    completion = next((entry for entry in sent if entry.kind is not OutgoingKind.REVERSAL), None)
    if payment.reason is Reason.COMPLETION_REFUSED:
        return [("fate.completion_refused", {})]
    if completion is None:
        return [(_booked(payment), {})]
    return [("fate.completion_waits", {}), ("fate.attempts", {"count": completion.attempts})]


def _booked(payment: Payment) -> str:
    """What the bank has done; what counts in no total is a hold, or moved nothing."""
    if payment.mark == "voided":
        return "fate.voided"
    if PLANS[payment.kind].totals is not Totals.NONE:
        return "fate.booked"
    return "fate.held" if payment.kind == "preauth" else "fate.done"


def _why(paper: Paper, payment: Payment) -> Items:
    """The reason, and the bank's words."""
    items: Items = []
    if payment.reason is not Reason.NONE:
        items += paper.paragraph(text(paper.language, f"screen.reason.{payment.reason.value}.full"))
    if payment.response_code not in {"", "00"}:
        answer = response_code(payment.response_code)
        items += paper.paragraph(f"{answer.code} {answer.text(paper.language)}")
    return items


def _slip(paper: Paper, payment: Payment, copies_max: int) -> Items:
    if not has_slip(payment):
        return []
    printed = min(payment.copies_printed, copies_max)
    key = "slip.printed" if printed == copies_max else "slip.missing"
    return paper.paragraph(paper.text(key, printed=printed, copies=copies_max))


def has_slip(payment: Payment) -> bool:
    """Whether a slip of it may be printed."""
    return payment.outcome is Outcome.APPROVED and not payment.reversed and PLANS[payment.kind].has_slip


def _particulars(paper: Paper, payment: Payment) -> Items:
    """The numbers under which it is found again; those that it never got are left out."""
    values = {
        "trans_type": kind_name(paper, payment),
        "voucher_no": payment.stan,
        "batch_no": payment.batch,
        "card_no": payment.pan_masked,
        "auth_no": payment.authorisation_code,
        "refer_no": payment.rrn,
        "started_at": payment.started_at.replace("-", "/").replace("T", " "),
        "operator_no": payment.operator,
    }
    return [item for key, value in values.items() if value for item in paper.field(key, value)]


# --- the terminal itself -----------------------------------------------------------------------------


def self_test_report(paper: Paper, reports: Iterable[DeviceReport]) -> Items:
    """Each device with its result, and its own words below."""
    items: Items = []
    for report in reports:
        ok = report.result.ok
        items += paper.pair(report.kind, paper.text("test.passed" if ok else "test.failed"), bold=not ok)
        if report.result.detail:
            items += paper.paragraph(f" {report.result.detail}")
    return items


def counters_report(paper: Paper, wear: Wear, settings: TerminalSettings) -> Items:
    """What was used up, and which head is due to be cleaned."""
    values = {
        "slips": wear.slips,
        "slips_since": wear.slips_since,
        "printer_cleaned": _day(paper, wear.printer_cleaned_at),
        "swipes": wear.swipes,
        "bad_swipes": wear.bad_swipes,
        "swipes_since": wear.swipes_since,
        "bad_swipes_since": wear.bad_swipes_since,
        "reader_cleaned": _day(paper, wear.reader_cleaned_at),
    }
    items = [item for key, value in values.items() for item in paper.field(f"wear.{key}", str(value))]
    for head in heads_due(wear, settings):
        items += paper.paragraph(paper.text(f"wear.{head}_is_due"))
    return items


def head_pattern() -> Items:
    """What shows a dirty or broken dot of the printing head: full lines, letters and digits."""
    letters, digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789"
    return [
        *(PrintRule(character) for character in "##=="),
        PrintText(letters, Align.CENTRE),
        PrintText(digits, Align.CENTRE, double_width=True, double_height=True),
        *(PrintRule(character) for character in "==##"),
    ]


def _day(paper: Paper, moment: str) -> str:
    return moment[:10].replace("-", "/") if moment else paper.text("wear.never")


def version_report(
    paper: Paper,
    settings: TerminalSettings,
    reports: Iterable[DeviceReport],
    check_values: Mapping[str, str],
) -> Items:
    """What a support line asks for: version, identity, protection of messages, check values, devices."""
    security = settings.security
    values = {
        "version": FIRMWARE_VERSION,
        "tpdu": settings.tpdu,
        "header": settings.header,
        "flow": settings.flow.value,
        "key_scheme": security.key_scheme.value,
        "mac_algorithm": security.mac_algorithm.value,
        "pin_format": security.pin_format.value,
    }
    items = [item for key, value in values.items() for item in paper.field(key, value)]
    items += [PrintRule(), *paper.centred("keys")]
    items += [item for name, value in check_values.items() for item in paper.pair(name, value)]
    items += [PrintRule(), *paper.centred("devices")]
    for report in reports:
        items += paper.pair(report.kind, report.result.detail or paper.text("test.passed"))
    return items
