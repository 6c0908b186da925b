"""The commands around a recording and a running gateway: what they show is there, what is secret is not."""

from __future__ import annotations

import json
import re
import shutil
import struct
import subprocess
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bank.provision import load_provision
from firmware.settings import TerminalSettings
from host_link.port_holder import Holder
from host_link.ports import NullModem, open_port
from host_link.recording import Record, RecordingHeader
from host_link.session import Channel
from tools import wire_log
from tools.cli import main
from tools.link_pcapng import zeroed
from tools.link_recording import paced, replay
from tools.link_stats import _lines
from tools.pcapng import LINKTYPE_IPV4, LINKTYPE_USER0
from tools.runtime import StationPlan, build_station
from tools.wire_log import LoggedMessage, WireLog
from wire.iso8583 import dialect

PIN = "123456"
PAN = "6225887391462856"  # its middle is found nowhere else by chance
BANK_DATA = f"""
[[merchant]]
mid = "898320154110001"
name = "TEST SHOP"
terminal = [{{ tid = "12345678", tmk = "11223344556677888877665544332211" }}]

[[card]]
name = "good"
pan = "{PAN}"
expiry = "3012"
holder = "ZHANG/SAN"
pin = "{PIN}"
balance = "100.00"
"""


class Played:
    """A payment in virtual time, recorded; and what must not be seen of it."""

    def __init__(self, folder: Path) -> None:
        self.records: list[Record] = []
        (folder / "bank.toml").write_text(BANK_DATA, encoding="utf-8")
        provision = load_provision(folder / "bank.toml")
        station = build_station(StationPlan(settings=TerminalSettings(), provision=provision, tap=self._tap))
        with station:
            station.power_on()
            station.enter_amount("12.34")
            station.swipe("good")
            station.enter_pin(PIN)
            payment = station.finish()
        assert payment is not None
        assert payment.completed
        self.path = folder / "line.ptlr"
        header = RecordingHeader(1_700_000_000_000_000, 115_200, ("/dev/ttyUSB0",))
        self.path.write_bytes(header.encode() + b"".join(record.encode() for record in self.records))

    def _tap(self, at_ms: int, side: str, data: bytes) -> None:
        self.records.append(Record(at_ms * 1000, 0, side, data))

    def sent_by(self, side: str) -> bytes:
        return b"".join(record.data for record in self.records if record.side == side)


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Played:
    return Played(tmp_path_factory.mktemp("played"))


def command(*arguments: str | Path) -> int:
    return main(["link", *map(str, arguments)])


def secrets_of(played: Played, monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """In hex: the middle of the card number, and every track, PIN block and key that crossed the line."""
    secrets = {PAN[6:12]}
    logged = wire_log._logged

    def spied(channel: int, message: bytes) -> LoggedMessage:
        if channel == Channel.HOST:
            fields = dialect("unionpay").decode(message).fields
            for value in (fields[number] for number in (35, 52, 62) if number in fields):
                secrets.add(value.hex() if isinstance(value, bytes) else value[:16])
        return logged(channel, message)

    log = WireLog()
    with monkeypatch.context() as patched:
        patched.setattr(wire_log, "_logged", spied)
        for record in played.records:
            log.feed(record.at_us // 1000, record.side, record.data)
    assert len(secrets) >= 4
    return {secret.upper() for secret in secrets}


def holds_any(text: str, secrets: set[str]) -> bool:
    plain = re.sub(r"\s", "", text).upper()
    return any(secret in plain for secret in secrets)


@pytest.fixture
def secrets(played: Played, monkeypatch: pytest.MonkeyPatch) -> set[str]:
    found = secrets_of(played, monkeypatch)
    assert holds_any(played.path.read_bytes().hex(), found), "the recording itself holds them"
    return found


def test_decode_shows_the_payment_frame_by_frame(
    played: Played, secrets: set[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("decode", played.path) == 0
    shown = capsys.readouterr().out
    for word in ("HELLO", "sign_in 0800", "authorisation 0100", "pin_verification 0100", "completion 0220"):
        assert word in shown
    assert re.search(r"35 .*\*\*", shown)
    assert not holds_any(shown, secrets)


def test_decode_speaks_json(played: Played, capsys: pytest.CaptureFixture[str]) -> None:
    assert command("decode", played.path, "--json") == 0
    frames = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {frame["side"] for frame in frames} == {"terminal", "gateway"}
    names = [message["name"] for frame in frames for message in frame["messages"]]
    assert names == [
        name for name in ("sign_in", "authorisation", "pin_verification", "completion") for _ in "12"
    ]
    times = [frame["at_us"] for frame in frames]
    assert times == sorted(times)
    assert frames[0]["port"] == 0


def test_replay_prints_in_time(played: Played, secrets: set[str], capsys: pytest.CaptureFixture[str]) -> None:
    waits: list[float] = []
    options = Namespace(file=played.path, port=None, speed=2.0, pairing_key_file=None)
    assert replay(options, sleep=waits.append) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("recorded 2023-11-1")
    assert "completion 0220" in shown
    assert not holds_any(shown, secrets)
    assert sum(waits) == pytest.approx(played.records[-1].at_us / 2_000_000, abs=0.1)


def test_replay_sends_one_side_into_a_port(played: Played, capsys: pytest.CaptureFixture[str]) -> None:
    modem = NullModem()
    near = open_port(modem.path_b)
    assert command("replay", played.path, "--port", modem.path_a, "--side", "gateway", "--speed", "0") == 0
    got = b""
    while modem.pump(timeout_s=0.2):
        got += near.read()
    assert got == played.sent_by("gateway")
    assert f"{len(got)} bytes" in capsys.readouterr().out
    near.close()
    modem.close()


def test_a_replay_keeps_the_gaps() -> None:
    records = [Record(at_us, 0, "terminal", b"x") for at_us in (5_000_000, 5_500_000, 5_500_000, 7_000_000)]
    assert [wait_s for wait_s, _ in paced(records, 1.0)] == [0.0, 0.5, 0.0, 1.5]
    assert [wait_s for wait_s, _ in paced(records, 2.0)] == [0.0, 0.25, 0.0, 0.75]
    assert [wait_s for wait_s, _ in paced(records, 0.0)] == [0.0] * 4


@pytest.mark.parametrize("arguments", [("decode",), ("replay",), ("pcapng", "-o", "out")])
def test_a_file_that_is_no_recording_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    path = tmp_path / "letter"
    path.write_text("Dear Sir or Madam", encoding="utf-8")
    rest = [str(tmp_path / one) if one == "out" else one for one in arguments[1:]]
    assert command(arguments[0], path, *rest) == 2
    assert capsys.readouterr().err == (
        "posterm: this is no recording of a link: give a file made by link serve --record\n"
    )


@pytest.mark.parametrize("line", ["1", "-1"])
def test_a_port_that_the_recording_does_not_have(
    played: Played, capsys: pytest.CaptureFixture[str], line: str
) -> None:
    assert command("replay", played.path, "--port", "loop://", f"--line={line}") == 2
    assert "has 1 port(s)" in capsys.readouterr().err


@pytest.mark.parametrize("speed", ["-1", "nan", "inf", "fast"])
def test_a_speed_that_is_none(played: Played, speed: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        command("replay", played.path, f"--speed={speed}")
    assert "is no speed" in capsys.readouterr().err


# --- pcapng ------------------------------------------------------------------------------------------


def blocks(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Type and body of each block; the lengths before and behind it must agree."""
    while data:
        kind, length = struct.unpack("<II", data[:8])
        assert length % 4 == 0
        assert struct.unpack("<I", data[length - 4 : length])[0] == length
        yield kind, data[8 : length - 4]
        data = data[length:]


def packets(data: bytes) -> list[tuple[int, int, bytes]]:
    """Interface, time and bytes of each packet."""
    found = []
    for kind, body in blocks(data):
        if kind == 6:
            number, high, low, captured, original = struct.unpack("<IIIII", body[:20])
            assert captured <= original
            found.append((number, high << 32 | low, body[20 : 20 + captured]))
    return found


@pytest.fixture
def capture(played: Played, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    path = tmp_path / "line.pcapng"
    assert command("pcapng", played.path, "-o", path) == 0
    assert "masked" in capsys.readouterr().out
    return path


def test_a_capture_has_frames_and_messages(capture: Path, played: Played) -> None:
    data = capture.read_bytes()
    kinds = list(blocks(data))
    assert [kind for kind, _ in kinds[:3]] == [0x0A0D0D0A, 1, 1]
    assert [struct.unpack("<H", body[:2])[0] for _, body in kinds[1:3]] == [LINKTYPE_USER0, LINKTYPE_IPV4]
    found = packets(data)
    messages = [content[40:] for number, _, content in found if number == 1 and len(content) > 40]
    assert len(messages) == 8  # four questions, four answers
    for message in messages:
        assert int.from_bytes(message[:2], "big") == len(message) - 2
    assert [message[13:15].hex() for message in messages] == [
        *("0800", "0810", "0100", "0110", "0100", "0110", "0220", "0230")
    ]
    assert all(at_us >= 1_700_000_000_000_000 for _, at_us, _ in found)
    assert [at_us for _, at_us, _ in found] == sorted(at_us for _, at_us, _ in found)


def test_a_capture_holds_nothing_secret(capture: Path, secrets: set[str]) -> None:
    assert not holds_any(capture.read_bytes().hex(), secrets)


def test_stars_become_zeros_and_what_is_not_shown_nothing() -> None:
    assert zeroed("0A **1 * FF".replace("1 *", "1*")) == bytes.fromhex("0A 00 10 FF")
    assert zeroed("<17 bytes>") == b""


def test_the_recording_is_not_written_over(played: Played, capsys: pytest.CaptureFixture[str]) -> None:
    before = played.path.read_bytes()
    assert command("pcapng", played.path, "-o", played.path) == 2
    assert "the recording itself" in capsys.readouterr().err
    assert played.path.read_bytes() == before


@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed: sudo apt install tshark")
def test_wireshark_reads_a_capture(capture: Path) -> None:
    fields = ["-T", "fields", "-e", "tcp.len", "-e", "tcp.checksum.status", "-o", "tcp.check_checksum:TRUE"]
    done = subprocess.run(
        ["tshark", "-r", capture, "-Y", "tcp.len > 0", *fields], capture_output=True, text=True, check=True
    )
    assert len(done.stdout.splitlines()) == 8
    assert all(line.endswith("\t1") for line in done.stdout.splitlines())


# --- stats -------------------------------------------------------------------------------------------

ANSWER: dict[str, Any] = {
    "links": [
        {
            "port": "/dev/ttyUSB0",
            "bits_per_s": 115_200,
            "port_open": True,
            "up": True,
            "counters": {"frames_received": 12, "round_trip_us": 2_600},
            "peer": {"frames_received": 11, "counter_77": 5},
        },
        {"port": "b", "bits_per_s": 9_600, "port_open": False, "up": False, "counters": {}, "peer": None},
    ],
    "bank": {"address": "127.0.0.1:8583", "state": "idle", "counters": {"requests": 3}},
}


def test_stats_are_a_table() -> None:
    lines = [" ".join(line.split()) for line in _lines(ANSWER)]
    assert lines == [
        "/dev/ttyUSB0 115200 bits/s up",
        "gateway terminal",
        "frames received 12 11",
        "round trip, us 2600",
        "counter 77 5",
        "b 9600 bits/s port is gone",
        "(the terminal did not tell its counters)",
        "bank 127.0.0.1:8583 idle",
        "requests 3",
    ]


def test_stats_without_a_gateway_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command("stats", "--control", tmp_path / "link.sock") == 2
    assert "is a gateway running with this --control?" in capsys.readouterr().err


# --- serve's refusals --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--ca", "ca.pem"], "need --tls"),
        (["--tls"], "name with --ca the authority"),
        (["--tls", "--ca", "ca.pem", "--key", "key.pem"], "with --cert"),
        (["--tls", "--ca", "missing.pem"], "missing.pem: no CA certificate"),
        (["--port", "loop://"], "the same port twice"),
        (["--record", "."], "exists: give another name"),
        (["--control", "."], "is no socket"),
    ],
)
def test_what_serve_cannot_use_is_one_line(
    capsys: pytest.CaptureFixture[str], options: list[str], text: str
) -> None:
    assert command("serve", "--port", "loop://", "--bank", "127.0.0.1:8583", *options) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("posterm link: ")
    assert text in line


def test_a_slow_check_is_said_once(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tools.link_serve.crcmod_is_fast", lambda: False)
    ports = ["--port", "loop://", "--port", "loop://?logging=error"]
    assert command("serve", *ports, "--bank", "127.0.0.1:8583", "--control", tmp_path) == 2
    assert capsys.readouterr().err.count("without its C extension") == 1


def test_a_failed_start_gives_its_ports_back(capsys: pytest.CaptureFixture[str]) -> None:
    modem = NullModem()
    options = ["--tls", "--ca", "missing.pem"]
    assert command("serve", "--port", modem.path_a, "--bank", "127.0.0.1:8583", *options) == 2
    open_port(modem.path_a).close()
    modem.close()
    assert "missing.pem" in capsys.readouterr().err


def test_a_device_that_somebody_reads_without_locking_it_is_said(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tools.link_serve.open_port", lambda _name, _rate: open_port("loop://"))
    monkeypatch.setattr("tools.link_serve.holders", lambda _device: [Holder(4711, "cat")])
    options = ["--bank", "127.0.0.1:8583", "--tls", "--ca", "missing.pem"]
    assert command("serve", "--port", "/dev/null", *options) == 2
    assert "/dev/null is also open in cat (process 4711)" in capsys.readouterr().err
    assert command("serve", "--port", "loop://", *options) == 2
    assert "also open" not in capsys.readouterr().err
