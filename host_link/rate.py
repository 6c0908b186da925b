"""A faster line by agreement: when to try which rate, and the way back when it does not work.

The gateway leads. Both ends change only when the line between them is empty, and a new rate is kept only
when each end has heard the other at it. Whatever frame of this is lost, and whichever end restarts in the
middle, both come back to the rate at which the line was opened, by their own timers.

    state      event                                         what happens
    BASE       a rate left to try, link up for CALM (leads)   PROPOSE; ASKING
    BASE       PROPOSE (follows)                              AGREE; LEAVING. Too fast: REFUSE
    ASKING     AGREE                                          LEAVING
    ASKING     REFUSE                                         BASE; slower rates are tried at once
    ASKING     no answer, five times                          BASE; again after a while
    LEAVING    GUARD after the last byte has left             the new rate; TEST; TRYING
    TRYING     TEST                                           HERE
    TRYING     HERE, or any frame but TEST                    RAISED
    TRYING     TRIAL after the change                         base rate; BASE; the leader gives that rate up
    RAISED     TEST                                           HERE
    RAISED     bytes but no frame for LOST                    base rate; BASE; the leader gives that rate up
    RAISED     so many errors that the base carries more      base rate; BASE; that rate is given up
    RAISED     SILENCE; port new                              base rate; BASE
    any        the session ends                               base rate; RETURNING until CLOSE has left

Between PROPOSE or AGREE and RAISED an end sends nothing else. Times here are microseconds.
"""

from __future__ import annotations

from enum import Enum

from host_link.frames import Rate, RateStep

RATES = (
    *(19_200, 38_400, 57_600, 115_200, 230_400, 460_800, 921_600),
    *(1_000_000, 1_500_000, 2_000_000, 3_000_000, 4_000_000),
)
CALM_US = 100_000
ANSWER_US = 100_000
PROPOSALS_MAX = 5
AGAIN_US, AGAIN_MAX_US = 2_000_000, 64_000_000
GUARD_US = 20_000
"""From the moment when the last byte should have left: an adapter may be behind by some milliseconds."""
TEST_INTERVAL_US = 25_000
TRIAL_US = 300_000
LOST_US = 200_000


class RateState(Enum):
    """Where an end is in the change of the line's rate."""

    BASE = "base"
    ASKING = "asking"
    LEAVING = "leaving"
    TRYING = "trying"
    RAISED = "raised"
    RETURNING = "returning"  # CLOSE is leaving


_QUIET = (RateState.ASKING, RateState.LEAVING, RateState.TRYING, RateState.RETURNING)


class RateControl:
    """One end's knowledge of the line's rate. `most_bits_per_s`: the fastest it may take; None: no other.

    `bits_per_s` is what the line must be set to now. Its owner passes on what comes and what time it is.
    """

    def __init__(self, base_bits_per_s: int, most_bits_per_s: int | None, *, leads: bool) -> None:
        self._become(RateState.BASE)
        self.bits_per_s = base_bits_per_s
        self.raise_count = self.fall_back_count = 0
        self.most_bits_per_s = max(base_bits_per_s, most_bits_per_s or 0)
        self.can_change = self.most_bits_per_s > base_bits_per_s
        """Whether there is any other rate than the first."""
        self._base_bits_per_s = base_bits_per_s
        self._leads = leads
        self._is_agreed = False  # both ends can change
        self._limit = self.most_bits_per_s  # what has not been refused or given up
        self._target = 0
        self._due_us: int | None = None  # of the state's timer
        self._test_due_us = 0
        self._proposals = 0
        self._again_us = AGAIN_US
        self._disturbed_us: int | None = None  # since then bytes came, but no frame
        self._has_asked = False  # whether the peer is there, since then
        self._outbox: list[Rate] = []

    def _become(self, state: RateState) -> None:
        """Enter a state, and keep what follows from it: that is asked with every frame."""
        self.state = state
        self.is_raised = state is RateState.RAISED
        """Whether both ends talk at another rate than the first."""
        self.is_quiet = state in _QUIET
        """Whether nothing but frames of the change may go out."""
        self.holds_hello = state is RateState.RETURNING
        """Whether even HELLO waits: it belongs at the base rate."""

    # --- the session --------------------------------------------------------------------------------

    def link_is_up(self, now_us: int, *, agreed: bool) -> None:
        """A session was made, or the line came back. `agreed`: both ends can change rates."""
        self._is_agreed = agreed
        if self.state is RateState.BASE:
            self._plan(now_us + CALM_US)

    def line_is_out(self) -> None:
        """Nothing was heard for long, or the port is a new one: the base rate, where the peer will look too.

        That was not the rate's fault: what was given up may be tried again.
        """
        self._fall_back()
        self._limit = self.most_bits_per_s

    def say_farewell(self) -> None:
        """CLOSE is to be sent, at the rate of its session; `farewell_leaves` must follow."""
        if self.bits_per_s != self._base_bits_per_s:
            self._become(RateState.RETURNING)
            self._due_us, self._outbox = None, []

    def session_ended(self) -> None:
        """All is forgotten; what was given up may be tried again in the next session."""
        self._is_agreed = False
        self._limit, self._again_us = self.most_bits_per_s, AGAIN_US
        if self.state is not RateState.RETURNING:
            self._to_base()

    def farewell_leaves(self, left_us: int) -> None:
        """CLOSE has been handed over and will have left then."""
        if self.state is RateState.RETURNING:
            self._due_us = left_us + GUARD_US

    # --- what came ----------------------------------------------------------------------------------

    def heard(self) -> None:
        """An intact frame of the session came, and it was none of the change."""
        self._disturbed_us = None
        if self.state is RateState.TRYING:
            self._raised()

    def disturbed(self, now_us: int) -> None:
        """Bytes came that completed no frame."""
        if self.is_raised and self._disturbed_us is None:
            self._disturbed_us, self._has_asked = now_us, False

    def on_rate(self, rate: Rate, now_us: int) -> None:
        """Work a frame of the change in. One that does not fit the state is ignored."""
        self._disturbed_us = None
        is_ours = rate.bits_per_s == self._target
        match rate.step:
            case RateStep.PROPOSE if self.state is RateState.BASE and not self._leads:
                self._consider(rate.bits_per_s)
            case RateStep.AGREE if self.state is RateState.ASKING and is_ours:
                self._become(RateState.LEAVING)
                self._due_us = now_us + GUARD_US
            case RateStep.REFUSE if self.state is RateState.ASKING:
                self._become(RateState.BASE)
                self._limit = min(rate.bits_per_s, self._target - 1)
                self._plan(now_us)
            case RateStep.TEST if self.state in {RateState.TRYING, RateState.RAISED} and is_ours:
                self._say(RateStep.HERE, self._target)
            case RateStep.HERE if self.state is RateState.TRYING and is_ours:
                self._raised()

    def _consider(self, bits_per_s: int) -> None:
        if not self._base_bits_per_s < bits_per_s <= self._limit:
            self._say(RateStep.REFUSE, self._limit)
            return
        self._become(RateState.LEAVING)
        self._target, self._due_us = bits_per_s, None
        self._say(RateStep.AGREE, bits_per_s)

    def give_up(self, now_us: int) -> None:
        """This rate does not do."""
        if self.bits_per_s != self._base_bits_per_s:
            self._limit = self._target - 1
            self._fall_back()
            self._plan(now_us + self._again_us)

    def judge(self, carried_share: float, now_us: int) -> None:
        """Give the rate up when so much is lost at it that the base rate would carry more."""
        if carried_share * self.bits_per_s < self._base_bits_per_s:
            self.give_up(now_us)

    # --- time ---------------------------------------------------------------------------------------

    def deadline_us(self, timeout_us: int) -> int | None:
        """When to call `on_deadline`. `timeout_us`: how long an answer may take on this line."""
        due_us = self._due_us
        if self.state is RateState.TRYING:
            due_us = self._test_due_us if due_us is None else min(due_us, self._test_due_us)
        if self._disturbed_us is not None:
            lost_us = _lost_us(timeout_us)
            look_us = self._disturbed_us + (lost_us if self._has_asked else lost_us // 2)
            due_us = look_us if due_us is None else min(due_us, look_us)
        return due_us

    def on_deadline(self, now_us: int, timeout_us: int) -> bool:
        """Do what has become due by now; returns whether to ask the peer with a PING if it is there."""
        if self._disturbed_us is not None:
            return self._look_into(now_us, _lost_us(timeout_us))
        if self._due_us is not None and self._due_us <= now_us:
            self._on_timer(now_us)
        if self.state is RateState.TRYING and self._test_due_us <= now_us:
            self._say(RateStep.TEST, self._target)
            self._test_due_us = now_us + TEST_INTERVAL_US
        return False

    def _look_into(self, now_us: int, lost_us: int) -> bool:
        """Find out whether it was noise or a peer that speaks at another rate."""
        assert self._disturbed_us is not None
        disturbed_for_us = now_us - self._disturbed_us
        if disturbed_for_us >= lost_us:
            self._fail(now_us + self._again_us)
            return True
        asks = disturbed_for_us >= lost_us // 2 and not self._has_asked
        self._has_asked = self._has_asked or asks
        return asks

    def _on_timer(self, now_us: int) -> None:
        self._due_us = None
        match self.state:
            case RateState.BASE:
                self._propose_next()
            case RateState.ASKING if self._proposals < PROPOSALS_MAX:
                self._propose()
            case RateState.ASKING:
                self._become(RateState.BASE)
                self._plan(now_us + self._again_us)
                self._again_us = min(2 * self._again_us, AGAIN_MAX_US)
            case RateState.LEAVING:
                self._become(RateState.TRYING)
                self.bits_per_s = self._target
                self._test_due_us, self._due_us = now_us, now_us + TRIAL_US
            case RateState.TRYING:
                self._fail(now_us + CALM_US)
            case RateState.RETURNING:
                self._to_base()

    # --- changes ------------------------------------------------------------------------------------

    def _plan(self, due_us: int) -> None:
        self._due_us = due_us if self._leads and self._is_agreed else None

    def _propose_next(self) -> None:
        """Ask for the fastest rate that is left, if any is."""
        rates = [rate for rate in (*RATES, self.most_bits_per_s) if rate <= self._limit]
        self._target = max(rates, default=0)
        if self._target > self._base_bits_per_s:
            self._become(RateState.ASKING)
            self._proposals = 0
            self._propose()

    def _propose(self) -> None:
        self._proposals += 1
        self._say(RateStep.PROPOSE, self._target)

    def _raised(self) -> None:
        self._become(RateState.RAISED)
        self._due_us = None
        self.raise_count += 1
        self._again_us = AGAIN_US

    def _fail(self, again_us: int) -> None:
        """The peer cannot be heard at this rate. Only the leader knows that it was there."""
        if self._leads:
            self._limit = self._target - 1
        self._fall_back()
        self._plan(again_us)

    def _fall_back(self) -> None:
        self.fall_back_count += self.bits_per_s != self._base_bits_per_s
        self._to_base()

    def _to_base(self) -> None:
        self._become(RateState.BASE)
        self.bits_per_s = self._base_bits_per_s
        self._due_us = self._disturbed_us = None
        self._outbox = []

    # --- what goes out ------------------------------------------------------------------------------

    def _say(self, step: RateStep, bits_per_s: int) -> None:
        rate = Rate(step, bits_per_s)
        if rate not in self._outbox:
            self._outbox.append(rate)

    def next_frame(self) -> Rate | None:
        """A frame that is to go out now. `sent` must follow."""
        return self._outbox.pop() if self._outbox else None

    def sent(self, rate: Rate, left_us: int, timeout_us: int) -> None:
        """It has been handed over; its last byte leaves then."""
        if rate.step is RateStep.PROPOSE:
            self._due_us = left_us + ANSWER_US + timeout_us
        elif rate.step is RateStep.AGREE:
            self._due_us = left_us + GUARD_US


def _lost_us(timeout_us: int) -> int:
    return max(LOST_US, 4 * timeout_us)
