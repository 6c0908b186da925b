"""Many seeds: the same in worker processes as here, in order, ended when it is enough, in steady memory."""

from __future__ import annotations

import contextlib
import gc
import json
import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import weakref
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest

from tests.tools.test_cli import exit_code
from tools.diagram.choices import TERMINAL_MACHINES, table_of
from tools.diagram.hits import read_hits
from tools.simulate import workers
from tools.simulate.checkers.finding import Finding
from tools.simulate.many import Summary, Tally, simulated
from tools.simulate.options import Options
from tools.simulate.workers import WorkerFailed
from tools.simulate.world import Report, World

FEW = Options(transactions=3, terminals=1)


def of_seeds(*seeds: int) -> list[Options]:
    return [replace(FEW, seed=seed) for seed in seeds]


def no_workers_left() -> bool:
    return not multiprocessing.active_children()


# --- what a worker might be like, found by name in its process ----------------------------------------


Task = Callable[[Options], Summary]


def slow_first(connection: Connection, do: Task) -> None:
    """A worker whose seed 1 takes so long that every other one is ready before it."""
    run = World.run

    def late(world: World) -> Report:
        if world.options.seed == 1:
            run(World(replace(FEW, seed=9, transactions=30)))
        return run(world)

    World.run = late  # type: ignore[method-assign, assignment]
    workers.work(connection, do)


def dies(_connection: Connection, _do: Task) -> None:
    os._exit(3)


def fails(connection: Connection, do: Task) -> None:
    World.run = _divide_by_zero  # type: ignore[method-assign, assignment]
    workers.work(connection, do)


def _divide_by_zero(world: World) -> Report:
    raise ZeroDivisionError(world.options.command)


def finds(connection: Connection, do: Task) -> None:
    """A worker in whose seed 2 a promise is broken, which the very same run elsewhere keeps."""
    run = World.run

    def found(world: World) -> Report:
        report = run(world)
        report.findings += [Finding("test", "broken in a worker")] if world.options.seed == 2 else []
        return report

    World.run = found  # type: ignore[method-assign, assignment]
    workers.work(connection, do)


# --- the order and the end ----------------------------------------------------------------------------


@pytest.mark.slow
def test_workers_tell_what_one_process_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "work", slow_first)
    runs = of_seeds(1, 2, 3, 4, 5)
    here, there = list(simulated(runs, 1)), list(simulated(runs, 2))
    assert [run.options.seed for run in there] == [1, 2, 3, 4, 5]
    assert here == there
    assert no_workers_left()


@pytest.mark.slow
def test_whoever_has_enough_ends_the_workers() -> None:
    runs = (replace(FEW, seed=seed) for seed in count(1))
    with contextlib.closing(simulated(runs, 2)) as summaries:
        assert next(summaries).options.seed == 1
        assert not no_workers_left()
    assert no_workers_left()
    assert next(runs).seed < 2 + 2 * workers.TASKS_AHEAD_MAX, "they were not further ahead"


@pytest.mark.parametrize(
    ("work", "complaint"), [(dies, "a worker ended by itself"), (fails, "--seed [12] .*ZeroDivisionError")]
)
def test_a_worker_that_fails_is_told_of(
    work: object, complaint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "work", work)
    with pytest.raises(WorkerFailed, match=f"(?s){complaint}"):
        list(simulated(of_seeds(1, 2), 2))
    assert no_workers_left()


def test_nothing_of_the_world_of_a_good_run_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    worlds: list[weakref.ref[World]] = []
    begin = World.__init__

    def noted(world: World, *arguments: Any, **options: Any) -> None:
        worlds.append(weakref.ref(world))
        begin(world, *arguments, **options)

    monkeypatch.setattr(World, "__init__", noted)
    summaries = list(simulated(of_seeds(1, 2, 3), 1))
    gc.collect()
    assert [world() for world in worlds] == [None, None, None]
    assert all(len(pickle.dumps(summary)) < 16_384 for summary in summaries), "its trace is gone, too"


def test_the_sum_counts_everything() -> None:
    tally, summaries = Tally(), list(simulated(of_seeds(1, 2), 1))
    for summary in summaries:
        tally.add(summary)
    told = [summary.told for summary in summaries]
    assert tally.transactions == sum(one["transactions"] for one in told) == sum(tally.outcomes.values())
    assert tally.to_json()["troubles"]["noise"] == sum(one["troubles"]["noise"] for one in told)
    assert tally.hits == summaries[0].hits + summaries[1].hits


# --- the command --------------------------------------------------------------------------------------

SMALL = ("--transactions", "3", "--terminals", "1")


@pytest.mark.slow
def test_a_total_takes_as_many_seeds_as_it_needs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hits = tmp_path / "hits.json"
    assert exit_code("simulate", *SMALL, "--total", "7", "--jobs", "2", "--json", "--hits", str(hits)) == 0
    *runs, last = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    made = [run["transactions"] for run in runs]
    assert sum(made) >= 7 > sum(made[:-1])
    assert last["total"]["transactions"] == sum(made)
    assert (last["total"]["seeds"], sum(last["total"]["outcomes"].values())) == (len(made), sum(made))
    assert sum(json.loads(hits.read_text()).values()) > 10 * sum(made)


def test_the_sum_is_told_in_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hits = tmp_path / "hits.json"
    assert exit_code("simulate", *SMALL, "--runs", "2", "--hits", str(hits)) == 0
    *lines, total, rules = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == ["seed 1", "seed 2"]
    assert total.startswith("2 seeds, ")
    assert total.endswith("no promise broken")
    for name in TERMINAL_MACHINES:
        table = table_of(name)
        taken = sum(count > 0 for count in read_hits(hits, table).values())
        assert f"{name} {taken} of {len(table.rules)}" in rules


@pytest.mark.slow
def test_the_first_broken_seed_ends_everything(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Here it is broken in the workers only, so that the run is not the same again: that is told as well."""
    monkeypatch.setattr(workers, "work", finds)
    assert exit_code("simulate", *SMALL, "--runs", "50", "--jobs", "2") == 1
    out, err = capsys.readouterr()
    assert [line.split(":")[0] for line in out.splitlines()] == ["seed 1", "seed 2"]
    assert "but not again: posterm simulate --seed 2" in err
    assert no_workers_left()


def test_runs_and_total_exclude_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code("simulate", "--runs", "2", "--total", "9") == 2
    assert "not allowed with" in capsys.readouterr().err


HEEDFUL = """\
import runpy, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a suite in the background has it ignored
sys.argv[0] = "posterm"
runpy.run_module("tools.cli", run_name="__main__")
"""


@pytest.mark.slow
def test_control_c_ends_all_processes() -> None:
    arguments = ["simulate", *SMALL, "--total", "1000000", "--jobs", "2"]
    with subprocess.Popen(
        [sys.executable, "-c", HEEDFUL, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("seed 1:")
        os.killpg(process.pid, signal.SIGINT)  # as the keyboard does: to every process of the group
        _, errors = process.communicate(timeout=60)  # until nobody has the pipe open any more: no worker
    assert process.returncode == 130
    assert errors == ""


ABANDONED = """\
import os, signal
from tools.simulate.many import simulated
from tools.simulate.matrix import cells_of, matrix
from tools.simulate.options import Options
from tools.simulate.plays import plays_named

def abandon(_done=0):
    print("begun", flush=True)
    os.kill(os.getpid(), signal.{signal})

cells = [cell for play in plays_named("sign_in") for cell in cells_of(play)]
runs = (Options(seed, transactions=3, terminals=1) for seed in range(1, 1000))
{begin}
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("signal_name", "begin"),
    [("SIGKILL", "matrix(cells, jobs=2, tell=abandon)"), ("SIGTERM", "next(simulated(runs, 2)); abandon()")],
)
def test_workers_end_with_whoever_began_them(signal_name: str, begin: str) -> None:
    program = ABANDONED.format(signal=signal_name, begin=begin)
    with subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        text=True,
    ) as process:
        try:
            told, _ = process.communicate(timeout=30)  # until no worker has the pipe open any more
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == -signal.Signals[signal_name]
    assert told == "begun\n", "and no complaint of a worker"
