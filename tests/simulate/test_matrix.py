"""The crash matrix: every type of transaction, and of its cells one in so many; all of them: --matrix."""

from __future__ import annotations

import pytest

from firmware.records import Flow
from tools.simulate.matrix import FAULTS, TYPES, Cell, Matrix, broken_at, cells_of

ONE_IN = 11  # a number that no fault's points share, so that every fault has its turn


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "flow"), TYPES, ids=[f"{kind}-{flow.value}" for kind, flow in TYPES])
def test_every_promise_is_kept_at_every_point(kind: str, flow: Flow) -> None:
    cells = list(cells_of(kind, flow))
    assert {cell.point for cell in cells} >= {"rule", "commit"}
    for cell in cells[::ONE_IN]:
        assert broken_at(cell) == "", cell


def test_the_points_of_a_purchase_are_enumerated_with_every_fault() -> None:
    cells = list(cells_of("purchase", Flow.AUTHORISE_FIRST))
    assert {(cell.point, cell.fault) for cell in cells} == set(FAULTS)
    requests = {cell.number for cell in cells if cell.point == "request"}
    assert requests == {1, 2, 3}, "authorisation, PIN verification, completion"


def test_the_table_counts_its_cells_and_names_what_is_broken() -> None:
    cells = [Cell("refund", "pin-first", "rule", number, "power cut") for number in (1, 2)]
    table = Matrix(cells, [(cells[1], "holds: held for nobody")])
    assert not table.ok
    assert "| `refund` | pin-first | 2 | 2 |" in table.markdown()
    assert "held for nobody" in table.markdown()
    assert table.to_json()["broken"][0]["number"] == 2
