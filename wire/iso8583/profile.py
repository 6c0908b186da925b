"""An acquirer's profile: what the specification leaves open, as data that both ends read.

The files lie beside this one in `profiles/*.toml`. The first, `unionpay`, has every key, with the default
that iso8583-pos states; any other gives what its acquirer does differently.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, get_args, get_type_hints

from wire.errors import CodecError

PROFILES = ("unionpay",)


@dataclass(frozen=True, slots=True)
class Profile:
    """One acquirer. Each value is explained where `profiles/unionpay.toml` gives its default."""

    name: str
    title: str
    pin_length_max: str
    parameter_code: Literal["360", "364"]
    adjustment_type: Literal["32", "34"]
    adjustment_amount: Literal["total", "tip"]
    detail_records_max: int
    swaps_tpdu: bool
    pin_tries_exceeded: Literal["75", "38"]
    completion_percent_max: int
    preauth_valid_days: int
    refund_days_max: int
    tip_percent_max: int
    reversal_resends: int
    response_timeout_s: int
    offline_kept_max: int
    other_batch_takes_payments: bool
    closed_batch_takes_payments: bool

    def changed(self, **values: Any) -> Profile:
        """The same with other values: what an acquirer's contract or a test asks for."""
        return replace(self, **values)


@functools.cache
def profile(name: str = "unionpay") -> Profile:
    """One of `PROFILES`. Raises CodecError (unsupported) for any other name."""
    if name not in PROFILES:
        raise CodecError("unsupported", None, f"the profiles are {', '.join(PROFILES)}")
    return profile_of(name, {**_read("unionpay"), **_read(name)})


def profile_with(name: str, values: Mapping[str, Any]) -> Profile:
    """The defaults with what an acquirer does differently, as in a file of its own. Raises CodecError."""
    return profile_of(name, {**_read("unionpay"), **values})


def profile_of(name: str, values: Mapping[str, Any]) -> Profile:
    """A profile out of a table as it stands in a file.

    Raises CodecError: unsupported for a key that there is not or a value that is not of its kind,
    missing_data when one is absent.
    """
    known = {field.name for field in fields(Profile)} - {"name"}
    unknown = sorted(values.keys() - known)
    if unknown:
        raise CodecError("unsupported", None, f'profile {name} has no key "{unknown[0]}"')
    absent = sorted(known - values.keys())
    if absent:
        raise CodecError("missing_data", None, f'profile {name} does not give "{absent[0]}"')
    _require_kinds(name, values)
    return Profile(name=name, **values)


def _require_kinds(name: str, values: Mapping[str, Any]) -> None:
    """Every value is of the kind of its default and, where there are only a few, one of them."""
    for key, kind in get_type_hints(Profile).items():
        if key == "name":
            continue
        choices = get_args(kind)
        is_right = values[key] in choices if choices else type(values[key]) is kind
        if not is_right:
            wanted = " or ".join(map(str, choices)) if choices else f"a {kind.__name__}"
            raise CodecError("unsupported", None, f"profile {name}: {key} must be {wanted}")


def _read(name: str) -> dict[str, Any]:
    # Imported here: a program that speaks no ISO 8583 has no use for a TOML reader.
    import tomllib
    from importlib import resources

    source = resources.files("wire.iso8583").joinpath("profiles", f"{name}.toml")
    return tomllib.loads(source.read_text(encoding="utf-8"))
