"""Pairing keys in files, and recordings of paired ends."""

from __future__ import annotations

import stat
from dataclasses import replace
from pathlib import Path

import pytest

from bank.provision import load_provision
from host_link.events import Channel
from host_link.recording import Record, RecordingHeader
from host_link.session import Role, Session
from tools.cli import main
from tools.link_pair import read_pairing_key, write_pairing_key
from tools.runtime import StationPlan, settings_of, start_station
from tools.wire_log import FrameKind, LoggedFrame, WireLog
from wire.iso8583 import IsoMessage, dialect

KEY = bytes(range(32))
REQUEST = dialect("unionpay").encode(
    IsoMessage(
        "0100", {3: "030000", 4: "000000001234", 11: "000007", 35: "6225880123456783D30121200000000000"}
    )
)


def test_a_key_is_made_for_one_user_and_never_over_another(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "till.key"
    assert main(["link", "pair", str(path)]) == 0
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    key = read_pairing_key(path)
    assert len(key) == 32
    shown = capsys.readouterr().out
    assert "pairing key" in shown
    assert key.hex() not in shown
    assert main(["link", "pair", str(path)]) == 2
    assert "exists" in capsys.readouterr().err
    assert read_pairing_key(path) == key
    assert main(["link", "pair", str(tmp_path / "no" / "such")]) == 2


@pytest.mark.parametrize(
    ("content", "mode", "told"),
    [(b"00" * 31, 0o600, "holds no pairing key"), (b"\xff" * 64, 0o600, "holds no pairing key"),
     (b"00" * 32, 0o644, "can be read by others"), (None, 0, "cannot be read")],
)  # fmt: skip
def test_a_file_that_is_no_key_is_refused(
    content: bytes | None, mode: int, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "key"
    if content is not None:
        path.write_bytes(content)
        path.chmod(mode)
    common = ["--pairing-key-file", str(path)]
    for command in (
        ["link", "serve", "--port", "loop://", "--bank", "127.0.0.1:1"],
        ["terminal", "--link", "loop://", "--state", str(tmp_path / "state")],
    ):
        assert main([*command, *common]) == 2
        assert told in capsys.readouterr().err


def conversation() -> list[tuple[int, str, bytes]]:
    """Two paired ends, and a request from the terminal: (ms, side, bytes)."""
    ends = {
        role: Session(role, nonce=7 + index, pairing_key=KEY, pairing_salt=bytes([index]) * 12)
        for index, role in enumerate(Role)
    }
    written = []
    for end in ends.values():
        end.open(now_ms=0)
    for now_ms in range(0, 300, 5):
        if now_ms == 100:
            ends[Role.TERMINAL].send(Channel.HOST, REQUEST, now_ms=now_ms)
        for role, end in ends.items():
            end.on_deadline(now_ms=now_ms)
            if data := end.bytes_to_send(now_ms=now_ms):
                written.append((now_ms, role.value, data))
                ends[role.peer].receive(data, now_ms=now_ms)
    return written


def logged(pairing_key: bytes | None) -> list[LoggedFrame]:
    log = WireLog(pairing_key=pairing_key)
    for piece in conversation():
        log.feed(*piece)
    return list(log.frames)


@pytest.mark.parametrize("key", [None, bytes(32)])
def test_without_the_key_frames_are_shown_as_protected(key: bytes | None) -> None:
    frames = logged(key)
    assert {frame.kind for frame in frames} == {FrameKind.HELLO, FrameKind.PROTECTED}
    for frame in frames:
        assert frame.messages == ()
        assert frame.kind is FrameKind.HELLO or set(frame.hex_masked) == {"*"}


def test_with_the_key_the_message_is_shown_masked() -> None:
    frames = logged(KEY)
    assert not {FrameKind.PROTECTED, FrameKind.DAMAGED} & {frame.kind for frame in frames}
    (message,) = [message for frame in frames for message in frame.messages]
    assert (message.mti, message.channel) == ("0100", Channel.HOST)
    amount = message.field(4)
    assert amount is not None
    assert amount.value_masked == "000000001234"
    assert "0123456783" not in "".join(map(repr, frames))


def test_decode_takes_the_key(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recording, key_file = tmp_path / "line.ptlr", tmp_path / "till.key"
    write_pairing_key(key_file, KEY)
    header = RecordingHeader(1_700_000_000_000_000, 115_200, ("/dev/ttyUSB0",))
    records = (Record(at_ms * 1000, 0, side, data) for at_ms, side, data in conversation())
    recording.write_bytes(header.encode() + b"".join(record.encode() for record in records))
    assert main(["link", "decode", str(recording)]) == 0
    assert "PROTECTED" in capsys.readouterr().out
    key_option = ["--pairing-key-file", str(key_file)]
    assert main(["link", "decode", str(recording), *key_option]) == 0
    shown = capsys.readouterr().out
    assert "authorisation 0100" in shown
    assert "PROTECTED" not in shown
    out = tmp_path / "line.pcapng"
    assert main(["link", "pcapng", str(recording), "-o", str(out), *key_option]) == 0
    assert dialect("unionpay").masked_hex(REQUEST)
    assert out.stat().st_size > len(REQUEST)


@pytest.mark.parametrize("clock", ["--virtual-time", "--live"])
def test_a_station_pairs_its_own_line(tmp_path: Path, capsys: pytest.CaptureFixture[str], clock: str) -> None:
    path = tmp_path / "till.key"
    write_pairing_key(path, KEY)
    sale = ["sale", "--amount", "1.00", "--card", "good", "--pin", "123456", clock, "--pairing-key-file"]
    assert main([*sale, str(path)]) == 0
    assert main([*sale, str(tmp_path / "no")]) == 2
    assert "cannot be read" in capsys.readouterr().err


def test_a_paired_station_s_line_can_be_read_with_the_key_only() -> None:
    logs = [WireLog(), WireLog(pairing_key=KEY)]

    def tap(at_ms: int, side: str, data: bytes) -> None:
        for log in logs:
            log.feed(at_ms, side, data)

    settings = replace(settings_of(load_provision()), pairing_key=KEY)
    with start_station(StationPlan(settings=settings, tap=tap)) as station:
        station.enter_amount("1.00")
    kinds = [{frame.kind for frame in log.frames} for log in logs]
    assert FrameKind.PROTECTED in kinds[0]
    assert FrameKind.DATA not in kinds[0]
    assert FrameKind.DATA in kinds[1]
    assert FrameKind.PROTECTED not in kinds[1]
