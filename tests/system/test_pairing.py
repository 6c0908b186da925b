"""Terminal and gateway with a pairing key, as real processes."""

from __future__ import annotations

from tests.system.parts import Site
from tests.system.test_payment import APPROVED, script


def test_paired_processes_pay_and_a_gateway_without_the_key_is_refused(site: Site) -> None:
    key = site.folder / "till.key"
    assert site.start("link", "pair", key).exit_code() == 0
    site.start_bank()
    options = ("--pairing-key-file", key)
    bank = f"127.0.0.1:{site.bank_port}"
    gateway = site.start("link", "serve", "--port", site.line[1], "--bank", bank)
    gateway.wait_for("serving")
    terminal = site.start_terminal("--script", script(site, APPROVED), *options)
    gateway.wait_for("the terminal is refused: one side has no pairing key")
    gateway.kill()
    paired = site.start("link", "serve", "--port", site.line[1], "--bank", bank, *options)
    paired.wait_for("the terminal is connected")
    assert terminal.exit_code() == 0, terminal.text
    assert site.postings() == [1234]
