"""The benchmarks run and report; how fast they are is no test's business."""

import json

import pytest

from tools.bench import (
    bank_socket,
    catalogue,
    journal,
    keys,
    link,
    link_noise,
    link_peers,
    link_virtual,
    measure,
    messages,
    payments,
    split,
    terminal,
)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure, "ROUNDS", 2)
    monkeypatch.setattr(measure, "ROUND_S", 0.0001)
    monkeypatch.setattr(payments, "ROUND_PAYMENTS", 1)
    monkeypatch.setattr(payments, "_HOUR_MS", 1)
    monkeypatch.setattr(terminal, "TERMINALS", 2)
    monkeypatch.setattr(bank_socket, "CONNECTIONS", 60)
    monkeypatch.setattr(bank_socket, "WARM", 10)
    monkeypatch.setattr(journal, "PAYMENTS", 8)
    monkeypatch.setattr(journal, "KINDS", ["approved"])
    monkeypatch.setattr(link, "GOODPUT_S", 0.5)
    monkeypatch.setattr(link, "EXCHANGES", 3)
    monkeypatch.setattr(link, "MOMENTS", range(1))
    monkeypatch.setattr(link, "REAL_TIME_S", 0.05)


def test_a_rate_counts_what_one_call_does() -> None:
    calls = 0

    def work() -> None:
        nonlocal calls
        calls += 1

    one, ten = measure.rate("one", work), measure.rate("ten", work, unit="MB/s", amount=1e9)
    assert calls > 4
    assert 0 < one.value < ten.value
    assert ten.unit == "MB/s"
    assert one.spread >= 0


def test_everything_is_measured_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert catalogue.main(["--json"]) == 0
    results = json.loads(capsys.readouterr().out)["results"]
    assert len(results) >= len(catalogue.BENCHES)
    assert all(result["value"] > 0 for result in results)


def test_a_split_counts_each_moment_once() -> None:
    class Inner:
        def work(self) -> None:
            spin()

    class Outer:
        def work(self) -> None:
            spin()
            Inner().work()

    def spin() -> None:
        sum(range(20_000))

    watch = split.Stopwatch("rest")
    with split.watched({"outer": [(Outer, "work")], "inner": [(Inner, "work")]}, watch):
        for _ in range(5):
            Outer().work()
    shares = watch.shares()
    assert shares.keys() == {"rest", "outer", "inner"}
    assert all(share > 0 for share in shares.values())
    assert sum(shares.values()) == pytest.approx(1)
    Outer().work()
    assert watch.shares()["outer"] < shares["outer"], "afterwards nobody watches, and only the rest grows"


def test_one_can_be_chosen(capsys: pytest.CaptureFixture[str]) -> None:
    assert catalogue.main(["messages"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[0] for line in lines[1:]] == [
        "ISO 8583 0200 encoded",
        "ISO 8583 0200 decoded",
        "ISO 8583 0200 encoded / pyiso8583",
        "ISO 8583 0200 decoded / pyiso8583",
    ]
    assert all("goal 1.000" in line for line in lines[3:])


def test_every_peer_of_the_key_calculations_computes_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    assert catalogue.main(["keys"]) == 0
    lines = capsys.readouterr().out.splitlines()
    ratios = [line for line in lines if " ratio " in line]
    assert [line.split(" / ")[0] for line in ratios[:2]] == [
        "PIN block + UnionPay MAC",
        "PIN block + X9.19 MAC",
    ]
    assert len(ratios) == 2 + len(keys.KSNS) + len(keys.AES_KSNS)
    assert all("goal" in line and "us here" in line for line in ratios)


def test_peers_that_are_not_installed_are_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(keys, "installed", lambda _name: None)
    monkeypatch.setattr(messages, "installed", lambda _name: None)
    assert catalogue.main(["messages", "keys"]) == 0
    lines = capsys.readouterr().out
    assert "messages: not compared with pyiso8583: not installed" in lines
    assert "keys: not compared with psec, pydukpt, dukpt: not installed" in lines
    assert " ratio " not in lines


def test_an_unknown_name_is_refused_with_the_known_ones(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        catalogue.main(["speed"])
    assert ended.value.code == 2
    assert "messages, keys, frames, payments" in capsys.readouterr().err


@pytest.mark.parametrize("bit_error_rate", link.BIT_ERROR_RATES)
@pytest.mark.parametrize("size", [128, 1024])
def test_the_links_goodput_reaches_its_goal(size: int, bit_error_rate: float) -> None:
    """In virtual time it depends on the seed alone, so it is a test's business; as long as the bench runs."""
    value = link_virtual.goodput(size, bit_error_rate, duration_s=40.0, seed=1)
    assert value >= link.references()["goodput"][str(size)][f"{bit_error_rate:g}"]["goal"]


def test_the_links_exchanges_repeat_and_reach_their_goals() -> None:
    goals = link.references()["exchange"]
    runs = [link_virtual.exchange_times_ms(1e-4, count=100, seed=2) for _ in range(2)]
    assert runs[0] == runs[1]
    assert link_virtual.quantile(runs[0], 0.99) < goals["p99"]["0.0001"]["goal"]
    bad = link_virtual.exchange_times_ms(1e-3, count=100, seed=2)
    assert link_virtual.quantile(bad, 0.99) < goals["p99"]["0.001"]["goal"]
    assert link_virtual.exchange_times_ms(0.0, count=20, seed=2)[10] <= goals["median"]["0"]["goal"]


@pytest.mark.parametrize("outage_s", [1.0, 4.0, 10.0])
def test_the_link_is_back_within_a_tenth_of_a_second(outage_s: float) -> None:
    assert max(link_virtual.recovery_ms(outage_s, moment=moment, seed=3) for moment in (0, 50, 100)) <= 100


def test_the_ideal_is_the_formulas() -> None:
    """128 bytes at 1e-4 with 8 bytes around them: 0.9412 x (1 - 1e-4)^1088."""
    assert link_virtual.ideal_goodput(128, 1e-4) == pytest.approx(0.8441, abs=1e-4)


def test_damaged_frames_are_never_taken_for_others() -> None:
    assert link_noise.false_accepts(50_000, seed=5) == 0


def test_goals_and_ideals_stand_beside_the_figures(capsys: pytest.CaptureFixture[str]) -> None:
    assert catalogue.main(["link"]) == 0
    lines = capsys.readouterr().out.splitlines()
    (worst,) = [line for line in lines if line.startswith("goodput 1024 B, BER 0.001")]
    assert "goal 0.450" in worst
    assert "ideal 0.583" in worst


def test_peers_of_the_link_are_measured_in_the_same_run() -> None:
    peers = link_peers.present()
    if not peers:
        pytest.skip("no peer is installed: pip install 'posterm[bench]'")
    for name, make in peers.items():
        fraction = link_peers.goodput(make, 128, 0.0, duration_s=2.0, seed=1)
        assert 0.5 < fraction < 1.0, name
        assert link_peers.goodput(make, 128, 0.0, duration_s=2.0, seed=1) == fraction, "the same seed"
        assert 24 <= link_peers.exchange_times_ms(make, 0.0, count=3, seed=1)[1] <= 40


def test_a_recorded_figure_is_called_recorded() -> None:
    entry = link.references()["goodput"]["128"]["0"]
    assert link.numbers(entry) == {"goal": 0.94, "recorded: tinyproto FD": 0.948}
