"""What the floor changes: operators and their passwords, and who has logged on."""

from __future__ import annotations

from dataclasses import replace

from firmware.floor_answers import Answers
from firmware.journal import Draft
from firmware.menus import Entry
from firmware.operators import APPROVERS, SUPERVISOR, Operator, Rank
from firmware.work import Parts, Work


class FloorActions(Work):
    """The part of the floor's work that changes something."""

    def __init__(self, parts: Parts) -> None:
        super().__init__(parts)
        self.entry: Entry | None = None  # what was chosen
        self.answers = Answers()
        self.approved = Rank.CASHIER  # up to here somebody has approved since the floor was opened
        self.verified: Operator | None = None  # whose password was right just now
        self.notice = ""  # what is to be said: a key below `screen.notices`
        self._first_operator = parts.settings.operator  # who works when nobody has logged on

    @property
    def approval_missing(self) -> bool:
        """Whether the entry's authority has not typed a password yet."""
        return self.entry is not None and self.entry.rank > self.approved

    @property
    def asked_operator(self) -> Operator | None:
        """Whose password is asked for: the approver's, or that of the operator whose number was typed."""
        assert self.entry is not None
        number = APPROVERS[self.entry.rank] if self.approval_missing else self.answers.operator
        return self.parts.operators.find(number)

    def log_on_as(self, number: str) -> None:
        """From now on this operator's number goes into messages and on slips; "": nobody has logged on."""
        self.parts.duty.operator = number
        self.parts.put_in_force(replace(self.parts.settings, operator=self._first_operator))

    # --- records ------------------------------------------------------------------------------------

    def count_wrong_password(self, draft: Draft, _data: object) -> None:
        """Durable before anybody is told that it was wrong."""
        operator = self.asked_operator
        assert operator is not None
        draft.extra += self.parts.operators.wrong_try(operator, self.parts.board.clock.wall())

    def forgive_wrong_passwords(self, draft: Draft, _data: object) -> None:
        """It was right: those before it do not count any more."""
        assert self.verified is not None
        draft.extra += self.parts.operators.right_try(self.verified)

    def do_action(self, draft: Draft, _data: object) -> None:
        """What the entry makes durable."""
        assert self.entry is not None
        operators, answers = self.parts.operators, self.answers
        match self.entry.what:
            case "set_password":
                draft.extra += operators.with_password(answers.operator, answers.new_password)
            case "set_supervisor_password":
                draft.extra += operators.with_password(SUPERVISOR, answers.new_password)
            case "delete_operator":
                draft.extra += operators.without(answers.operator)

    # --- effects ------------------------------------------------------------------------------------

    def finish_action(self, _data: object) -> None:
        """What the entry changes until the power goes; then it is said that it is done."""
        assert self.entry is not None
        match self.entry.what:
            case "log_on":
                self.log_on_as(self.answers.operator)
            case "log_off" | "reset":
                self.log_on_as("")
        self.notice = f"done.{self.entry.what}"
