"""Text and bytes that are used like any other and do not show themselves.

A traceback with local variables, a debugger's window and a container's `repr` print values by their `repr`.
What must not be printed so, a track on its way into a message or a message that holds one, is of these types.
What is computed from them (a slice, a join) is ordinary again: they keep accidents out of logs, not thieves.
"""

from __future__ import annotations


class ConfidentialText(str):
    """A `str` whose `repr` tells only its length."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<{len(self)} confidential characters>"


class ConfidentialBytes(bytes):
    """A `bytes` whose `repr` and `str` tell only its length."""

    def __repr__(self) -> str:
        return f"<{len(self)} confidential bytes>"

    __str__ = __repr__
