"""Terminal and gateway as real processes, on a half-duplex line and on one that may run faster."""

from __future__ import annotations

import pytest

from tests.system.parts import Site
from tests.system.test_payment import APPROVED, script


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--half-duplex",), "the terminal is connected"),
        (("--max-baud", "921600"), "the line runs at 921600 bits/s"),
    ],
)
def test_processes_with_the_same_option_pay(site: Site, options: tuple[str, ...], told: str) -> None:
    site.start_bank()
    bank = f"127.0.0.1:{site.bank_port}"
    gateway = site.start("link", "serve", "--port", site.line[1], "--bank", bank, *options)
    gateway.wait_for("serving")
    terminal = site.start_terminal("--script", script(site, APPROVED), *options)
    gateway.wait_for(told)
    assert terminal.exit_code() == 0, terminal.text
    assert site.postings() == [1234]
