"""Serial ports by any name, with any line settings: what the system is asked for, and what comes of it."""

import os
import select
import termios
import tty
from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace

import pytest
from serial.tools import list_ports

from hal.api import BytesReceived, DeviceMissing
from hal.serial import opening
from hal.serial.opening import (
    FlowControl,
    LineSettings,
    ModemLines,
    Parity,
    open_port,
    ports_of_this_machine,
)
from hal.serial.port import PyserialPort
from hal.virtual.clock import VirtualClock

XOFF, XON = b"\x13", b"\x11"


@pytest.fixture
def pty() -> Iterator[tuple[int, str]]:
    master, slave = os.openpty()
    tty.setraw(slave)
    os.set_blocking(master, False)
    yield master, os.ttyname(slave)
    os.close(slave)
    os.close(master)


def opened(
    url: str,
    parity: Parity = "none",
    flow_control: FlowControl = "none",
    *,
    bits_per_s: int = 115_200,
    data_bits: int = 8,
    stop_bits: int = 1,
) -> PyserialPort:
    port = PyserialPort(
        url,
        VirtualClock(),
        bits_per_s=bits_per_s,
        parity=parity,
        data_bits=data_bits,
        stop_bits=stop_bits,
        flow_control=flow_control,
    )
    port.open()
    return port


# --- line settings -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "rate", [1_200, 2_400, 4_800, 9_600, 19_200, 38_400, 57_600, 115_200, 230_400, 460_800, 921_600]
)
def test_every_rate_from_1200_to_921600_reaches_the_line(pty: tuple[int, str], rate: int) -> None:
    port = opened(pty[1], bits_per_s=rate)
    assert termios.tcgetattr(pty[0])[4:6] == [getattr(termios, f"B{rate}")] * 2
    port.close()


def test_parity_stop_bits_and_flow_control_reach_the_line(pty: tuple[int, str]) -> None:
    """A pseudo-terminal forgets that there is parity, but not which one."""
    port = opened(pty[1], "odd", "xonxoff", stop_bits=2)
    iflag, _, cflag, *_ = termios.tcgetattr(pty[0])
    assert cflag & termios.PARODD
    assert cflag & termios.CSTOPB
    assert iflag & (termios.IXON | termios.IXOFF) == termios.IXON | termios.IXOFF
    port.close()


@pytest.mark.parametrize(("rate", "data_bits", "stop_bits"), [(-1, 8, 1), (9600, 9, 1), (9600, 8, 0)])
def test_settings_that_no_line_has_are_refused(rate: int, data_bits: int, stop_bits: int) -> None:
    with pytest.raises(ValueError, match=r"positive|7 or 8 data bits"):
        LineSettings(rate, data_bits=data_bits, stop_bits=stop_bits)


def until_heard(port: PyserialPort, data: bytes) -> None:
    """Wait until the line discipline has seen everything up to `data`."""
    select.select(port.filenos(), [], [], 10)
    assert list(port.poll()) == [BytesReceived(data)]


def test_xoff_holds_bytes_back_and_xon_lets_them_go(pty: tuple[int, str]) -> None:
    port = opened(pty[1], flow_control="xonxoff")
    os.write(pty[0], XOFF + b"1")
    until_heard(port, b"1")
    port.write(b"held")
    with pytest.raises(BlockingIOError):
        os.read(pty[0], 100)
    assert port.waiting_bytes == 4
    os.write(pty[0], XON + b"2")
    until_heard(port, b"2")
    assert list(port.poll()) == []
    select.select([pty[0]], [], [], 10)
    assert os.read(pty[0], 100) == b"held"
    port.close()


# --- ports without a descriptor ----------------------------------------------------------------------


def test_a_port_without_descriptor_says_when_to_look_again() -> None:
    port = opened("loop://")
    port.write(b"there and back")
    assert port.filenos() == ()
    assert port.deadline_ms() == 10
    assert list(port.poll()) == [BytesReceived(b"there and back")]
    port.close()
    assert port.deadline_ms() is None


def test_the_other_side_s_dtr_holds_bytes_back() -> None:
    """pyserial's loop joins our DTR to our DSR: we play both sides."""
    port = opened("loop://", flow_control="dsrdtr")
    assert port.set_lines(dtr=False, rts=True)
    assert port.modem_lines() == ModemLines(cts=True, dsr=False, dcd=True)
    port.write(b"slip " * 10)
    assert list(port.poll()) == []
    assert port.waiting_bytes == 50
    port.set_lines(dtr=True)
    assert list(port.poll()) == [BytesReceived(b"slip " * 10)]
    assert port.waiting_bytes == 0
    port.close()


def test_a_pseudo_terminal_has_no_control_lines(pty: tuple[int, str]) -> None:
    port = opened(pty[1])
    assert port.modem_lines() is None
    assert not port.set_lines(rts=True)
    port.close()
    assert port.modem_lines() is None


# --- USB adapters by identity ------------------------------------------------------------------------


def adapter(path: str, serial_number: str | None, vid: int | None = 0x0403) -> SimpleNamespace:
    return SimpleNamespace(
        device=path, vid=vid, pid=0x6001 if vid else None, serial_number=serial_number, description="FT232R"
    )


def plugged(monkeypatch: pytest.MonkeyPatch, *adapters: SimpleNamespace) -> None:
    monkeypatch.setattr(list_ports, "comports", lambda: list(adapters))


def test_an_adapter_is_found_by_its_identity_wherever_it_is(
    monkeypatch: pytest.MonkeyPatch, pty: tuple[int, str]
) -> None:
    plugged(
        monkeypatch, adapter("/dev/ttyS9", None, None), adapter("/dev/ttyUSB3", "A1"), adapter(pty[1], "B2")
    )
    port = opened("usb:0403:6001:B2")
    os.write(pty[0], b"here")
    assert list(port.poll()) == [BytesReceived(b"here")]
    port.close()


def test_a_replugged_adapter_is_found_under_its_new_name(monkeypatch: pytest.MonkeyPatch) -> None:
    paths = []

    def open_device(path: str, **_: object) -> SimpleNamespace:
        paths.append(path)
        return SimpleNamespace(fileno=lambda: os.open("/dev/null", os.O_RDWR), close=lambda: None)

    monkeypatch.setattr("serial.Serial", open_device)
    for path in ("/dev/ttyUSB0", "/dev/ttyUSB1"):
        plugged(monkeypatch, adapter(path, "A1"))
        opening.open_port("usb:0403:6001", LineSettings(), connect_timeout_s=1).close()
    assert paths == ["/dev/ttyUSB0", "/dev/ttyUSB1"]


def test_two_adapters_of_a_kind_need_their_serial_number(monkeypatch: pytest.MonkeyPatch) -> None:
    plugged(monkeypatch, adapter("/dev/ttyUSB0", "A1"), adapter("/dev/ttyUSB1", "B2"))
    with pytest.raises(DeviceMissing, match=r"2 adapters are such.*usb:0403:6001:A1 or usb:0403:6001:B2"):
        opened("usb:0403:6001")
    with pytest.raises(DeviceMissing, match=r"take one of /dev/ttyUSB0 \(usb:0403:6001:A1\)"):
        opened("usb:0403:6001:C3")


def test_the_machine_s_ports_are_named_with_their_identity(monkeypatch: pytest.MonkeyPatch) -> None:
    plugged(monkeypatch, adapter("/dev/ttyUSB0", "A1"), adapter("/dev/ttyS0", None, None))
    assert [(port.path, port.identity) for port in ports_of_this_machine()] == [
        ("/dev/ttyS0", ""),
        ("/dev/ttyUSB0", "usb:0403:6001:A1"),
    ]


def test_damage_is_marked_where_that_is_asked_for_and_stays_so(pty: tuple[int, str]) -> None:
    """The system doubles FF then, parity or not; a pseudo-terminal has no parity to be wrong."""
    master, path = pty
    settings = LineSettings(9_600, "even", mark_damage=True)
    port = open_port(path, settings, connect_timeout_s=1)
    assert port.marks_damage()
    os.write(master, b"a\xffb")
    assert port.read() == b"a\xff\xffb"
    port.apply(replace(settings, bits_per_s=38_400))
    os.write(master, b"\xff")
    assert port.read() == b"\xff\xff"
    port.close()
    assert not open_port(path, LineSettings(), connect_timeout_s=1).marks_damage()
