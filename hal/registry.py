"""From a profile to a board: which class is meant, what it is given, in which order devices are made.

The plan of this file. `BACKENDS` names a class for each (kind, backend); it is imported when chosen, so that
a missing vendor library hurts only who wants that device. Third parties add theirs with an entry point in the
group `posterm.hal`, named KIND.BACKEND. A constructor is read by its annotations: a parameter named after
another kind of device ("clock", "rng") is given that device, all others are options of the profile and
checked against their types. Options that are paths are taken from the state folder. Nothing is opened here.
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import types
import typing
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any, Literal, Union

from hal.api import Device, DeviceMissing
from hal.board import Board
from hal.profile import DeviceChoice, Profile, ProfileError, did_you_mean

ENTRY_POINT_GROUP = "posterm.hal"

KINDS = tuple(field.name for field in dataclasses.fields(Board))
"""The kinds of devices, in the order in which a board opens them."""

BACKENDS: Mapping[tuple[str, str], str] = {
    ("clock", "virtual"): "hal.virtual.clock:VirtualClock",
    ("clock", "host"): "hal.host.clock:SystemClock",
    ("storage", "virtual"): "hal.virtual.storage:MemoryStorage",
    ("storage", "sqlite"): "hal.virtual.storage:SqliteStorage",
    ("rng", "virtual"): "hal.virtual.rng:SeededRng",
    ("rng", "host"): "hal.host.rng:OsRng",
    ("tamper", "virtual"): "hal.virtual.tamper:VirtualTamper",
    ("display", "virtual"): "hal.virtual.display:VirtualDisplay",
    ("leds", "virtual"): "hal.virtual.leds:VirtualLeds",
    ("keypad", "virtual"): "hal.virtual.keypad:VirtualKeypad",
    ("buzzer", "virtual"): "hal.virtual.buzzer:VirtualBuzzer",
    ("card_reader", "virtual"): "hal.virtual.card_reader:VirtualCardReader",
    ("printer", "virtual"): "hal.virtual.printer:VirtualPrinter",
    ("printer", "serial"): "hal.serial.printer:SerialPrinter",
    ("printer", "lp"): "hal.pi.printer:LpPrinter",
    ("printer", "usb"): "hal.pi.printer:UsbPrinter",
    ("tamper", "gpio"): "hal.pi.gpio:GpioTamper",
    ("leds", "gpio"): "hal.pi.gpio:GpioLeds",
    ("buzzer", "gpio"): "hal.pi.gpio:GpioBuzzer",
    ("display", "luma"): "hal.pi.luma_display:LumaDisplay",
    ("display", "framebuffer"): "hal.pi.luma_display:FramebufferDisplay",
    ("display", "hd44780"): "hal.pi.character_lcd:CharacterLcd",
    ("keypad", "evdev"): "hal.pi.input_devices:EvdevKeypad",
    ("card_reader", "evdev"): "hal.pi.input_devices:EvdevMagstripeReader",
    ("card_reader", "hidraw"): "hal.pi.hidraw_magstripe:HidrawMagstripeReader",
    ("display", "vfd"): "hal.serial.vfd:SerialVfd",
    ("keypad", "serial"): "hal.serial.keypad:SerialKeypad",
    ("buzzer", "serial"): "hal.serial.buzzer:SerialBuzzer",
    ("buzzer", "in-display"): "hal.serial.buzzer:BuzzerInDisplay",
    ("buzzer", "in-printer"): "hal.serial.buzzer:BuzzerInPrinter",
    ("card_reader", "serial"): "hal.serial.magstripe:SerialMagstripeReader",
    ("smart_card", "virtual"): "hal.virtual.smart_card:VirtualSmartCardSlot",
    ("smart_card", "none"): "hal.chip.absent:AbsentSlot",
    ("smart_card", "ccid"): "hal.serial.ccid_slot:SerialCcidSlot",
    ("smart_card", "phoenix"): "hal.serial.phoenix_slot:SerialPhoenixSlot",
    ("smart_card", "pcsc"): "hal.pi.pcsc:PcscSlot",
    ("serial_port", "virtual"): "hal.virtual.serial_port:VirtualSerialPort",
    ("serial_port", "serial"): "hal.serial.port:PyserialPort",
}

EXTRAS: Mapping[str, str] = dict.fromkeys(("evdev", "gpiozero", "luma", "RPLCD"), "pi")
"""Which extra of this package brings a vendor's module."""

_OPTION_TYPES = (str, int, float, bool, datetime, Path)


def known_backends(kind: str) -> list[str]:
    """The names of the backends of one kind of device, ours and third parties', sorted."""
    ours = {backend for known_kind, backend in BACKENDS if known_kind == kind}
    theirs = {point.name.partition(".")[2] for point in _entry_points() if point.name.startswith(f"{kind}.")}
    return sorted(ours | theirs)


def backend_class(kind: str, backend: str) -> type[Any]:
    """Import the class of a backend.

    Raises ProfileError when nobody knows the backend, DeviceMissing when its module cannot be imported.
    """
    target = BACKENDS.get((kind, backend)) or _entry_point_target(kind, backend)
    if target is None:
        raise ProfileError(
            f"devices.{kind}: no backend {backend!r}{did_you_mean(backend, known_backends(kind))}"
        )
    module_name, _, class_name = target.partition(":")
    try:
        found = getattr(importlib.import_module(module_name), class_name)
    except ImportError as error:
        missing = error.name or module_name
        extra = EXTRAS.get(missing.partition(".")[0])
        remedy = f"pip install 'posterm[{extra}]'" if extra else "install it"
        raise DeviceMissing(
            f"devices.{kind}: backend {backend!r} needs the Python module {missing!r}: {remedy}, "
            f"or choose another backend ({', '.join(known_backends(kind))})"
        ) from None
    except AttributeError:
        raise DeviceMissing(
            f"devices.{kind}: {module_name} has no {class_name}: broken installation"
        ) from None
    if not inspect.isclass(found):
        raise DeviceMissing(f"devices.{kind}: {target} is not a class: broken installation")
    return found


def build_board(
    profile: Profile,
    *,
    state_folder: Path | None = None,
    devices: Mapping[str, Device] | None = None,
) -> Board:
    """Make every device that the profile names, and put them on a board. Nothing is opened.

    `state_folder`: where relative paths in the profile begin. `devices`: ready-made devices that replace the
    profile's, for simulations that share a clock or keep a storage over a power cut.

    Raises ProfileError (the profile does not fit) or DeviceMissing (a backend's library is not installed).
    """
    check_kinds(profile)
    return Board(**_Assembly(profile, state_folder, dict(devices or {})).all_devices())


def build_device(profile: Profile, kind: str, *, state_folder: Path | None = None) -> Device:
    """Make one device and what it depends on, for trying it out alone. Raises as `build_board`."""
    check_kinds(profile)
    if kind not in KINDS:
        raise ProfileError(f"no device is called {kind!r}{did_you_mean(kind, KINDS)}")
    return _Assembly(profile, state_folder, {}).device(kind)


def check_kinds(profile: Profile) -> None:
    """Raise ProfileError unless the profile names each kind of device, and no other."""
    for kind in profile.devices:
        if kind not in KINDS:
            raise ProfileError(
                f"profile {profile.name}: no device is called {kind!r}{did_you_mean(kind, KINDS)}"
            )
    for kind in KINDS:
        if kind not in profile.devices:
            raise ProfileError(
                f"profile {profile.name}: it must choose a backend for {kind!r}: "
                f"add [devices.{kind}] with backend = one of {', '.join(known_backends(kind))}"
            )


class _Assembly:
    """One board being made. `made` holds the devices so far, `_path` the kinds that wait for another one."""

    def __init__(self, profile: Profile, state_folder: Path | None, made: dict[str, Device]) -> None:
        self._profile = profile
        self._state_folder = state_folder
        self._made = made
        self._path: list[str] = []

    def all_devices(self) -> dict[str, Any]:
        return {kind: self.device(kind) for kind in KINDS}

    def device(self, kind: str) -> Device:
        if kind not in self._made:
            if kind in self._path:
                raise ProfileError(f"devices need each other in a circle: {' -> '.join([*self._path, kind])}")
            self._path.append(kind)
            self._made[kind] = self._make(kind, self._profile.devices[kind])
            self._path.pop()
        return self._made[kind]

    def _make(self, kind: str, choice: DeviceChoice) -> Device:
        place = f"profile {self._profile.name}: devices.{kind}"
        backend: Callable[..., Any] = backend_class(kind, choice.backend)
        parameters = _parameters(backend)
        options = {name: parameter for name, parameter in parameters.items() if name not in KINDS}
        _check_names(place, choice, options)
        arguments = {
            name: self._option(f"{place}.{name}", value, options[name].annotation)
            for name, value in choice.options.items()
        }
        arguments |= {name: self.device(name) for name in parameters if name in KINDS}
        try:
            device: Device = backend(**arguments)
        except ValueError as error:
            raise ProfileError(f"{place}: {error}") from None
        return device

    def _option(self, place: str, value: object, wanted: object) -> object:
        allowed = _alternatives(wanted)
        if Path in allowed and isinstance(value, str):
            is_word = value.startswith(":") and str in allowed  # such as ":memory:"
            return value if is_word else self._file(place, value)
        if float in allowed and type(value) is int:
            return float(value)
        if any(type(value) is kind or (value, type(value)) in _literal_values(kind) for kind in allowed):
            return value
        raise ProfileError(f"{place}: {value!r} does not fit, it must be {_description(allowed)}")

    def _file(self, place: str, value: str) -> Path:
        """The path as it is when absolute, else inside the state folder."""
        if Path(value).is_absolute():
            return Path(value)
        if self._state_folder is None:
            raise ProfileError(f"{place}: {value!r} is kept in the state folder: name one")
        return self._state_folder / value


@lru_cache(maxsize=256)  # evaluating annotations takes longer than making the devices of a board
def _parameters(backend: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """The constructor's parameters by name, annotations evaluated."""
    return dict(inspect.signature(backend, eval_str=True).parameters)


def _check_names(place: str, choice: DeviceChoice, options: Mapping[str, inspect.Parameter]) -> None:
    """Refuse options that the backend does not have, and the lack of one that it needs."""
    for name in choice.options:
        if name not in options:
            raise ProfileError(
                f"{place}: backend {choice.backend!r} has no option {name!r}{did_you_mean(name, options)}"
            )
    for name, parameter in options.items():
        if parameter.default is parameter.empty and name not in choice.options:
            raise ProfileError(f"{place}: backend {choice.backend!r} needs the option {name!r}")


def _alternatives(wanted: object) -> tuple[object, ...]:
    """The members of a union; anything else alone."""
    return typing.get_args(wanted) if typing.get_origin(wanted) in {Union, types.UnionType} else (wanted,)


def _literal_values(wanted: object) -> list[tuple[object, type]]:
    """The values of a Literal with their types (True is not 1 here)."""
    is_literal = typing.get_origin(wanted) is Literal
    return [(value, type(value)) for value in typing.get_args(wanted)] if is_literal else []


def _description(allowed: tuple[object, ...]) -> str:
    texts = [repr(value) for kind in allowed for value, _ in _literal_values(kind)]
    texts += [kind.__name__ for kind in _OPTION_TYPES if kind in allowed]
    return " or ".join(texts) or "left out: it cannot be set in a profile"


def _entry_points() -> metadata.EntryPoints:
    return metadata.entry_points(group=ENTRY_POINT_GROUP)


def _entry_point_target(kind: str, backend: str) -> str | None:
    return next((point.value for point in _entry_points() if point.name == f"{kind}.{backend}"), None)
