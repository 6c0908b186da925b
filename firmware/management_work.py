"""Messages that move no money: sign-out, echo, status, parameters. Part of the terminal table's work.

What the bank asks for in the header of an answer (iso8583-pos section 1.1) is a job: it is remembered across
a power cut, done when the terminal is idle, in the order of that section, and dropped when it is done.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from firmware import parameters
from firmware.boot import DeviceReport
from firmware.exchange import Answer
from firmware.journal import Draft
from firmware.keys_work import KeyLoadingGuards, KeyLoadingWork
from firmware.parameters import ParametersRefused
from firmware.settings import TerminalSettings
from firmware.work import Parts
from hal.api import Put, Storage

SIGN_IN_JOB = "3"
_STORED = ("terminal", "parameters")


@dataclass(frozen=True, slots=True)
class Management:
    """One management message: MTI and 60.3, and the header digit that asks for it ("" for none)."""

    mti: str
    code: str
    job: str = ""


MESSAGES: Mapping[str, Management] = {
    "parameters": Management("0800", "360", "1"),
    "parameters_end": Management("0800", "361"),
    "status": Management("0820", "362", "2"),
    "sign_out": Management("0820", "002"),
    "echo": Management("0820", "301"),
}
"""By name, the jobs in the order in which they are done. Source: section 5.0."""


class ManagementWork(KeyLoadingWork):
    """The part of the terminal's work that talks with the bank about the terminal itself."""

    def __init__(self, parts: Parts) -> None:
        super().__init__(parts)
        self.managing = "echo"  # the message that is with the bank, or was last
        self.management_error = ""
        self._own_settings = parts.settings
        stored = stored_parameters(parts.board.storage)
        self.apply_parameters(stored)

    def device_reports(self) -> list[DeviceReport]:
        """How the devices are, by their newest self-test."""
        raise NotImplementedError

    # --- records ------------------------------------------------------------------------------------

    def note_management(self, draft: Draft, data: object) -> None:
        """The bank has answered: what was asked for is done."""
        assert isinstance(data, Answer)
        job = MESSAGES[self.managing].job
        if job:
            draft.counters = draft.counters.changed(jobs=draft.counters.jobs.replace(job, ""))
        if self.managing == "sign_out":
            draft.counters = draft.counters.changed(signed_in=False, signed_out=True)

    def note_parameters(self, draft: Draft, data: object) -> None:
        """Parameters that came: durable, and in force from now on. Another master key needs a new sign-in."""
        told = self._told(data)
        assert told is not None
        values = stored_parameters(self.parts.board.storage) | told  # what is not sent again stays
        draft.extra.append(Put(*_STORED, json.dumps(values).encode()))
        after = parameters.applied(self._own_settings, values)
        if after.master_key_index != self.parts.settings.master_key_index:
            draft.counters = draft.counters.changed(signed_in=False)

    # --- effects ------------------------------------------------------------------------------------

    def send_management(self, data: object) -> None:
        """The message that was chosen by its name."""
        assert isinstance(data, str)
        self._send_management(data)

    def send_job(self, _data: object) -> None:
        """The next thing that the bank has asked for."""
        jobs = self.parts.journal.counters.jobs
        self._send_management(next(name for name, one in MESSAGES.items() if one.job and one.job in jobs))

    def send_download_end(self, _data: object) -> None:
        """Use what came, and say that it did."""
        self.apply_parameters(stored_parameters(self.parts.board.storage))
        self._send_management("parameters_end")

    def discard_keys(self, _data: object) -> None:
        """Signed out: the working keys are gone."""
        if self.managing == "sign_out":
            self.parts.secure.discard_working_keys()

    # --- their parts --------------------------------------------------------------------------------

    def apply_parameters(self, values: Mapping[str, str]) -> None:
        """Put parameters in force over the terminal's own settings."""
        self.parts.put_in_force(parameters.applied(self._own_settings, values))
        self.parts.secure.select_master_key(self.parts.settings.master_key_index)

    def remember_job(self, digit: str) -> None:
        """The bank wants something, which outlives a power cut. Raises StorageFailed."""
        jobs = self.parts.journal.counters.jobs
        if digit not in {SIGN_IN_JOB, *(one.job for one in MESSAGES.values() if one.job)} or digit in jobs:
            return
        draft = self.parts.journal.draft()
        draft.counters = draft.counters.changed(jobs=jobs + digit)
        self.parts.journal.commit(draft)

    def _send_management(self, name: str) -> None:
        self.managing, self.management_error = name, ""
        message, settings, counters = MESSAGES[name], self.parts.settings, self.parts.journal.counters
        fields = management_fields(settings, counters.batch, message)
        if name == "status":
            fields[62] = parameters.status(settings, self.device_reports(), self._line_told())
        if name == "sign_out":
            draft = self.parts.journal.draft()
            fields[11] = draft.next_stan()
            draft.counters = draft.counters.changed(signed_in=False)  # from here on the bank may say so
            self.parts.journal.commit(draft)
        self.send(message.mti, fields)

    def _line_told(self) -> str:
        counters = self.parts.session.counters
        return f"{counters.frames_sent % 10_000:04d}{counters.ranges_resent % 10_000:04d}"

    def _told(self, data: object) -> dict[str, str] | None:
        """The parameters in an answer; None when there are none that can be read."""
        message = data.message if isinstance(data, Answer) else None
        field_62 = message.fields.get(62) if message is not None else None
        if not isinstance(field_62, bytes):
            return None
        try:
            return parameters.parse(field_62)
        except ParametersRefused as error:
            self.management_error = f"{error.code} {error}"
            return None


class ManagementGuards(KeyLoadingGuards):
    """The terminal table's questions about management messages."""

    def __init__(self, work: ManagementWork) -> None:
        super().__init__(work)
        self._management = work

    def parameters_came(self) -> bool:
        """It was a download, and it can be read."""
        work = self._management
        return work.managing == "parameters" and work._told(self.data) is not None  # noqa: SLF001

    def parameters_unreadable(self) -> bool:
        """It was a download, and it cannot be read: nothing of it is used."""
        return self._management.managing == "parameters"

    def job_pending(self) -> bool:
        """The bank has asked for something that was not done yet, a sign-in apart."""
        jobs = self._management.parts.journal.counters.jobs
        return any(job != SIGN_IN_JOB for job in jobs)


def management_fields(settings: TerminalSettings, batch: str, message: Management) -> dict[int, str | bytes]:
    """What every management message has: who asks, and for what (section 5.0)."""
    is_download = message is MESSAGES["parameters"]
    code = settings.acquirer.parameter_code if is_download else message.code
    return {41: settings.terminal_id, 42: settings.merchant_id, 60: f"00{batch}{code}"}


def stored_parameters(storage: Storage) -> dict[str, str]:
    """What was downloaded last; empty when nothing was, or what is stored is damaged."""
    stored = storage.get(*_STORED)
    try:
        values = json.loads(stored) if stored is not None else {}
    except ValueError:
        return {}
    return {str(key): str(value) for key, value in values.items()} if isinstance(values, dict) else {}


def settings_in_force(storage: Storage, settings: TerminalSettings) -> TerminalSettings:
    """A terminal's own settings with what was downloaded."""
    return parameters.applied(settings, stored_parameters(storage))
