"""The part of a broken run that shows why: what is near to its strikes, and to what the finding names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import pairwise

GAP = "         …"
STRIKES_MAX = 5
"""Of more strikes it cannot be told which matter; a run that was made small has fewer."""
_STRIKE = re.compile(
    r" *[1-9]\d* \S+ (trouble: |power is off)"
)  # not the troubles that are there from the start
_BEGIN = " transaction: opening --begin"
_TILL = re.compile(r"till\d+")
_BATCH = re.compile(r"batch \d+|\d+/")
_NAMED = re.compile(r"\d{3,}")
_BEFORE = 3
"""What comes before a strike is told only if it is so many times nearer than what comes after it."""


def excerpt(story: Sequence[str], findings: Iterable[str], lines_max: int) -> list[str]:
    """So many lines of a story, in their order, with GAP where some are left out; a single one never is.

    They are those nearest to the strikes of the run and to the traces and amounts that the findings name;
    where there are neither, to the beginning of the last transaction.
    """
    if len(story) <= lines_max:
        return list(story)
    findings = list(findings)
    tills = set(_TILL.findall(" ".join(findings)))
    distance = _distances(len(story), _matter(story, findings))
    strangers = [
        bool(tills) and line.split()[1].startswith("till") and line.split()[1] not in tills for line in story
    ]
    ranked = sorted(range(len(story)), key=lambda number: (strangers[number], distance[number], -number))
    return _with_gaps(story, sorted(ranked[:lines_max]))


def _matter(story: Sequence[str], findings: Iterable[str]) -> list[tuple[int, int]]:
    """The lines that matter most, each with how many times farther everything before it is."""
    named = set(_NAMED.findall(_BATCH.sub("", " ".join(findings))))
    names = [(number, 1) for number, line in enumerate(story) if named & _numbers_in(line)]
    strikes = [(number, _BEFORE) for number, line in enumerate(story) if _STRIKE.match(line)]
    begins = [(number, _BEFORE) for number, line in enumerate(story) if _BEGIN in line]
    return names + (strikes if len(strikes) <= STRIKES_MAX else []) or begins[-1:] or [(len(story) - 1, 1)]


def _numbers_in(line: str) -> set[str]:
    """The traces and amounts that a line of a message has: "#000012" and "8.15" are 000012 and 815."""
    _at, _who, *words = line.split()
    return {
        word.lstrip("#").replace(".", "").lstrip("0") if "." in word else word.lstrip("#") for word in words
    }


def _distances(count: int, matter: Iterable[tuple[int, int]]) -> list[int]:
    """Of each line to the nearest of those that matter."""
    return [
        min(line - one if line >= one else before * (one - line) for one, before in matter)
        for line in range(count)
    ]


def _with_gaps(story: Sequence[str], chosen: Sequence[int]) -> list[str]:
    lines: list[str] = []
    for before, number in pairwise([-1, *chosen, len(story)]):
        left_out = story[before + 1 : number]
        lines += left_out if len(left_out) <= 1 else [GAP]
        lines += story[number : number + 1]
    return lines
