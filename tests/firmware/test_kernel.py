"""The kernel: order, timers, and the watchdog."""

import pytest

from firmware.kernel import SIGNALS_PER_RUN_MAX, Kernel, WatchdogExpired


def run(kernel: Kernel[str], now_ms: int) -> list[str]:
    handled: list[str] = []
    had_any = kernel.run(handled.append, now_ms=now_ms)
    assert had_any == bool(handled)
    return handled


def test_signals_are_handled_in_the_order_in_which_they_came() -> None:
    kernel = Kernel[str]()
    for name in ("first", "second", "third"):
        kernel.post(name)
    assert run(kernel, 0) == ["first", "second", "third"]
    assert run(kernel, 0) == []


def test_a_signal_posted_meanwhile_waits_for_those_before_it() -> None:
    kernel = Kernel[str]()
    handled: list[str] = []

    def handle(signal: str) -> None:
        handled.append(signal)
        if signal == "first":
            kernel.post("posted by first")
            assert handled == ["first"], "an event runs to completion"

    kernel.post("first")
    kernel.post("second")
    assert kernel.run(handle, now_ms=0)
    assert handled == ["first", "second", "posted by first"]


def test_a_timer_posts_its_signal_once_when_it_is_due() -> None:
    kernel = Kernel[str]()
    kernel.arm("state", 100, "timeout")
    assert kernel.deadline_ms() == 100
    assert run(kernel, 99) == []
    assert run(kernel, 100) == ["timeout"]
    assert kernel.deadline_ms() is None
    assert run(kernel, 1000) == []


def test_timers_that_are_late_come_in_the_order_of_their_deadlines() -> None:
    kernel = Kernel[str]()
    kernel.arm("a", 300, "third")
    kernel.arm("b", 100, "first")
    kernel.arm("c", 200, "second")
    kernel.arm("d", 900, "not yet")
    assert run(kernel, 500) == ["first", "second", "third"]
    assert kernel.deadline_ms() == 900


def test_a_queued_signal_comes_before_a_timer_that_is_due_now() -> None:
    kernel = Kernel[str]()
    kernel.arm("state", 100, "timeout")
    kernel.post("answer")
    assert run(kernel, 100) == ["answer", "timeout"]


def test_arming_again_replaces_and_disarming_forgets() -> None:
    kernel = Kernel[str]()
    kernel.arm("state", 100, "old")
    kernel.arm("state", 200, "new")
    assert run(kernel, 150) == []
    kernel.disarm("state")
    kernel.disarm("state")
    assert run(kernel, 300) == []


def test_a_timer_armed_by_a_handler_waits_for_the_next_run() -> None:
    kernel = Kernel[str]()
    kernel.post("go")
    handled: list[str] = []

    def handle(signal: str) -> None:
        handled.append(signal)
        kernel.arm("state", 0, "timeout")

    assert kernel.run(handle, now_ms=0)
    assert handled == ["go"]
    assert kernel.deadline_ms() == 0


def test_the_watchdog_stops_a_firmware_that_goes_in_circles() -> None:
    kernel = Kernel[str]()
    kernel.post("again")
    count = 0

    def handle(signal: str) -> None:
        nonlocal count
        count += 1
        kernel.post(signal)

    with pytest.raises(WatchdogExpired):
        kernel.run(handle, now_ms=0)
    assert count == SIGNALS_PER_RUN_MAX
