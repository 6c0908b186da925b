"""A gateway that is watched: its numbers while it runs, its recording afterwards, and its end."""

from __future__ import annotations

import json
import stat
import threading
from pathlib import Path
from typing import Any

from host_link.control_socket import ask_stats
from tests.system.parts import PATIENCE_MS, Part, Site, till
from tools.chaos.line import null_modem
from tools.station import Station


def pay(station: Station, amount: str) -> None:
    station.enter_amount(amount)
    station.swipe("good")
    station.enter_pin("123456")
    payment = station.finish()
    assert payment is not None
    assert station.run_until(lambda: station.payment is not None and station.payment.completed, PATIENCE_MS)


def watched(site: Site, *options: str | Path) -> Part:
    bank = f"127.0.0.1:{site.bank_port}"
    part = site.start("link", "serve", "--port", site.line[1], "--bank", bank, "--verbose", *options)
    part.wait_for("serving")
    return part


def asked_while_running(station: Station, control: Path) -> dict[str, Any]:
    """The gateway's numbers and the terminal's, which answers only while its loop runs."""
    answers: list[dict[str, Any]] = []
    thread = threading.Thread(target=lambda: answers.append(ask_stats(control, peers=True)))
    thread.start()
    assert station.run_until(lambda: bool(answers), PATIENCE_MS)
    thread.join()
    return answers[0]


def test_numbers_and_recording_of_a_payment(site: Site) -> None:
    control, recording = site.folder / "link.sock", site.folder / "line.ptlr"
    site.start_bank()
    gateway = watched(site, "--control", control, "--record", recording)
    assert "the file holds card data" in gateway.text
    with till(site) as station:
        pay(station, "12.34")
        (link,) = asked_while_running(station, control)["gateways"][0]["links"]
        shown = site.start("link", "stats", "--control", control)
        assert shown.exit_code() == 0, shown.text
    assert link["up"] is True
    assert link["counters"]["messages_received"] >= 4
    assert link["peer"]["messages_delivered"] >= 4
    assert "retransmissions" in shown.text
    assert gateway.terminate() == 0
    assert "messages_received" in gateway.lines[-1]
    assert not control.exists()
    assert site.postings() == [1234]
    assert stat.S_IMODE(recording.stat().st_mode) == 0o600

    decoded = site.start("link", "decode", recording, "--json")
    assert decoded.exit_code() == 0
    frames = [json.loads(line) for line in decoded.lines]
    names = [message["name"] for frame in frames for message in frame["messages"]]
    for name in ("sign_in", "authorisation", "pin_verification", "completion"):
        assert names.count(name) == 2
    assert all(frame["kind"] != "damaged" for frame in frames)
    assert "6225880000000100" not in decoded.text


def test_two_terminals_share_a_connection_to_the_bank(site: Site) -> None:
    """To the bank both are the same terminal, so the second only signs in: the routing is what counts."""
    control = site.folder / "link.sock"
    site.start_bank()
    with null_modem() as second:
        first = site.line
        watched(site, "--port", second[1], "--multiplex", "tpdu", "--control", control)
        with till(Site(site.folder / "one", line=first)) as station:
            pay(station, "1.00")
        with till(Site(site.folder / "two", line=second)) as station:
            station.press("f3")
            assert station.finish() is None
            assert station.terminal is not None
            assert station.terminal.parts.secure.has_working_keys
        (gateway,) = ask_stats(control)["gateways"]
    assert [link["port"] for link in gateway["links"]] == [first[1], second[1]]
    assert gateway["bank"]["counters"]["connections"] == 1
    assert gateway["bank"]["counters"]["answers_unroutable"] == 0
    assert all(link["counters"]["messages_delivered"] >= 1 for link in gateway["links"])


def test_a_port_that_another_gateway_holds_is_named_with_it(site: Site) -> None:
    site.bank_port = 1  # nobody asks for it
    holder = watched(site)
    second = site.start("link", "serve", "--port", site.line[1], "--bank", "127.0.0.1:1")
    assert second.exit_code() == 2
    # This process holds the line open, too; who has the higher number comes last.
    assert f"(process {holder._process.pid})" in second.text
    assert "): end that one, or choose another port" in second.text
