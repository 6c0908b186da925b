"""Chip cards in software, by their commands: what the virtual slot and the readers in software both take.

How a card's bytes go over its contacts is not here, but where it is spoken: `hal/peripherals/`.
"""
