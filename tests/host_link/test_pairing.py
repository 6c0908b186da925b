"""Paired ends: only holders of the key talk, everything is sealed, nothing is good twice."""

from __future__ import annotations

import hashlib
import hmac
import re
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESCCM
from hypothesis import given, settings
from hypothesis import strategies as st

from host_link.events import (
    Channel,
    DownReason,
    LinkDown,
    LinkUp,
    MessageDelivered,
    MessageReceived,
    PeerRestarted,
)
from host_link.frames import HELLO_BYTES, Hello, decode_body, encode_body
from host_link.framing import FrameDecoder, FrameReceived, encode_frame
from host_link.handshake import Handshake, HelloOutcome, Role
from host_link.pairing import Opener, Pairing, Sealer, SessionIds, direction_key
from host_link.session import Session
from tests.host_link.virtual_link import VirtualLink

KEY, OTHER_KEY = bytes(range(32)), bytes(range(1, 33))


def expand(key: bytes, salt: bytes, context: bytes) -> bytes:
    """HKDF-SHA256 of up to 32 bytes, by the book (RFC 5869, section 2)."""
    extracted = hmac.digest(salt or bytes(32), key, "sha256")
    return hmac.digest(extracted, context + b"\x01", "sha256")


class PairedLink(VirtualLink):
    """Ends with keys of their own; everything that crosses the line is kept."""

    def __init__(self, keys: dict[str, bytes | None] | None = None, seed: int = 1, **options: float) -> None:
        self.keys = keys or {"a": KEY, "b": KEY}
        self.written: dict[str, list[bytes]] = {"a": [], "b": []}
        super().__init__(seed, **options)  # type: ignore[arg-type]
        for name, line in (("a", self.line.a_to_b), ("b", self.line.b_to_a)):
            write = line.write

            def keep(data: bytes, now_ms: int, *, name: str = name, write: object = write) -> None:
                self.written[name].append(data)
                write(data, now_ms)  # type: ignore[operator]

            line.write = keep  # type: ignore[method-assign]

    def boot(self, name: str) -> Session:
        role = Role.TERMINAL if name == "a" else Role.GATEWAY
        key = self.keys[name]
        session = Session(
            role,
            nonce=self.rng.getrandbits(32),
            bits_per_s=self.bits_per_s,
            pairing_key=key,
            pairing_salt=self.rng.randbytes(12) if key else b"",
        )
        session.open(now_ms=self.now_ms)
        self.sessions[name] = session
        return session


def received(link: VirtualLink, name: str) -> list[bytes]:
    return [event.payload for event in link.events[name] if isinstance(event, MessageReceived)]


# --- the seal ----------------------------------------------------------------------------------------


def test_seals_are_aes_ccm_under_a_key_from_hkdf() -> None:
    """Against another library, and HKDF written from its definition."""
    ids = SessionIds(0x01020304, b"T" * 12, 0xA0B0C0D0, b"G" * 12)
    context = b"posterm link session" + bytes.fromhex("01020304 A0B0C0D0") + b"T"
    key = expand(KEY, b"T" * 12 + b"G" * 12, context)[:16]
    assert direction_key(KEY, ids, b"T") == key
    assert direction_key(KEY, ids, b"G") != key
    sealer = Sealer(key)
    for number in range(200):
        body = bytes([number]) * 5
        sealed = sealer.seal(body)  # nobody says that any has arrived
        begin = 1 if number < 127 else 6
        start = bytes([number]) if begin == 1 else (1 << 47 | number).to_bytes(6, "big")
        assert sealed[:begin] == start
        assert AESCCM(key, tag_length=8).decrypt(number.to_bytes(13, "big"), sealed[begin:], None) == body
    with pytest.raises(InvalidTag):
        AESCCM(key, tag_length=8).decrypt(bytes(13), sealer.seal(b"body")[6:], None)


def test_the_proof_is_an_hmac_under_a_key_from_hkdf() -> None:
    key = expand(KEY, b"", b"posterm link hello")
    assert Pairing(KEY, bytes(12)).proof(b"body") == hmac.digest(key, b"body", hashlib.sha256)[:16]


@given(st.lists(st.tuples(st.integers(0, 140), st.booleans()), max_size=8))
@settings(max_examples=40, deadline=None)
def test_any_gap_is_bridged_and_no_seal_is_good_twice(steps: list[tuple[int, bool]]) -> None:
    """`steps`: how many frames are lost, and whether the sender learns that the next one arrived."""
    sealer, opener = Sealer(bytes(16)), Opener(bytes(16))
    seen: list[bytes] = []
    for lost, is_told in steps:
        for _ in range(lost):
            sealer.seal(b"lost")
        sealed = sealer.seal(b"body")
        assert opener.open(sealed) == b"body"
        seen.append(sealed)
        assert [opener.open(old) for old in seen[-3:]] == [None] * len(seen[-3:])
        if is_told:
            sealer.arrived(sealer.count - 1)


def test_any_change_of_a_seal_is_refused() -> None:
    sealed = Sealer(bytes(16)).seal(b"123456")
    opener = Opener(bytes(16))
    for index in range(len(sealed)):
        for bit in range(8):
            forged = bytearray(sealed)
            forged[index] ^= 1 << bit
            assert opener.open(bytes(forged)) is None
    for length in range(1, len(sealed)):
        assert opener.open(sealed[:length]) is None
    assert opener.open(sealed) == b"123456"


def test_lengths_are_checked_and_keys_are_not_shown() -> None:
    for key, salt in ((KEY[:31], bytes(12)), (KEY, b"")):
        with pytest.raises(ValueError, match="bytes"):
            Session(Role.TERMINAL, nonce=1, pairing_key=key, pairing_salt=salt)
    assert KEY[:4].hex() not in repr(Pairing(KEY, bytes(12)))
    assert repr(Pairing(KEY, bytes(12))) == "Pairing()"


def test_the_pages_examples_are_what_the_code_does() -> None:
    page = (Path(__file__).parents[2] / "docs" / "link-protocol.md").read_text("utf-8")
    examples = page[page.index("Pairing key 00 01 .. 1F") : page.index("## 13.")]
    rows = re.findall(r"^([A-Za-z' ]+?)   *((?:[0-9A-F]{2}[ \n]+)+)", examples, re.MULTILINE)
    told = {name: bytes.fromhex(text) for name, text in rows}
    terminal = Handshake(Role.TERMINAL, 0x01020304, Pairing(KEY, bytes(range(0x10, 0x1C))))
    gateway = Handshake(Role.GATEWAY, 0xA0B0C0D0, Pairing(KEY, bytes(range(0x20, 0x2C))))
    assert encode_body(terminal.hello()) == told["terminal's HELLO"]
    gateway.accept(over_the_line(terminal.hello()))
    assert encode_body(gateway.hello()) == told["gateway's answer"]
    ids = SessionIds(0x01020304, bytes(range(0x10, 0x1C)), 0xA0B0C0D0, bytes(range(0x20, 0x2C)))
    assert direction_key(KEY, ids, b"T") == told["key of terminal"]
    assert direction_key(KEY, ids, b"G") == told["key of gateway"]
    terminal.accept(over_the_line(gateway.hello()))
    assert terminal.protection
    sealer = terminal.protection.sealer
    sealed = sealer.seal(bytes.fromhex("A40000 0548454C4C4F"))
    assert sealed == told["sealed body"]
    assert encode_frame(sealed, terminal.tag(Role.TERMINAL)) == told["on the line"]
    while sealer.count < 127:
        sealer.seal(b"x")
    assert sealer.seal(bytes.fromhex("020101")) == told["long seal"]


# --- the handshake -----------------------------------------------------------------------------------


def over_the_line(hello: Hello) -> Hello:
    heard = decode_body(encode_body(hello))
    assert isinstance(heard, Hello)
    return heard


def test_two_ends_with_one_key_are_established_and_have_the_same_keys() -> None:
    terminal = Handshake(Role.TERMINAL, 11, Pairing(KEY, b"t" * 12))
    gateway = Handshake(Role.GATEWAY, 22, Pairing(KEY, b"g" * 12))
    assert gateway.accept(over_the_line(terminal.hello())) is HelloOutcome.NOTHING
    assert terminal.accept(over_the_line(gateway.hello())) is HelloOutcome.ESTABLISHED
    assert gateway.accept(over_the_line(terminal.hello())) is HelloOutcome.ESTABLISHED
    assert terminal.protection
    assert gateway.protection
    assert gateway.protection.opener.open(terminal.protection.sealer.seal(b"up")) == b"up"
    assert terminal.protection.opener.open(gateway.protection.sealer.seal(b"down")) == b"down"


@pytest.mark.parametrize("index", range(HELLO_BYTES + 12 + 12 + 16))
def test_no_byte_of_a_proven_hello_can_be_changed(index: int) -> None:
    terminal = Handshake(Role.TERMINAL, 11, Pairing(KEY, b"t" * 12))
    body = bytearray(encode_body(Handshake(Role.GATEWAY, 22, Pairing(KEY, b"g" * 12)).hello()))
    body[index] ^= 0x08
    hello = decode_body(bytes(body))
    if index == 0:  # another kind of frame
        assert hello is None
        return
    assert isinstance(hello, Hello)
    assert terminal.accept(hello) in {HelloOutcome.REFUSED, HelloOutcome.INCOMPATIBLE}
    assert terminal.peer_nonce == 0


def test_a_recorded_hello_restarts_nothing() -> None:
    """Whatever an earlier life of the peer has said: only who knows this end as it is now has restarted."""
    link = PairedLink()
    link.run_until(100)
    recorded = list(link.written["b"])
    link.boot("b")
    link.run_until(300)
    assert link.events["a"].count(PeerRestarted()) == 1
    for data in recorded:
        link.sessions["a"].receive(b"\0" + data, now_ms=link.now_ms)
    message_id = link.sessions["a"].send(Channel.HOST, b"still here", now_ms=link.now_ms)
    link.run_until(500)
    assert link.events["a"].count(PeerRestarted()) == 1
    assert link.events["a"][-1] == MessageDelivered(message_id)
    assert [event for event in link.events["b"] if isinstance(event, LinkDown)] == []


@pytest.mark.parametrize("rebooted", ["a", "b"])
def test_a_restart_is_noticed_within_a_round_trip(rebooted: str) -> None:
    link = PairedLink()
    link.run_until(300)
    other = "b" if rebooted == "a" else "a"
    assert link.events == {"a": [LinkUp()], "b": [LinkUp()]}
    link.boot(rebooted)
    link.run_until(340)
    assert link.events[other] == [LinkUp(), LinkDown(DownReason.PEER_RESTARTED), PeerRestarted(), LinkUp()]


# --- who may talk ------------------------------------------------------------------------------------


@pytest.mark.parametrize("strangers_key", [OTHER_KEY, None])
@pytest.mark.parametrize("stranger", ["a", "b"])
def test_a_peer_without_the_key_is_refused_and_both_are_told(
    stranger: str, strangers_key: bytes | None
) -> None:
    keys: dict[str, bytes | None] = {"a": KEY, "b": KEY}
    link = PairedLink(keys | {stranger: strangers_key})
    for session in link.sessions.values():
        session.send(Channel.HOST, b"for the peer", now_ms=0)
    link.run_until(3000)
    assert link.events == {name: [LinkDown(DownReason.AUTHENTICATION)] for name in "ab"}


def test_a_stranger_on_the_line_disturbs_no_session() -> None:
    link = PairedLink()
    link.run_until(300)
    session = link.sessions["a"]
    for stranger in (
        Handshake(Role.GATEWAY, 99),
        Handshake(Role.GATEWAY, 98, Pairing(OTHER_KEY, bytes(12))),
    ):
        session.receive(encode_frame(encode_body(stranger.hello())), now_ms=link.now_ms)
    for short in (b"\x03\x01\x01\x06", b"\x80", b"\x04\x01"):  # what would end a session that is not paired
        session.receive(encode_frame(short), now_ms=link.now_ms)
    for body in (b"\x04\x01", b"\x05\x04\x01" + bytes(8), b"\x01\x00\x00\xff"):
        session.receive(encode_frame(body, session._decoder.tag), now_ms=link.now_ms)
    message_id = session.send(Channel.HOST, b"hello", now_ms=link.now_ms)
    link.run_until(500)
    assert link.events["a"] == [LinkUp(), MessageDelivered(message_id)]
    assert session.counters.frames_refused == 3


def test_what_is_replayed_is_refused_and_delivers_nothing() -> None:
    link = PairedLink()
    link.run_until(300)
    for text in (b"one", b"two"):
        link.sessions["a"].send(Channel.HOST, text, now_ms=link.now_ms)
        link.run_until(link.now_ms + 100)
    receiver = link.sessions["b"]
    before = receiver.counters.frames_refused
    for data in list(link.written["a"]):
        receiver.receive(b"\0" + data, now_ms=link.now_ms)
    link.run_until(link.now_ms + 200)
    assert received(link, "b") == [b"one", b"two"]
    assert receiver.counters.frames_refused > before
    assert [event for event in link.events["a"] if isinstance(event, LinkDown)] == []


def test_a_silent_peer_is_not_kept_up_by_replays() -> None:
    link = PairedLink()
    link.run_until(300)
    recorded = b"\0".join(link.written["b"])
    link.line.cut(link.now_ms)
    for _ in range(40):
        link.sessions["a"].receive(b"\0" + recorded, now_ms=link.now_ms)
        link.run_until(link.now_ms + 100)
    assert link.events["a"] == [LinkUp(), LinkDown(DownReason.SILENCE)]


def test_nothing_of_a_message_crosses_the_line_in_clear() -> None:
    link = PairedLink()
    link.run_until(300)
    link.sessions["a"].send(Channel.HOST, b"a secret of many bytes", now_ms=link.now_ms)
    link.run_until(500)
    assert received(link, "b") == [b"a secret of many bytes"]
    decoder = FrameDecoder(link.sessions["b"]._decoder.tag)
    frames = decoder.feed(b"\0" + b"".join(link.written["a"]))
    bodies = b"".join(frame.body for frame in frames if isinstance(frame, FrameReceived))
    assert b"secret" not in bodies
    assert len(bodies) > 60


# --- in bad weather ----------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_everything_arrives_once_over_a_bad_line_with_outages(seed: int) -> None:
    link = PairedLink(seed=seed, bit_error_rate=3e-4, latency_ms=3 * seed)
    sent: dict[str, list[bytes]] = {"a": [], "b": []}
    for _ in range(25):
        for name in "ab":
            sent[name].append(link.rng.randbytes(link.rng.randrange(1, 600)))
            link.sessions[name].send(Channel.HOST, sent[name][-1], now_ms=link.now_ms)
        link.run_until(link.now_ms + 80)
        if link.rng.random() < 0.15:
            link.line.cut(link.now_ms)
            link.run_until(link.now_ms + link.rng.randrange(8000))
            link.line.mend(link.now_ms)
    link.run_until(link.now_ms + 8000)
    assert (received(link, "a"), received(link, "b")) == (sent["b"], sent["a"])
    assert all(session.counters.frames_refused == 0 for session in link.sessions.values())


def test_after_a_long_outage_the_session_goes_on() -> None:
    """Thousands of PINGs went unheard: the numbers of seals are far apart."""
    link = PairedLink()
    link.run_until(300)
    link.line.cut(300)
    link.sessions["a"].send(Channel.HOST, b"late", now_ms=300)
    link.run_until(300_000)
    link.line.mend(link.now_ms)
    link.run_until(link.now_ms + 1500)
    assert received(link, "b") == [b"late"]
    assert [type(event) for event in link.events["b"]][-3:] == [LinkDown, LinkUp, MessageReceived]


def test_a_close_is_believed_only_from_the_peer() -> None:
    link = PairedLink()
    link.run_until(300)
    link.sessions["a"].close(now_ms=link.now_ms)
    link.run_until(400)
    assert link.events["b"][-1] == LinkDown(DownReason.PEER_CLOSED)
    link.sessions["a"].open(now_ms=link.now_ms)
    link.run_until(700)
    assert [link.events[name][-1] for name in "ab"] == [LinkUp(), LinkUp()]
