"""The wheel carries everything that a user runs, and works away from the checkout."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.arch.house import ROOMS, ROOT, files

# What only a checkout needs.
NOT_INSTALLED = {"tools/setup", "tools/check.py", "tools/make_font.py", "tools/pictures.py"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built by the backend alone: nothing is fetched."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    done = subprocess.run(build, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = folder.glob("*.whl")
    return path


def is_installed(path: Path) -> bool:
    name = path.as_posix()
    return not any(name == left or name.startswith(f"{left}/") for left in NOT_INSTALLED)


def test_the_wheel_carries_every_file_of_every_room(wheel: Path) -> None:
    carried = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    wanted = {path.as_posix() for path in files(*ROOMS, "examples") if is_installed(path)} | {"posterm.py"}
    assert carried == wanted


def test_the_licences_travel_with_the_wheel(wheel: Path) -> None:
    licences = {
        name.rpartition("/licenses/")[2] for name in zipfile.ZipFile(wheel).namelist() if "/licenses/" in name
    }
    assert licences == {"LICENSE", "hal/fonts/LICENSE-OFL.txt"}


def test_data_files_are_found_when_installed(wheel: Path, tmp_path: Path) -> None:
    """One payment from the installed files, with an empty HOME, far from the checkout."""
    site = tmp_path / "site"
    zipfile.ZipFile(wheel).extractall(site)
    program = (
        "import posterm, wire, sys; "
        f"assert posterm.__file__.startswith({str(site)!r}), posterm.__file__; "
        "from tools.cli import main; "
        "sys.exit(main(['sale', '--amount', '12.34', '--card', 'good', '--pin', '123456', '--json']))"
    )
    home = tmp_path / "home"
    home.mkdir()
    environment = {"HOME": str(home), "PATH": os.environ["PATH"], "PYTHONPATH": str(site)}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        cwd=home,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert '"outcome": "approved"' in done.stdout
