"""What the real processes write, to their output and to their folders: no PIN, card, track or key.

The whole day of `tests/sim/test_secrets.py` is in virtual time, where the gateway has nothing to say; here
gateway and bank are processes with notices.
"""

from __future__ import annotations

from bank.provision import load_provision
from tests.sim.secrets import Secrets
from tests.system.parts import QUICK, Site

WRONG_PIN = "90735182"  # unlike the demo's, no part of a terminal number: it can be searched for
SETTINGS = "\n".join(["[terminal]", *(f"{name} = {value}" for name, value in QUICK.items())])
SCRIPT = f"""
title = "A wrong PIN, then the right one"
{SETTINGS}
[[step]]
amount = "12.34"
[[step]]
swipe = "good"
[[step]]
pin = "{WRONG_PIN}"
[[step]]
pin = "123456"
[[step]]
finish = true
expect = {{ outcome = "approved", pending = 0 }}
"""


def test_no_process_tells_a_secret(site: Site) -> None:
    provision, secrets = load_provision(), Secrets()
    card = provision.cards[0]
    secrets.add_card(card)
    del secrets.forms[b"00000100"]  # the number's last eight digits: so do traces and amounts look
    secrets.add_pin(WRONG_PIN, [card.plastic.pan.reveal()])
    secrets.add_key("TMK", provision.merchants[0].terminals[0].tmk)
    script = site.folder / "script.toml"
    script.write_text(SCRIPT, "utf-8")
    site.start_bank()
    gateway = site.start_gateway()
    assert site.start_terminal("--script", script).exit_code() == 0
    gateway.terminate()
    script.unlink()
    outputs = {" ".join(part.arguments[:2]): part.text.encode() for part in site.parts}
    files = {path.name: path.read_bytes() for path in site.folder.rglob("*") if path.is_file()}
    assert {"terminal.db", "bank.db"} <= set(files)
    assert all(outputs.values()), "each has said something"
    found = {place: secrets.found(content) for place, content in (outputs | files).items()}
    assert {place: names for place, names in found.items() if names} == {}
