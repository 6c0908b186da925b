"""Reading profiles: the shipped ones, and what a writer's mistake is answered with."""

from pathlib import Path

import pytest

from hal.profile import DeviceChoice, Profile, ProfileError, load_profile, parse_profile, shipped_profiles

MINIMAL = '[devices.clock]\nbackend = "virtual"\n'


def test_ships_these_profiles() -> None:
    assert shipped_profiles() == ["headless", "pi", "serial", "serial-loopback", "virtual"]


@pytest.mark.parametrize("name", shipped_profiles())
def test_shipped_profiles_say_what_they_are_for(name: str) -> None:
    profile = load_profile(name)
    assert profile.name == name
    assert profile.description


def test_reads_backend_and_options() -> None:
    text = 'description = "mine"\n' + MINIMAL + '[devices.printer]\nbackend = "acme"\npaper_mm = 7\n'
    assert parse_profile("mine", text) == Profile(
        "mine",
        {"clock": DeviceChoice("virtual"), "printer": DeviceChoice("acme", {"paper_mm": 7})},
        "mine",
    )


def test_reads_a_file_by_its_path(tmp_path: Path) -> None:
    path = tmp_path / "counter-3.toml"
    path.write_text(MINIMAL)
    assert load_profile(path) == load_profile(str(path)) == parse_profile("counter-3", MINIMAL)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"\[devices.KIND\]"),
        ("devices = 7", r"\[devices.KIND\]"),
        ("[devices]\n", r"\[devices.KIND\]"),
        ("[devices\n", r"not TOML: .*line 1"),
        ("[devices]\nclock = 1", "devices.clock: must be a table"),
        ("[devices.clock]\nstart = 1", "devices.clock: it must name its backend"),
        ("[devices.clock]\nbackend = 1", "devices.clock: it must name its backend"),
        ("description = 1\n" + MINIMAL, "description must be a text"),
        ('descripton = "x"\n' + MINIMAL, r"unknown key 'descripton' \(did you mean 'description'\?\)"),
    ],
)
def test_a_mistake_is_named(text: str, message: str) -> None:
    with pytest.raises(ProfileError, match=message) as caught:
        parse_profile("mine", text)
    assert str(caught.value).startswith("profile mine: ")
    assert "\n" not in str(caught.value)


def test_an_unknown_name_is_answered_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(
        ProfileError, match=r"no profile 'vrtual': take one of headless, pi, serial, serial-loopback, virtual"
    ):
        load_profile("vrtual")
    with pytest.raises(ProfileError, match="No such file"):
        load_profile(tmp_path / "absent.toml")
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"\xff\xfe")
    with pytest.raises(ProfileError, match="UTF-8"):
        load_profile(binary)


def test_changes_make_a_new_profile() -> None:
    profile = parse_profile("mine", MINIMAL + "a = 1\nb = 2\n")
    assert profile.with_options("clock", b=3, c=4).devices == {
        "clock": DeviceChoice("virtual", {"a": 1, "b": 3, "c": 4})
    }
    assert profile.with_device("clock", "host").devices == {"clock": DeviceChoice("host")}
    assert profile.devices == {"clock": DeviceChoice("virtual", {"a": 1, "b": 2})}
    with pytest.raises(ProfileError, match=r"no device 'clok' \(did you mean 'clock'\?\)"):
        profile.with_options("clok", a=1)
