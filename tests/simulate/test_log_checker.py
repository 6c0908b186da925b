"""The log of a world: what stands in it, and that nobody notices who listens."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import ANY

import pytest

from bank.connection import Connection
from bank.replies import Reply
from tools.simulate.checkers.log import Log
from tools.simulate.checkers.secrets import readings
from tools.simulate.options import Options
from tools.simulate.town import PIN
from tools.simulate.world import run

OPTIONS = Options(2, transactions=2, terminals=2, troubles=frozenset())
PROGRAM, LIBRARY = logging.getLogger("posterm.bank"), logging.getLogger("some.library")


@contextmanager
def no_handler() -> Iterator[None]:
    """Without pytest's handlers, as in the command: `logging` writes to stderr what nobody takes."""
    handlers, logging.root.handlers = logging.root.handlers, []
    try:
        yield
        assert logging.root.handlers == []
    finally:
        logging.root.handlers = handlers


def test_a_run_tells_which_secret_was_logged_and_puts_nothing_on_the_screen(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    receive = Connection.receive

    def received(self: Connection, data: bytes) -> Iterator[Reply]:
        PROGRAM.warning("PIN %s number %s", PIN, "6225880001000000")
        return receive(self, data)

    monkeypatch.setattr(Connection, "receive", received)
    with no_handler():
        report = run(OPTIONS)
    assert [str(finding) for finding in report.findings] == [
        "secret: a PIN is in the clear in: log",
        "secret: a card number is in the clear in: log",
    ]
    assert capsys.readouterr() == ("", "")


def test_what_is_logged_is_kept_as_a_log_file_has_it() -> None:
    log = Log()
    with log.listening():
        PROGRAM.debug("%s is %d", "nine", 9)
        LIBRARY.warning("late")
        try:
            1 / 0  # noqa: B018 - for its traceback
        except ZeroDivisionError:
            PROGRAM.exception("oh")
    LIBRARY.warning("not any more")
    assert log.take().splitlines() == [
        "DEBUG:posterm.bank:nine is 9",
        "WARNING:some.library:late",
        "ERROR:posterm.bank:oh",
        "Traceback (most recent call last):",
        ANY,
        ANY,
        ANY,  # ~~^~~
        "ZeroDivisionError: division by zero",
    ]
    assert log.take() == ""


def test_arguments_that_do_not_fit_are_kept_too_and_end_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    log = Log()
    with no_handler(), log.listening():
        PROGRAM.warning("%d times", PIN + "!")
    assert PIN in log.take()
    assert capsys.readouterr() == ("", "")


def test_afterwards_everything_is_as_it_was() -> None:
    program = logging.getLogger("posterm")
    before = (program.level, list(logging.root.handlers), PROGRAM.isEnabledFor(logging.DEBUG))
    with Log().listening():
        assert PROGRAM.isEnabledFor(logging.DEBUG)
    with pytest.raises(ZeroDivisionError), Log().listening():
        raise ZeroDivisionError
    assert (program.level, list(logging.root.handlers), PROGRAM.isEnabledFor(logging.DEBUG)) == before


def test_bytes_in_a_log_are_read_as_bytes() -> None:
    for data in (bytes(range(256)), b"\\x41 \\", b"\t09\n", b"'\""):
        assert data in readings(f"received {data!r}".encode())
    assert readings(b"nothing of that kind") == b"nothing of that kind"
