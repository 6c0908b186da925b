"""Who looks at a simulation all the time: every checker, each at its moment.

What is cheap is looked at when it happens: a message, a rule taken, bytes on a line. The rest costs a look
through a whole memory, and is done every so many moments, of what is new since the last time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from bank.provision import TerminalSpec
from tools.simulate.checkers import journal, states
from tools.simulate.checkers.books import Books
from tools.simulate.checkers.consent import Consent
from tools.simulate.checkers.finding import Finding
from tools.simulate.checkers.in_the_end import in_the_end
from tools.simulate.checkers.log import Log
from tools.simulate.checkers.messages import Messages
from tools.simulate.checkers.secrets import Secrets, SharedSecrets, readings, stored_by
from tools.simulate.till import Till
from tools.simulate.trace import KEPT_MAX, Trace
from tools.virtual_bank import BankMachine

LOOK_EVERY = 500  # moments
LOOK_AT_STATE_EVERY = 16  # turns of a till


class Watch:
    """Looks at the tills and the bank of a world. Made before anything has happened there.

    `log` is looked at while it listens, which is for whoever lets the world run.
    """

    def __init__(
        self, tills: Sequence[Till], specs: Sequence[TerminalSpec], machine: BankMachine, trace: Trace
    ) -> None:
        self._machine = machine
        self._trace = trace
        self._trace_lines = 0
        self._moments = 0
        self.log = Log()
        self._books = Books()
        self._tills = [
            TillWatch(till, spec, self._books, machine) for till, spec in zip(tills, specs, strict=True)
        ]
        self._shared = SharedSecrets([watch.secrets for watch in self._tills])

    def moment(self, turned: Iterable[Till]) -> list[Finding]:
        """What a moment has brought at the tills that were turned in it."""
        findings: list[Finding] = []
        for till in turned:
            findings += self._tills[till.number].turned()
        self._moments += 1
        if self.log.lines:
            findings += self._read_log()
        if self._trace.lines - self._trace_lines > KEPT_MAX // 2:
            findings += self._read_trace()
        if self._moments % LOOK_EVERY == 0:
            findings += self._books.audit(self._machine.bank)
            findings += [finding for watch in self._tills for finding in watch.look()]
        return findings

    def at_the_end(self) -> Iterator[Finding]:
        """Everything that must hold once the troubles are over and everything was sent and settled."""
        yield from self._read_trace()
        yield from self._read_log()
        yield from self._shared.inside("the bank's database", stored_by(self._machine.bank))
        yield from self._books.audit(self._machine.bank)
        yield from self._books.of_payments(self._machine.bank)
        for watch in self._tills:
            yield from watch.turned()
            yield from watch.at_the_end()
        tills = [watch.till for watch in self._tills]
        yield from journal.cardholders(tills, self._machine.bank)
        yield from journal.merchants(tills, self._machine.bank)
        yield from journal.holds(tills, self._machine.bank)

    def _read_log(self) -> Iterator[Finding]:
        yield from self._shared.inside("log", readings(self.log.take().encode("utf-8", "backslashreplace")))

    def _read_trace(self) -> Iterator[Finding]:
        new = min(self._trace.lines - self._trace_lines, KEPT_MAX)
        self._trace_lines = self._trace.lines
        if new:
            yield from self._shared.inside("trace", "\n".join(list(self._trace.newest)[-new:]).encode())


class TillWatch:
    """Everything that is looked at in one till and between it and the bank."""

    def __init__(self, till: Till, spec: TerminalSpec, books: Books, machine: BankMachine) -> None:
        self.till = till
        self._books = books
        self._machine = machine
        self._consent = Consent(till)
        self._messages = Messages(till)
        self.secrets = Secrets(till, spec)
        self._found: list[Finding] = []
        self._turns = self._transitions = 0
        till.taps.append(self._on_serial)
        till.message_taps.append(self._on_message)

    def _on_serial(self, _at_ms: int, side: str, data: bytes) -> None:
        self._found += self.secrets.on_serial(side, data)

    def _on_message(self, _at_ms: int, side: str, message: bytes) -> None:
        iso, findings = self._messages.hear(message)
        self._found += findings
        self._found += self.secrets.on_message(message, iso)
        if side == "bank":  # it has done what it says
            self._found += self._books.look(self._machine.bank)

    def turned(self) -> list[Finding]:
        """What was found since the last time, and what the till is like now, if a rule was taken.

        Where none was, a state's timer can only have run out or been armed anew: looked at now and then.
        """
        self._turns += 1
        if self.till.transitions == self._transitions and self._turns % LOOK_AT_STATE_EVERY:
            if not self._found:
                return []
        else:
            self._transitions = self.till.transitions
            self._found += states.waiting(self.till)
        found, self._found = self._found, []
        return found

    def look(self) -> Iterator[Finding]:
        """A look through its memory."""
        content = self.till.storage.snapshot()
        yield from states.memory(self.till, content)
        yield from states.backlogs(self.till, self.till.drive.session)
        yield from self.secrets.look(content)

    def at_the_end(self) -> Iterator[Finding]:
        """The till, its paper and its books, when all is over."""
        yield from self.look()
        paper = self.till.slips
        yield from in_the_end(self.till, self._machine.bank, paper, self._messages.refused)
        yield from self._messages.kept()
        yield from self._consent.given()
        yield from self.secrets.at_the_end(self.till.storage.snapshot(), paper)
