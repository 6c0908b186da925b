from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.parts import Site
from tools.chaos.line import null_modem


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A bank, a gateway and a terminal's place to be, joined by a null modem; nothing runs yet."""
    with null_modem() as line:
        site = Site(tmp_path, line=line)
        try:
            yield site
        finally:
            site.close()
