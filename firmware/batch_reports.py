"""Reports about the batch at hand: every transaction, what is cleared, the parameters in force.

Pure, as `firmware.reports`: the same values give the same report.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from firmware.paper import Paper
from firmware.parameters import is_on
from firmware.records import Outcome, Outgoing, Payment
from firmware.reports import Items, amount_of, kind_name
from firmware.settings import TerminalSettings
from firmware.texts import response_code, text
from firmware.txn.plans import PLANS
from hal.api import PrintFeed, PrintRule


def detail_report(paper: Paper, payments: Iterable[Payment], batch: str) -> Items:
    """Every transaction of the batch that has a voucher number, the oldest first."""
    items = paper.field("batch_no", batch)
    for payment in payments:
        if payment.batch != batch or not payment.stan:
            continue
        items += [PrintRule(), *paper.pair(payment.stan, kind_name(paper, payment), bold=True)]
        items += paper.pair(payment.pan_masked or "-", amount_of(payment))
        if payment.authorisation_code:
            items += paper.field("auth_no", payment.authorisation_code)
        if (state := _state(payment)) is not None:
            items += paper.paragraph(paper.text(f"state.{state}"))
    return items


def _state(payment: Payment) -> str | None:
    """Why it does not count as it stands; None when it does."""
    if payment.mark:
        return payment.mark
    if payment.reversed:
        return "reversed"
    return None if payment.outcome is Outcome.APPROVED else "not_approved"


def pending_report(paper: Paper, pending: Sequence[tuple[Outgoing, Payment | None]]) -> Items:
    """The record of what is cleared: enough to settle it by hand with the acquirer."""
    items = [*paper.paragraph(paper.text("pending.why")), *paper.paragraph(paper.text("pending.then"))]
    for entry, payment in pending:
        items += [PrintRule(), *paper.pair(paper.text(f"pending.{entry.kind.value}"), entry.mti, bold=True)]
        items += paper.field("pending.trace", entry.fields.get("11", "-"))
        items += paper.field("pending.refusals", str(max(entry.refusals, 1)))
        if entry.refused_with:
            items += paper.paragraph(
                f"{entry.refused_with} {response_code(entry.refused_with).text(paper.language)}"
            )
        if payment is not None:
            items += paper.pair(kind_name(paper, payment), amount_of(payment))
            items += paper.field("voucher_no", payment.stan)
            items += paper.field("batch_no", payment.batch)
            items += paper.field("card_no", payment.pan_masked or "-")
            items += paper.field("refer_no", payment.rrn or "-")
    signature = [*paper.paragraph(paper.text("pending.signature")), PrintFeed(2), PrintRule("_")]
    return [*items, PrintRule(), *signature]


def parameters_report(paper: Paper, settings: TerminalSettings, downloaded: Mapping[str, str]) -> Items:
    """The parameters in force, and which transactions may be done (iso8583-pos section 5.1)."""
    words = {True: paper.text("yes"), False: paper.text("no")}
    values = {
        "downloaded": words[bool(downloaded)],
        "response_timeout": f"{settings.response_timeout_ms // 1000} s",
        "tips": f"{settings.tip_percent_max}%" if settings.tip_percent_max else words[False],
        "manual_entry": words[settings.manual_entry_allowed],
        "signs_out": words[settings.signs_out_after_settlement],
        "resends": str(settings.resends),
        "key_index": f"{settings.master_key_index:02}",
        "offline_kept": str(settings.offline_kept_max),
    }
    items = [item for key, value in values.items() for item in paper.field(f"parameter.{key}", value)]
    items += [PrintRule(), *paper.centred("parameter.types")]
    for name, plan in PLANS.items():
        group = "slip" if plan.has_slip else "screen"
        label = text(paper.language, f"{group}.kind.{name}")
        items += paper.pair(label, words[is_on(settings.switches, plan.switch)])
    return items
