"""`posterm keys`: every command on a state folder, and no key in what it writes."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from firmware.secure import check_value as check_values
from firmware.secure import tr31
from firmware.secure.tdes import check_value
from firmware.secure.tr31_header import KeyBlockHeader
from tools import cli

# iso8583-pos section 6.2: the TMK of the worked example.
TMK = bytes.fromhex("11223344556677888877665544332211")
ONE = bytes.fromhex("0123456789ABCDEFFEDCBA9876543210")
TWO = bytes(a ^ b for a, b in zip(TMK, ONE, strict=True))
TRANSPORT = bytes.fromhex("A1B2C3D4E5F60718293A4B5C6D7E8F90")


def line(key: bytes, expected: bytes | None = None) -> str:
    return f"{key.hex()} {(expected or check_value(key)).hex()}\n"


UNSEEN = "by a person"


class Keyboard(io.StringIO):
    """Standard input with a person before it."""

    def isatty(self) -> bool:
        return True


class Desk:
    """A person at a command line."""

    def __init__(
        self, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.folder, self._capsys, self._monkeypatch = folder, capsys, monkeypatch
        self.out = self.err = ""

    def keys(self, command: str, *arguments: str, typed: str = "") -> int:
        self._monkeypatch.setattr("sys.stdin", Keyboard() if typed == UNSEEN else io.StringIO(typed))
        code = cli.main(["keys", command, "--state", str(self.folder), *arguments])
        self.out, self.err = self._capsys.readouterr()
        for key in (TMK, ONE, TWO, TRANSPORT):
            assert key.hex() not in (self.out + self.err).lower(), "a key was shown"
        return code

    def shown(self) -> dict[str, object]:
        assert self.keys("show", "--json") == 0
        state = json.loads(self.out)
        assert isinstance(state, dict)
        return state

    def is_refused(self, code: int, *words: str) -> bool:
        return (
            self.err.count("\n") == 1
            and self.out == ""
            and all(word in self.err for word in words)
            and code > 0
        )


@pytest.fixture
def desk(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Desk:
    return Desk(tmp_path / "till", capsys, monkeypatch)


def test_components_of_two_custodians(desk: Desk) -> None:
    assert desk.keys("load-components", typed=line(ONE) + line(TWO)) == 0
    assert desk.out == f"loaded TMK 1, check value {check_value(TMK).hex().upper()}\n"
    assert desk.shown() == {
        "tampered": False,
        "ready": True,
        "signed_in_keys": False,
        "serial_number": "",
        "check_values": {"tmk/01": check_value(TMK).hex().upper()},
        "refusals": [],
    }
    assert desk.folder.stat().st_mode & 0o077 == 0


def test_a_wrong_check_value_is_refused_and_nothing_is_loaded(desk: Desk) -> None:
    code = desk.keys("load-components", typed=line(ONE) + line(TWO, bytes(4)))
    assert code == 1
    assert desk.is_refused(code, "component 2")
    state = desk.shown()
    assert (state["ready"], state["check_values"]) == (False, {})


def test_a_key_from_a_file_and_from_standard_input(desk: Desk, tmp_path: Path) -> None:
    path = tmp_path / "tmk.hex"
    path.write_text(f"{TMK.hex()}\n", "ascii")
    assert desk.keys("load-tmk", "--index", "7", "--file", str(path)) == 0
    assert desk.keys("load-tmk", typed=f"{ONE.hex()}\n") == 0
    assert desk.shown()["check_values"] == {
        "tmk/01": check_value(ONE).hex().upper(),
        "tmk/07": check_value(TMK).hex().upper(),
    }


def test_a_key_block_under_the_transport_key(desk: Desk) -> None:
    assert desk.keys("load-tmk", "--transport", typed=line(TRANSPORT)) == 0
    header = KeyBlockHeader("B", "K0", "T", "D", "00", "N")
    block = tr31.wrap(TRANSPORT, header, TMK, bytes)
    assert desk.keys("load-key-block", typed=block + "\n") == 0
    assert check_value(TMK).hex().upper() in desk.out
    damaged = block[:-1] + ("0" if block[-1] != "0" else "1")
    code = desk.keys("load-key-block", typed=damaged + "\n")
    assert code == 1
    assert desk.is_refused(code)


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, str]:
    """Settings files, by key scheme."""
    files = {}
    for scheme in ("dukpt-tdes", "dukpt-aes", "sm4"):
        path = tmp_path / f"{scheme}.toml"
        path.write_text(f'[terminal]\nkey_scheme = "{scheme}"\n', "utf-8")
        files[scheme] = str(path)
    return files


@pytest.mark.parametrize(
    ("scheme", "ksn", "shown"),
    [
        ("dukpt-tdes", "FFFF9876543210E00000", "FFFF9876543210E00000"),
        ("dukpt-aes", "1234567890123456", "123456789012345600000000"),
        ("dukpt-aes", "123456789012345600000000", "123456789012345600000000"),
    ],
)
def test_an_initial_key_of_two_custodians(
    desk: Desk, settings: dict[str, str], scheme: str, ksn: str, shown: str
) -> None:
    method: check_values.Method = "aes-cmac" if scheme == "dukpt-aes" else "des-zero"
    typed = "".join(line(one, check_values.check_value(one, method)[:3]) for one in (ONE, TWO))
    config = ("--config", settings[scheme])
    assert desk.keys("load-components", *config, "--ksn", ksn, typed=typed) == 0
    assert check_values.check_value(TMK, method)[:4].hex().upper() in desk.out
    assert desk.keys("show", *config) == 0
    assert shown in desk.out
    assert "ready: yes" in desk.out


@pytest.mark.parametrize(
    ("scheme", "more", "words"),
    [
        ("dukpt-tdes", ("--ksn", "FFFF98765432"), "20 hexadecimal digits"),
        ("dukpt-tdes", ("--ksn", "FFFF9876543210E0000G"), "20 hexadecimal digits"),
        ("dukpt-aes", ("--ksn", "FFFF9876543210E00000"), "16 or 24 hexadecimal digits"),
        ("dukpt-tdes", ("--ksn", "FFFF9876543210E00000", "--index", "3"), "no index"),
        ("dukpt-tdes", ("--ksn", "FFFF9876543210E00000", "--transport"), "no transport key"),
        ("sm4", ("--ksn", "FFFF9876543210E00000"), "choose a DUKPT one"),
    ],
)
def test_a_serial_number_that_does_not_fit(
    desk: Desk, settings: dict[str, str], scheme: str, more: tuple[str, ...], words: str
) -> None:
    code = desk.keys("load-components", "--config", settings[scheme], *more, typed=line(ONE) + line(TWO))
    assert code == 2
    assert desk.is_refused(code, words)


def test_wipe(desk: Desk) -> None:
    desk.keys("load-tmk", typed=line(TMK))
    assert desk.keys("wipe") == 0
    assert desk.shown()["check_values"] == {}
    assert desk.keys("show") == 0
    assert "no master or transport key" in desk.out


def test_a_tampered_terminal_takes_keys_after_a_service_reset_only(desk: Desk) -> None:
    desk.keys("load-tmk", typed=line(TMK))
    (desk.folder / "device-key.json").write_text('{"tripped": "case opened"}')
    (desk.folder / "device-key.json").chmod(0o600)
    assert desk.shown()["tampered"] is True
    code = desk.keys("load-tmk", typed=line(TMK))
    assert code == 1
    assert desk.is_refused(code, "service")
    assert desk.keys("service-reset") == 0
    assert desk.shown()["ready"] is False
    assert desk.keys("load-components", typed=line(ONE) + line(TWO)) == 0
    assert desk.shown()["ready"] is True


@pytest.mark.parametrize(
    ("command", "typed", "words"),
    [
        ("load-components", "", "nothing was given"),
        ("load-components", f"{ONE.hex()}\n", "check value"),
        ("load-tmk", "xyz\n", "hexadecimal"),
        ("load-tmk", f"{TMK.hex()} 00 11\n", "hexadecimal"),
    ],
)
def test_wrong_input_is_one_line_and_code_2(desk: Desk, command: str, typed: str, words: str) -> None:
    code = desk.keys(command, typed=typed)
    assert code == 2
    assert desk.is_refused(code, words)


@pytest.mark.parametrize("command", ["show", "wipe", "service-reset", "load-key-block"])
def test_a_folder_that_is_not_there(desk: Desk, command: str) -> None:
    code = desk.keys(command)
    assert code == 2
    assert desk.is_refused(code, "no such folder")
    assert not desk.folder.exists()


def test_a_person_types_unseen(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def unseen(prompt: str) -> str:
        asked.append(prompt)
        return TMK.hex()

    monkeypatch.setattr("getpass.getpass", unseen)
    monkeypatch.setattr("builtins.input", lambda _prompt: check_value(TMK).hex())
    assert desk.keys("load-tmk", typed=UNSEEN) == 0
    assert asked == ["TMK 1 (hex): "]


def test_the_terminal_must_be_off(desk: Desk) -> None:
    from hal.virtual.storage import SqliteStorage

    desk.keys("load-tmk", typed=line(TMK))
    storage = SqliteStorage(desk.folder / "terminal.db")
    storage.open()
    try:
        code = desk.keys("show")
        assert code == 2
        assert desk.is_refused(code, "another process uses it")
    finally:
        storage.close()
