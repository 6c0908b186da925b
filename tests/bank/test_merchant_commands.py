"""`posterm bank merchant` and `posterm bank settlement`, called as the program calls them."""

from __future__ import annotations

import io
import json
import stat
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from bank.authoriser import Bank
from bank.entropy import SeededEntropy
from bank.provision import DEMO_MASTER_KEY, DEMO_MID, DEMO_TID, demo_bank
from bank.server import wall_clock
from tests.bank.clerk import Clerk
from tests.bank.till import NOW
from tools.bank_merchants import STEPS
from tools.cli import main
from wire.iso8583.private import Totals

MID = "898320159420001"


def run(*arguments: str) -> int:
    return main(["bank", *arguments])


@pytest.fixture
def db(tmp_path: Path) -> str:
    path = str(tmp_path / "bank.db")
    demo_bank(path, now=NOW).close()
    for kind in ("identity", "licence", "contract"):
        (tmp_path / f"{kind}.pdf").write_bytes(kind.encode())
    return path


def shown(capsys: pytest.CaptureFixture[str], *arguments: str, status: int = 0) -> Any:
    assert run(*arguments, "--json") == status
    return json.loads(capsys.readouterr().out)


def apply_for(db: str, tmp_path: Path) -> None:
    papers = [f"--document={kind}=A-1={tmp_path / kind}.pdf" for kind in ("identity", "licence")]
    arguments = ["--name", "CORNER BOOKSHOP", "--name-local", "街角书店", "--account", "6222000011112222"]
    assert (
        run("merchant", "apply", *arguments, "--area", "3201", "--category", "5942", *papers, "--db", db) == 0
    )


def approve(db: str, tmp_path: Path) -> int:
    contract = f"--document=contract=2026-17={tmp_path}/contract.pdf"
    return run("merchant", "approve", MID, contract, "--components", f"{tmp_path}/keys", "--db", db)


def test_a_merchant_from_application_to_end(
    db: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    apply_for(db, tmp_path)
    assert capsys.readouterr().out == f"merchant {MID} CORNER BOOKSHOP: applied\n"
    assert approve(db, tmp_path) == 1
    assert capsys.readouterr().err == f"posterm: merchant {MID} is applied: it has not been reviewed\n"
    assert not (tmp_path / "keys").exists()
    assert run("merchant", "review", MID, "--by", "anna", "--db", db) == 0
    assert approve(db, tmp_path) == 0
    told = capsys.readouterr().out
    assert f"merchant {MID} CORNER BOOKSHOP: active\nterminal 10000001, key check value " in told
    assert run("merchant", "suspend", MID, "--db", db) == 1
    assert run("merchant", "suspend", MID, "--reason", "licence expired", "--db", db) == 0
    assert run("merchant", "resume", MID, "--db", db) == 0
    assert run("merchant", "close", MID, "--db", db) == 0
    capsys.readouterr()
    merchant = shown(capsys, "merchant", "show", MID, "--db", db)
    assert (merchant["status"], merchant["terminals"]) == ("closed", ["10000001"])
    assert [one["event"] for one in merchant["history"]] == [
        *("apply", "review", "approve", "suspend", "resume", "close")
    ]
    assert (merchant["history"][1]["by"], merchant["history"][3]["reason"]) == ("anna", "licence expired")
    assert (merchant["payout_account"], merchant["name_local"]) == ("****2222", "街角书店")
    assert len(merchant["documents"]) == 3
    assert run("merchant", "show", MID, "--db", db) == 0
    assert "6222000011112222" not in capsys.readouterr().out


def test_one_that_was_rejected_applies_again(
    db: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    apply_for(db, tmp_path)
    run("merchant", "review", MID, "--db", db)
    assert run("merchant", "reject", MID, "--reason", "no contract", "--db", db) == 0
    contract = f"--document=contract=2026-17={tmp_path}/contract.pdf"
    assert run("merchant", "apply", "--again", MID, contract, "--db", db) == 0
    capsys.readouterr()
    assert shown(capsys, "merchant", "list", "--db", db)[1]["status"] == "applied"


def test_each_custodian_gets_a_component_that_the_terminal_loads(
    db: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    apply_for(db, tmp_path)
    run("merchant", "review", MID, "--db", db)
    assert approve(db, tmp_path) == 0
    value = capsys.readouterr().out.split("key check value ")[1].split("\n")[0]
    files = sorted((tmp_path / "keys").iterdir())
    assert [path.name for path in files] == ["10000001-component-1.txt", "10000001-component-2.txt"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    monkeypatch.setattr("sys.stdin", io.StringIO("".join(path.read_text() for path in files)))
    assert main(["keys", "load-components", "--state", str(tmp_path / "till")]) == 0
    assert value in capsys.readouterr().out


def test_components_that_cannot_be_written_approve_nobody(
    db: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    apply_for(db, tmp_path)
    run("merchant", "review", MID, "--db", db)
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "10000001-component-1.txt").write_text("of somebody else\n")
    assert approve(db, tmp_path) == 2
    assert "cannot write" in capsys.readouterr().err
    assert shown(capsys, "merchant", "show", MID, "--db", db)["status"] == "in_review"
    assert shown(capsys, "merchant", "show", MID, "--db", db)["terminals"] == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("apply", "--name", "X", "--area", "32", "--category", "5942"), "area code must be four digits"),
        (
            ("apply", "--name", "X", "--area", "3201", "--category", "5942", "--document", "licence"),
            "is not KIND=",
        ),
        (
            ("apply", "--name", "X", "--area", "3201", "--category", "5942", "--document", "a=b=/nowhere"),
            "cannot read",
        ),
        (
            ("apply", "--name", "X", "--area", "3201", "--category", "5942", "--rate", "free"),
            "known are standard",
        ),
        (("review", "1"), "there is no merchant 1"),
        (("show", "1"), "there is no merchant 1"),
    ],
)
def test_mistakes_are_one_line(
    db: str, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], words: str
) -> None:
    assert run("merchant", *arguments, "--db", db) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert words in error


@pytest.mark.parametrize(
    "command",
    [
        *(["merchant", name] for name in ("apply", "amend", "approve", "list", "show", *STEPS)),
        *(["settlement", name] for name in ("list", "show", "run", "report")),
    ],
)
def test_help_has_an_example(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        run(*command, "--help")
    assert caught.value.code == 0
    assert "example:\n  posterm bank " + " ".join(command) in capsys.readouterr().out


# --- settlement --------------------------------------------------------------------------------------


@pytest.fixture
def settled(db: str) -> str:
    """A bank at which the demo terminal has settled a batch of one sale, with one cent too little."""
    with closing(Bank.open(db, DEMO_MASTER_KEY, entropy=SeededEntropy(1))) as bank:
        clerk = Clerk(bank, now=wall_clock())
        clerk.sign_in()
        clerk.purchase(amount_minor=10_000)
        clerk.settle(Totals(9_999, 1))
        clerk.end("202", 0)
    return db


def test_a_day_is_settled_paid_and_reported(
    settled: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    [batch] = shown(capsys, "settlement", "list", "--db", settled)
    assert (batch["batch"], batch["balanced"], batch["bank_debit_minor"]) == ("000001", False, 10_000)
    one = shown(capsys, "settlement", "show", DEMO_TID, "000001", "--db", settled, status=1)
    assert one["differences"] == [
        {
            "trace": "000002",
            "finding": "the bank has it, the terminal did not upload it",
            "booked_minor": 10_000,
            "uploaded_minor": None,
        }
    ]
    [payout] = shown(capsys, "settlement", "run", "--db", settled)
    assert (payout["mid"], payout["fee_minor"], payout["net_minor"]) == (DEMO_MID, 60, 9_940)
    assert shown(capsys, "settlement", "run", "--db", settled) == []
    report = shown(capsys, "settlement", "report", "--db", settled)
    assert (report["paid_minor"], report["fee_minor"], report["books_are_right"]) == (9_940, 60, True)
    assert report["merchants"][0]["batches"][0]["results"] == {"domestic": 2, "foreign": 1}
    assert run("settlement", "report", "--db", settled) == 0
    assert "paid out 99.40, fees 0.60" in capsys.readouterr().out
    file = tmp_path / "report.csv"
    assert run("settlement", "report", "--csv", str(file), "--db", settled) == 0
    assert run("settlement", "report", "--csv", "-", "--db", settled) == 0
    assert file.read_bytes().decode() == capsys.readouterr().out
    assert run("ledger", "verify", "--db", settled) == 0


def test_a_wrong_day_or_batch_is_said(settled: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("settlement", "report", "--date", "21.5.", "--db", settled) == 2
    assert "write it as 2026-05-21" in capsys.readouterr().err
    assert run("settlement", "show", DEMO_TID, "000009", "--db", settled) == 2
    assert "has settled no batch 000009" in capsys.readouterr().err
