"""A tamper switch that trips when it is told to. What dies with it: `hal.device_key`."""

from __future__ import annotations

from hal.device_key import KeyedTamper


class VirtualTamper(KeyedTamper):
    """A case that scripts open (`trip`) and close (`service_reset`).

    Not modelled: battery, sensors, grace times.
    """
