"""How long to wait before a server is asked again."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """Waits that double from `first_s` to `longest_s`, each drawn at random from its upper half."""

    first_s: float = 0.5
    longest_s: float = 20.0
    longest_asked_s: float = 60.0
    """The most that a server's Retry-After is followed."""

    def delay_s(self, failed_tries: int, asked_s: float | None = None) -> float:
        """Seconds to wait after so many failed tries, the server having asked for `asked_s`."""
        # Capped before the power, which would overflow a float after a thousand tries.
        doubled = self.first_s * 2.0 ** min(failed_tries - 1, 60)
        # Requests that failed together must not come back together.
        delay = min(doubled, self.longest_s) * random.uniform(0.5, 1.0)
        if asked_s is None:
            return delay
        # A little jitter on top: asking before the time is up would only be refused again.
        return min(asked_s, self.longest_asked_s) + min(delay, 0.1 * asked_s)


def parse_retry_after(header: str | None) -> float | None:
    """Seconds that a Retry-After header asks for, as a number or a date; None if it does not."""
    if not header:
        return None
    try:
        seconds = float(header)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(header).timestamp() - time.time()
        except (ValueError, OverflowError):
            return None
    # Not max(): that lets a NaN through when it comes second.
    return seconds if seconds > 0 else 0.0
