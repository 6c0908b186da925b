"""The benchmarks run and report; how fast they are is no test's business."""

import json

import pytest

from tools.bench import catalogue, measure


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure, "ROUNDS", 2)
    monkeypatch.setattr(measure, "ROUND_S", 0.0001)


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


def test_one_can_be_chosen(capsys: pytest.CaptureFixture[str]) -> None:
    assert catalogue.main(["messages"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[0] for line in lines[1:]] == ["ISO 8583 0100 encoded", "ISO 8583 0100 decoded"]


def test_an_unknown_name_is_refused_with_the_known_ones(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        catalogue.main(["speed"])
    assert ended.value.code == 2
    assert "messages, frames, payments" in capsys.readouterr().err
