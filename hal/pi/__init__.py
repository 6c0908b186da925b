"""Backends for the peripherals of a Raspberry Pi. The vendors' libraries are imported here, when used."""
