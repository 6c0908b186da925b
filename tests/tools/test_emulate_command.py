"""`posterm devices emulate` as a process, used by other programs: socat and pyserial."""

import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import serial

from hal.cards.card import ATR_T0, ATR_T1
from hal.host.clock import SystemClock
from hal.peripherals.card_faults import CardFaults
from hal.peripherals.ccid_reader import SerialCcidReader
from hal.peripherals.keypad import Keypad
from hal.peripherals.shell import PtyShell, SocketShell
from hal.serial.ccid_slot import SerialCcidSlot
from hal.serial.phoenix_slot import SerialPhoenixSlot
from hal.smart_card import ChipInserted, ChipRemoved, ChipReset, SmartCardSlot
from tests.tools.test_cli import refused
from tools.emulate_command import obey
from tools.emulation import KINDS, emulated

WAIT_S = 20


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def started(stack: ExitStack, *arguments: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tools.cli", "devices", "emulate", *arguments]
    pipe = subprocess.PIPE
    process = stack.enter_context(subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, bufsize=0))
    stack.callback(process.kill)
    assert process.stderr is not None
    assert b" on " in process.stderr.readline()
    return process


def read_until(fileno: int, end: bytes) -> bytes:
    data = b""
    while end not in data:
        ready, _, _ = select.select([fileno], [], [], WAIT_S)
        assert ready, data
        data += os.read(fileno, 4096)
    return data


@pytest.mark.slow
def test_a_reader_for_any_program(stack: ExitStack, tmp_path: Path) -> None:
    link = tmp_path / "reader"
    process = started(stack, "magstripe", "--pty", str(link), "--set", "suffix=\\r", "--baud", "115200")
    with serial.Serial(str(link), 115_200, timeout=WAIT_S) as port:
        assert process.stdin is not None
        process.stdin.write(b"swipe good\n")
        swipe = port.read_until(b"\r")
    assert swipe.startswith(b"%B6225880000000100^")
    assert swipe.endswith(b"?\r")
    process.send_signal(signal.SIGTERM)
    assert process.wait(WAIT_S) == 0
    assert not link.is_symlink()


@pytest.mark.slow
def test_a_printer_s_slips_become_files(stack: ExitStack, tmp_path: Path) -> None:
    link, folder = tmp_path / "printer", tmp_path / "slips"
    process = started(stack, "printer", "--pty", str(link), "--out", str(folder))
    with serial.Serial(str(link), 115_200, timeout=WAIT_S) as port:
        port.write(b"cut\n\x1dV\x42\x00torn\n\x1dr\x01")
        assert port.read(1) == b"\x00"
    assert process.stdout is not None
    read_until(process.stdout.fileno(), f"slip cut: {folder}/slip-0001.png\n".encode())
    process.send_signal(signal.SIGTERM)
    assert process.wait(WAIT_S) == 0
    assert [(folder / f"slip-000{number}.txt").read_text("utf-8") for number in (1, 2)] == ["cut\n", "torn\n"]
    assert (folder / "slip-0002.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("socat") is None, reason="socat is not installed")
def test_a_display_behind_socat_and_tcp(stack: ExitStack, tmp_path: Path) -> None:
    """Two of socat's pseudo-terminals and a TCP port between the program and the display."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        number = free.getsockname()[1]
    process = started(stack, "vfd", "--listen", str(number), "--set", "command_set=epson")
    link = tmp_path / "display"
    socat = stack.enter_context(
        subprocess.Popen(
            ["socat", "-d", "-d", f"pty,raw,echo=0,link={link}", f"tcp:127.0.0.1:{number}"],
            stderr=subprocess.PIPE,
        )
    )
    stack.callback(socat.kill)
    assert socat.stderr is not None
    read_until(socat.stderr.fileno(), b"starting data transfer loop")
    with serial.Serial(str(link), 9_600) as port:
        port.write(b"\x0c\x1f$\x01\x02RMB 12.34\x07")
        assert process.stdout is not None
        shown = read_until(process.stdout.fileno(), b"bell\n")
    assert b"|RMB 12.34           |" in shown


# --- words -------------------------------------------------------------------------------------------


def test_every_kind_has_words_and_says_which(capsys: pytest.CaptureFixture[str]) -> None:
    for kind in KINDS:
        device = emulated(kind, {})
        obey(device, ["nonsense"])
        assert f"say one of: {' '.join(device.words)}" in capsys.readouterr().err
        for word in device.words:
            assert word in KINDS[kind].words
        obey(device, [])
        assert device.news() == []


@pytest.mark.parametrize(
    ("kind", "typed", "sent"),
    [
        ("keypad", "press 1 enter", b"1"),
        ("keypad", "type 42", b"4"),
        ("magstripe", "swipe good bad", b"%E?;E?\r"),
    ],
)
def test_words_become_bytes(kind: str, typed: str, sent: bytes) -> None:
    device = emulated(kind, {})
    obey(device, typed.split())
    assert device.peripheral.take_output() == sent


@pytest.mark.parametrize(
    ("kind", "typed", "told"),
    [
        ("keypad", "press hash", "no such key"),
        ("keypad", "hold", "say hold KEY"),
        ("magstripe", "swipe nobody", "nobody"),
        ("magstripe", "swipe good sideways", "sideways"),
        ("magstripe", "insert good", "no slot"),
        ("printer", "png /tmp/x.png", "nothing is printed yet"),
        ("vfd", "png /no/such/folder/x.png", "No such file"),
    ],
)
def test_what_cannot_be_done_is_said(
    kind: str, typed: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    obey(emulated(kind, {}), typed.split())
    err = capsys.readouterr().err
    assert err.startswith("cannot: ")
    assert told in err
    assert err.count("\n") == 1


def test_a_printed_slip_is_told_once(tmp_path: Path) -> None:
    device = emulated("printer", {"model": "58mm", "speed_mm_per_s": "0"})
    device.peripheral.receive(b"\x1b@Hello\n\x1dV\x00", 0)
    device.peripheral.receive(b"", 10_000)
    news = device.news()
    assert any("Hello" in line for line in news)
    assert device.news() == []
    obey(device, ["png", str(tmp_path / "slip.png")])
    assert (tmp_path / "slip.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("vfd", "--pty", "/tmp/x", "--set", "command_sett=epson"), "did you mean 'command_set'"),
        (("vfd", "--pty", "/tmp/x", "--set", "command_set=noritake"), "is one of cd5220, epson"),
        (("vfd", "--pty", "/tmp/x", "--set", "multibyte=yes"), "is true or false"),
        (("keypad", "--pty", "/tmp/x", "--set", "bounces=many"), "is a whole number"),
        (("keypad", "--pty", "/tmp/x", "--set", "bounces"), "NAME=VALUE"),
        (("keypad", "--pty", "/tmp/x", "--baud", "0"), "a rate in bits/s"),
        (("printer", "--pty", __file__), "there is a file of that name"),
        (("vfd", "--pty", "/tmp/x", "--out", "/tmp/y"), "only a printer has slips"),
        (("printer",), "one of the arguments --pty --listen --rfc2217 is required"),
        (("toaster", "--pty", "/tmp/x"), "invalid choice"),
    ],
)
def test_wrong_arguments(
    arguments: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert message in refused(capsys, "devices", "emulate", *arguments)


# --- shells ------------------------------------------------------------------------------------------


def test_a_pseudo_terminal_keeps_its_link_and_survives_its_host(tmp_path: Path, stack: ExitStack) -> None:
    link = tmp_path / "keys"
    link.symlink_to("/dev/pts/of-another-run")
    far = Keypad()
    shell = PtyShell(far, link=link)
    stack.callback(shell.close)
    for digit in "12":
        with serial.Serial(str(link), timeout=WAIT_S) as port:
            far.press(digit)
            assert shell.turn(1_000 * int(digit))
            assert port.read(1) == digit.encode()
    shell.close()
    shell.close()
    assert not link.is_symlink()


def test_a_socket_takes_one_host_after_the_other(stack: ExitStack) -> None:
    far = Keypad()
    shell = SocketShell(far, 0)
    stack.callback(shell.close)
    far.press("9")
    shell.turn(0)  # nobody listens: lost
    for now_ms, digit in enumerate("12", 1):
        with serial.serial_for_url(shell.path, timeout=WAIT_S) as port:
            shell.turn(now_ms * 1_000)
            far.press(digit)
            shell.turn(now_ms * 1_000)
            assert port.read(1) == digit.encode()
        select.select(shell.filenos(), [], [], WAIT_S)
        shell.turn(now_ms * 1_000)


# --- smart-card readers ------------------------------------------------------------------------------


def slot_events(slot: SmartCardSlot, wanted: type[object]) -> object:
    until_s = time.monotonic() + WAIT_S
    while time.monotonic() < until_s:
        for event in slot.poll():
            if isinstance(event, wanted):
                return event
        time.sleep(0.01)
    raise AssertionError("nothing came")


@pytest.mark.slow
def test_a_smart_card_reader_for_any_program(stack: ExitStack, tmp_path: Path) -> None:
    link = tmp_path / "chip"
    process = started(stack, "ccid", "--pty", str(link))
    assert process.stdin is not None
    slot = SerialCcidSlot(str(link), SystemClock())
    slot.open()
    stack.callback(slot.close)
    process.stdin.write(b"insert t1\n")
    slot_events(slot, ChipInserted)
    slot.power_on()
    assert slot_events(slot, ChipReset) == ChipReset(ATR_T1)
    process.stdin.write(b"remove\n")
    slot_events(slot, ChipRemoved)


@pytest.mark.slow
@pytest.mark.filterwarnings(r"ignore:set(Daemon|Name)\(\):DeprecationWarning")
def test_a_phoenix_reader_for_any_program(stack: ExitStack) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = started(stack, "phoenix", "--rfc2217", str(port), "--set", "reset_line=dtr")
    assert process.stdin is not None
    slot = SerialPhoenixSlot(f"rfc2217://127.0.0.1:{port}", SystemClock(), reset_line="dtr")
    slot.open()
    stack.callback(slot.close)
    process.stdin.write(b"insert\n")
    slot_events(slot, ChipInserted)
    slot.power_on()
    assert slot_events(slot, ChipReset) == ChipReset(ATR_T0)


def test_words_for_a_card_reader(capsys: pytest.CaptureFixture[str]) -> None:
    device = emulated("ccid", {})
    reader = device.peripheral
    assert isinstance(reader, SerialCcidReader)
    obey(device, ["insert", "t0", "mute", "damaged-blocks=2"])
    assert reader.faults == CardFaults(mute=True, damaged_blocks=2)
    obey(device, ["insert"])
    assert "remove() it first" in capsys.readouterr().err
    obey(device, ["remove"])
    for words, error in (
        (["insert", "bent"], "no fault is called 'bent'"),
        (["insert", "damaged-blocks"], "say how many: damaged-blocks=2"),
    ):
        obey(device, words)
        assert error in capsys.readouterr().err


def test_a_reader_that_needs_control_lines_is_not_put_on_a_pseudo_terminal(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    line = refused(capsys, "devices", "emulate", "phoenix", "--pty", str(tmp_path / "link"))
    assert "--rfc2217" in line
    line = refused(capsys, "devices", "emulate", "phoenix", "--rfc2217", "0", "--baud", "9600")
    assert "leave --baud out" in line
