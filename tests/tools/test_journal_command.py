"""posterm journal: what it tells agrees with the slips, and it changes nothing."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tools.cli import main
from tools.runtime import start
from tools.state_folder import taken

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A terminal's folder after two approved payments, a declined one and one that was cancelled."""
    folder = tmp_path_factory.mktemp("till")
    with start(state_folder=folder) as shop:
        for amount in ("12.34", "100.00"):
            shop.enter_amount(amount)
            shop.swipe("good")
            shop.enter_pin("123456")
            shop.finish()
        shop.enter_amount("5.00")
        shop.swipe("poor")
        shop.finish()
        shop.enter_amount("20.00")
        shop.swipe("good")
        shop.wait_for("pin")
        shop.unplug_cable()
        shop.press("cancel")
        shop.finish()
        (folder / "slips.txt").write_text("\n".join(shop.slips), encoding="utf-8")
    return folder


@pytest.fixture
def run(state: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*words: str, folder: Path = state) -> tuple[int, str, str]:
        code = main(["journal", *words, "--state", str(folder)])
        told = capsys.readouterr()
        return code, told.out, told.err

    return run


def test_the_totals_are_those_of_the_slips(run: Run, state: Path) -> None:
    slips = (state / "slips.txt").read_text(encoding="utf-8")
    amounts = re.findall(r"VOUCHER NO\.\s+(\d{6})(?:.|\n)*?AMOUNT.*?([\d.]+)\s*$", slips, re.MULTILINE)
    by_voucher = {voucher: round(100 * float(amount)) for voucher, amount in amounts}
    _, out, _ = run("list", "--json")
    document = json.loads(out)
    debit = next(
        line for line in document["totals"] if (line["block"], line["line"]) == ("domestic", "debit")
    )
    assert (debit["count"], debit["amount_minor"]) == (len(by_voucher), sum(by_voucher.values()))
    assert by_voucher == {one["stan"]: one["amount_minor"] for one in document["payments"] if one["counts"]}
    assert sum(by_voucher.values()) == 11_234


def test_csv_and_json_say_the_same(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "journal.csv"
    assert run("export", "--format", "csv", "--out", str(out))[:2] == (0, "")
    rows = list(csv.DictReader(io.StringIO(out.read_text(encoding="utf-8"))))
    document = json.loads(run("export", "--format", "json")[1])
    assert [row["number"] for row in rows] == ["1", "2", "3", "4"]
    for row, record in zip(rows, document["payments"], strict=True):
        assert row == {name: "" if value is None else str(value) for name, value in record.items()}
    assert document["payments"][3]["waiting"] == "reversal due"
    assert [entry["kind"] for entry in document["outbox"]] == ["reversal"]
    totals = list(csv.DictReader(io.StringIO(run("export", "--format", "csv", "--what", "totals")[1])))
    assert totals == [{name: str(value) for name, value in line.items()} for line in document["totals"]]


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", ("SALE", "approved", "cancelled", "Batch 000001")),
        ("zh", ("消费", "成功", "已取消", "批次 000001")),
    ],
)
def test_it_reads_well_in_both_languages(run: Run, language: str, words: tuple[str, ...]) -> None:
    code, out, _ = run("list", "--language", language)
    assert code == 0
    for word in words:
        assert word in out
    assert "622588******0100" in out


@pytest.mark.parametrize(
    "command", [["list"], ["list", "--json"], ["show", "1"], ["export", "--format", "json"]]
)
def test_no_card_is_told_whole(run: Run, command: list[str]) -> None:
    _, out, _ = run(*command)
    assert not re.search(r"\d{13,19}", out.replace("898320154110001", ""))
    assert "3012" not in re.sub(r"rrn\S*\s+\S+|\"(completion_)?rrn\": \S+", "", out), "nor its expiry"


def test_one_payment_is_shown(run: Run) -> None:
    code, out, _ = run("show", "4")
    assert code == 0
    assert "20.00, cancelled" in out
    assert re.search(r"waiting +reversal due", out)
    code, out, err = run("show", "9")
    assert (code, out) == (1, "")
    assert "no payment 9: it has 1 to 4" in err


def test_a_batch_that_is_not_there_has_nothing(run: Run) -> None:
    document = json.loads(run("list", "--batch", "000009", "--json")[1])
    assert document == {"payments": [], "totals": []}


@contextmanager
def unchanged(folder: Path) -> Iterator[None]:
    def look() -> dict[str, Any]:
        return {
            path.name: (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns)
            for path in folder.iterdir()
        }

    before = look()
    yield
    assert look() == before


def test_nothing_in_the_folder_is_touched(run: Run, state: Path) -> None:
    with unchanged(state):
        for command in (["list"], ["show", "1"], ["export", "--format", "csv"]):
            assert run(*command)[0] == 0


def test_what_stands_in_the_log_beside_the_file_is_read(run: Run, state: Path, tmp_path: Path) -> None:
    """As the power left it: the newest commits are in the log only."""
    with start(state_folder=tmp_path / "running") as shop:
        shop.enter_amount("7.77")
        for name in ("terminal.db", "terminal.db-wal"):
            shutil.copyfile(tmp_path / "running" / name, state.parent / name)
        left = tmp_path / "left"
        left.mkdir()
        for name in ("terminal.db", "terminal.db-wal"):
            shutil.copyfile(tmp_path / "running" / name, left / name)
    with unchanged(left):
        (payment,) = json.loads(run("list", "--json", folder=left)[1])["payments"]
    assert (payment["amount_minor"], payment["outcome"]) == (777, None)


def test_an_earlier_version_is_read_as_it_will_be(run: Run) -> None:
    folder = Path(__file__).parents[1] / "data" / "state-v1"
    with unchanged(folder):
        document = json.loads(run("list", "--json", folder=folder)[1])
    assert [one["outcome"] for one in document["payments"]] == ["approved", "declined", "cancelled"]


def test_refusals_say_what_to_do(run: Run, state: Path, tmp_path: Path) -> None:
    code, _, err = run("list", folder=tmp_path / "nowhere")
    assert code == 2
    assert "there is no terminal's memory" in err
    with taken(state):
        code, _, err = run("list")
    assert code == 2
    assert "in use by another process" in err
    (tmp_path / "terminal.db").write_bytes(b"no database at all, and long enough to be one" * 40)
    code, _, err = run("list", folder=tmp_path)
    assert code == 2
    assert f"{tmp_path}/terminal.db" in err
    assert "not a database" in err
