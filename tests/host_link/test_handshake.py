from __future__ import annotations

import random
from dataclasses import replace

import pytest

from host_link.frames import Hello
from host_link.framing import NO_SESSION_TAG
from host_link.handshake import Handshake, HelloOutcome, Role

ROLES = (Role.TERMINAL, Role.GATEWAY)


def established() -> tuple[Handshake, Handshake]:
    terminal, gateway = (Handshake(role, nonce) for role, nonce in zip(ROLES, (11, 22), strict=True))
    assert gateway.accept(terminal.hello()) is HelloOutcome.NOTHING
    assert terminal.accept(gateway.hello()) is HelloOutcome.ESTABLISHED
    assert gateway.accept(terminal.hello()) is HelloOutcome.ESTABLISHED
    return terminal, gateway


def test_both_ends_make_the_same_tags_one_for_each_direction() -> None:
    ends = established()
    for role in ROLES:
        assert ends[0].tag(role) == ends[1].tag(role) != 0
    assert ends[0].tag(ROLES[0]) != ends[0].tag(ROLES[1])


def test_the_tags_that_an_end_keeps_are_those_of_its_nonces() -> None:
    terminal, gateway = established()
    assert (terminal.own_tag, terminal.peer_tag) == (gateway.peer_tag, gateway.own_tag)
    assert (terminal.own_tag, terminal.peer_tag) == (terminal.tag(ROLES[0]), terminal.tag(ROLES[1]))
    assert terminal.accept(Handshake(Role.GATEWAY, 33).hello()) is HelloOutcome.PEER_RESTARTED
    assert (terminal.own_tag, terminal.peer_tag) == (terminal.tag(ROLES[0]), terminal.tag(ROLES[1]))
    assert terminal.own_tag not in {gateway.own_tag, gateway.peer_tag}
    terminal.renew()
    assert (terminal.own_tag, terminal.peer_tag) == (NO_SESSION_TAG, NO_SESSION_TAG)


def test_an_established_nonce_is_not_used_with_another_peer() -> None:
    terminal, _ = established()
    assert terminal.accept(Handshake(Role.GATEWAY, 33).hello()) is HelloOutcome.PEER_RESTARTED
    assert (terminal.nonce != 11, terminal.peer_nonce, terminal.established) == (True, 33, False)


def test_a_nonce_that_was_not_established_may_change_its_peer() -> None:
    terminal = Handshake(Role.TERMINAL, 11)
    for nonce in (22, 33):
        assert terminal.accept(Handshake(Role.GATEWAY, nonce).hello()) is HelloOutcome.NOTHING
    assert (terminal.nonce, terminal.peer_nonce) == (11, 33)


def test_hearing_the_same_peer_again_changes_nothing() -> None:
    terminal, gateway = established()
    tag = terminal.tag(Role.GATEWAY)
    assert terminal.accept(gateway.hello()) is HelloOutcome.NOTHING
    assert terminal.tag(Role.GATEWAY) == tag


def test_an_end_of_the_same_role_is_not_a_peer() -> None:
    assert Handshake(Role.TERMINAL, 1).accept(Handshake(Role.TERMINAL, 2).hello()) is HelloOutcome.REFLECTED


USABLE = Hello(
    5,
    0,
    from_gateway=True,
    answer_wanted=True,
    version_max=1,
    version_min=0,
    body_bytes_max=64,
    window_bytes=256,
)


@pytest.mark.parametrize(
    "hello",
    [
        replace(USABLE, nonce=0),
        replace(USABLE, body_bytes_max=63),
        replace(USABLE, window_bytes=255),
        replace(USABLE, version_max=0),
    ],
)
def test_what_one_cannot_talk_to_is_not_bound(hello: Hello) -> None:
    terminal = Handshake(Role.TERMINAL, 11)
    assert terminal.accept(hello) is HelloOutcome.INCOMPATIBLE
    assert terminal.peer_nonce == 0


@pytest.mark.parametrize("seed", range(50))
def test_reboots_losses_and_ghosts_of_old_hellos_end_in_one_session(seed: int) -> None:
    """Any HELLO of the past may come again; a tag is never that of two different lives."""
    rng = random.Random(seed)
    ends = [Handshake(role, rng.getrandbits(32)) for role in ROLES]
    past: list[tuple[int, Hello]] = []
    lives = [0, 0]
    owners: dict[int, tuple[int, int]] = {}
    for _ in range(rng.randrange(5, 60)):
        sender = rng.randrange(2)
        if rng.random() < 0.15:
            ends[sender] = Handshake(ROLES[sender], rng.getrandbits(32))
            lives[sender] += 1
        past.append((sender, ends[sender].hello()))
        sender, hello = rng.choice(past) if rng.random() < 0.3 else past[-1]
        if rng.random() < 0.7:
            receiver = ends[1 - sender]
            outcome = receiver.accept(hello)
            if outcome is HelloOutcome.PEER_RESTARTED:
                lives[1 - sender] += 1
        for index, end in enumerate(ends):
            if end.established:
                life = (index, lives[index])
                assert owners.setdefault(hash((index, end.tag(ROLES[0]))), life) == life
    for _ in range(4):
        for sender in (0, 1):
            ends[1 - sender].accept(ends[sender].hello())
    assert all(end.established for end in ends)
    assert ends[0].tag(ROLES[0]) == ends[1].tag(ROLES[0])
