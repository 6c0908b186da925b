"""What every mutant's tests import and no mutant changes, so that it is imported once for all of them.

Nothing of the firmware is here but its tables: whatever reads a table must do so after it was spoilt.
"""

from __future__ import annotations

import importlib
import pkgutil

ROOMS = ("wire", "hal.virtual", "hal.registry", "hal.profile", "bank", "host_link")
OTHERS = ("_pytest", "hypothesis.strategies", "transitions", "PIL.Image", "Crypto.Cipher.AES")
SHELLS = {"host_link.gateway", "host_link.ports"}  # real connections: no test in virtual time needs them


def warm_up() -> None:
    """Import all of it."""
    for name in OTHERS:
        importlib.import_module(name)
    for room in ROOMS:
        module = importlib.import_module(room)
        for found in pkgutil.iter_modules(getattr(module, "__path__", ()), f"{room}."):
            if found.name not in SHELLS:
                importlib.import_module(found.name)


warm_up()
