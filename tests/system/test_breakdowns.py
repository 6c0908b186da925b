"""A part is killed in the middle of a payment and started again: bank, journal and paper agree in the end."""

from __future__ import annotations

from firmware.records import Outcome, Payment, Reason
from host_link.ports import NullModem
from tests.system.parts import PATIENCE_MS, Part, Site, till
from tools.station import Station

PIN = "123456"
NEVER_MS = 80_000_000
"""A timeout that no test waits for: what happens, happens for another reason."""


def finish(station: Station) -> Payment:
    """Wait until the terminal is idle: soon, for every timeout that matters here is short."""
    assert station.run_until(lambda: station.state == "idle", PATIENCE_MS), station.state
    assert station.payment is not None
    return station.payment


def connected(station: Station, gateway: Part) -> None:
    """Let the terminal run until it and this gateway have found each other."""

    def both_know() -> bool:
        assert station.terminal is not None
        return "the terminal is connected" in gateway.text and station.terminal.link_is_up

    assert station.run_until(both_know, PATIENCE_MS)


def authorise(station: Station, amount: str = "12.34") -> None:
    station.enter_amount(amount)
    station.swipe("good")
    station.wait_for("pin", limit_ms=PATIENCE_MS)


# --- the gateway -------------------------------------------------------------------------------------


def test_gateway_killed_while_the_pin_is_asked_for(site: Site) -> None:
    """Nothing is on its way then: the payment goes on over the new gateway."""
    site.start_bank()
    gateway = site.start_gateway()
    with till(site) as station:
        authorise(station)
        gateway.kill()
        connected(station, site.start_gateway())
        station.enter_pin(PIN)
        payment = finish(station)
    assert (payment.outcome, payment.completed) == (Outcome.APPROVED, True)
    assert (site.postings(), site.holds()) == ([1234], 0)


def test_gateway_killed_while_the_bank_decides(site: Site) -> None:
    """The answer dies with it. Nobody at the till knows of the hold; the reversal releases it."""
    site.start_bank("--fault", "delay:mti=0100,count=1,delay_ms=10000")
    gateway = site.start_gateway()
    with till(site, response_timeout_ms=1_500) as station:
        station.enter_amount("12.34")
        station.swipe("good")
        assert station.run_until(lambda: site.holds() == 1, PATIENCE_MS)
        gateway.kill()
        connected(station, site.start_gateway())
        payment = finish(station)
        assert station.slips == []
    assert payment.outcome in {Outcome.FAILED, Outcome.TIMED_OUT}
    assert payment.reversed
    assert (site.postings(), site.holds()) == ([], 0)


def test_gateway_killed_while_the_completion_is_answered(site: Site) -> None:
    """The money has moved; the completion is repeated over the new gateway, and posted once."""
    site.start_bank("--fault", "silent-after-posting:mti=0220,count=1")
    gateway = site.start_gateway()
    with till(site, response_timeout_ms=1_500) as station:
        authorise(station)
        station.enter_pin(PIN)
        assert station.run_until(lambda: site.postings() == [1234], PATIENCE_MS)
        gateway.kill()
        connected(station, site.start_gateway())
        assert finish(station).outcome is Outcome.APPROVED
        assert station.run_until(lambda: finish(station).completed, PATIENCE_MS)
    assert (site.postings(), site.holds()) == ([1234], 0)


def test_a_line_that_vanishes_is_waited_for(site: Site) -> None:
    """As an adapter that is pulled out and put back: the device disappears, and comes back by its name."""
    name = site.folder / "ttyUSB0"
    first, second = NullModem(), NullModem()
    name.symlink_to(first.path_a)
    gateway = site.start("link", "serve", "--port", name, "--bank", "127.0.0.1:1", "--verbose")
    gateway.wait_for(f"serving {name}")
    first.close()
    gateway.wait_for(f"{name} is gone: waiting for it to come back")
    name.unlink()
    name.symlink_to(second.path_a)
    gateway.wait_for(r"is gone[\s\S]*serving")
    assert gateway.interrupt() == 0
    assert "ended: bytes_sent " in gateway.lines[-1]
    second.close()


# --- the bank ----------------------------------------------------------------------------------------


def test_bank_killed_between_authorisation_and_completion(site: Site) -> None:
    """Its database comes back from the write-ahead log; the completion is due until it can be told."""
    bank = site.start_bank()
    site.start_gateway()
    with till(site) as station:
        authorise(station)
        station.enter_pin(PIN)
        station.wait_for("printing")
        bank.kill()
        payment = finish(station)
        assert (payment.outcome, payment.completed) == (Outcome.APPROVED, False)
        assert (site.postings(), site.holds()) == ([], 1)
        site.start_bank()
        assert station.run_until(lambda: finish(station).completed, PATIENCE_MS)
        assert [slip for slip in station.slips if "12.34" in slip]
    assert (site.postings(), site.holds()) == ([1234], 0)


def test_bank_killed_after_posting_before_answering(site: Site) -> None:
    """It knows the completion already when that comes again: one posting."""
    bank = site.start_bank("--fault", "silent-after-posting:mti=0220,count=1")
    site.start_gateway()
    with till(site, response_timeout_ms=NEVER_MS) as station:
        authorise(station)
        station.enter_pin(PIN)
        assert station.run_until(lambda: site.postings() == [1234], PATIENCE_MS)
        bank.kill()
        assert finish(station).outcome is Outcome.APPROVED  # the gateway says LOST, no timeout is needed
        site.start_bank()
        assert station.run_until(lambda: finish(station).completed, PATIENCE_MS)
    assert (site.postings(), site.holds()) == ([1234], 0)


def test_bank_down_is_told_at_once(site: Site) -> None:
    """The gateway's word ends the payment, not a timeout; once the bank is back, the next one works."""
    bank = site.start_bank()
    site.start_gateway()
    with till(site, response_timeout_ms=NEVER_MS, connect_timeout_ms=NEVER_MS) as station:
        assert bank.terminate() == 0
        station.enter_amount("12.34")
        station.swipe("good")
        payment = finish(station)
        assert (payment.outcome, payment.reason) == (Outcome.FAILED, Reason.HOST_UNREACHABLE)
        assert (site.postings(), site.holds()) == ([], 0)
        site.start_bank()
        authorise(station, "5.00")
        station.enter_pin(PIN)
        assert finish(station).outcome is Outcome.APPROVED
    assert (site.postings(), site.holds()) == ([500], 0)
