"""Many tasks, here or in worker processes: told in the order of the tasks, in memory that does not grow.

A worker is sent one task after the other on a pipe of its own. The pipe is all that it lives by: whoever
began it may end in any way, by SIGKILL too, and a worker that finds its pipe closed ends as well.
"""

from __future__ import annotations

import contextlib
import signal
import traceback
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from typing import Any, Generic, TypeVar

TASKS_AHEAD_MAX = 8
"""How many tasks of each worker may wait to be told, when an earlier one takes long."""

_processes = get_context("spawn")  # a fork would inherit the other workers' pipes, and keep them open

T = TypeVar("T")
A = TypeVar("A")


class WorkerFailed(Exception):
    """A task ended with an error that is no answer, or its worker did. The text is the worker's."""


@dataclass(frozen=True, slots=True)
class _Answer(Generic[A]):
    """What a task gave; without one a worker sends the text of its error."""

    value: A


def answers(do: Callable[[T], A], tasks: Iterable[T], jobs: int) -> Generator[A, None, None]:
    """What `do` gives for each task, in their order, by so many processes; close the iterator to end them.

    With one job the tasks are done in this process. `do`, tasks and answers must be what a pickle can hold;
    the text of a task (`str`) names it. Raises WorkerFailed; with one job whatever `do` raises.
    """
    if jobs == 1:
        yield from map(do, tasks)
        return
    started = [_started(do) for _ in range(jobs)]
    try:
        yield from _in_order(iter(tasks), [connection for connection, _ in started])
    finally:
        for connection, process in started:
            connection.close()
            process.terminate()
        for _, process in started:
            process.join()


def _started(do: Callable[[Any], Any]) -> tuple[Connection, Any]:
    ours, theirs = _processes.Pipe()
    process = _processes.Process(target=work, args=(theirs, do), daemon=True)
    process.start()
    theirs.close()
    return ours, process


def _in_order(tasks: Iterator[Any], idle: list[Connection]) -> Iterator[Any]:
    """Keep every worker busy, and give what they answer in the order of the tasks."""
    ahead_max = TASKS_AHEAD_MAX * len(idle)
    busy: dict[Connection, int] = {}
    done: dict[int, Any] = {}
    sent = told = 0
    while True:
        while idle and sent - told < ahead_max and (task := next(tasks, None)) is not None:
            idle[-1].send(task)
            busy[idle.pop()] = sent
            sent += 1
        if told == sent:
            return
        for connection in wait(list(busy)):
            assert isinstance(connection, Connection)
            done[busy.pop(connection)] = _value_of(connection)
            idle.append(connection)
        while told in done:
            yield done.pop(told)
            told += 1


def _value_of(connection: Connection) -> Any:
    try:
        answer = connection.recv()
    except (EOFError, OSError):
        raise WorkerFailed("a worker ended by itself: perhaps the memory is full; try fewer --jobs") from None
    if not isinstance(answer, _Answer):
        raise WorkerFailed(str(answer))
    return answer.value


def work(connection: Connection, do: Callable[[T], object]) -> None:
    """A worker's life. Ctrl-C is for the process that has started it, which ends it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with contextlib.suppress(EOFError, OSError):  # nobody asks any more
        while True:
            connection.send(_answer(do, connection.recv()))


def _answer(do: Callable[[T], A], task: T) -> _Answer[A] | str:
    try:
        return _Answer(do(task))
    except Exception:  # noqa: BLE001 - whatever it is, the other side raises it
        return f"{task}\n{traceback.format_exc()}"
