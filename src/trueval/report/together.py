"""One progress line for several runs at a time."""

from __future__ import annotations

from typing import Protocol, Unpack

from trueval.report.live import Progress

SAMPLES = "generate+grade"


class Line(Protocol):
    """What shows progress: `LiveLine`, or anything with its two methods."""

    def update(self, **fields: Unpack[Progress]) -> None:
        """New figures."""
        ...

    def message(self, text: str) -> None:
        """A line that stays."""
        ...


class Together:
    """Adds up what the runs say that are in flight; a run that is alone is shown as it is."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._parts: list[Part] = []
        self._shown = ""

    def part(self, name: str) -> Part:
        """The screen of one run, to be used as a context."""
        return Part(self, name)

    def begin(self, part: Part) -> None:
        """Another run is in flight."""
        self._parts.append(part)
        self.changed(part, {})

    def end(self, part: Part) -> None:
        """A run is over."""
        self._parts.remove(part)
        if self._parts:
            self.changed(self._parts[0], self._parts[0].state)

    def changed(self, part: Part, fields: Progress) -> None:
        """Show what a run has just said."""
        if len(self._parts) == 1:
            # After others: what it said meanwhile was not shown.
            was_alone, self._shown = not self._shown, ""
            said = fields if was_alone else part.state
            if said:
                self._line.update(**said)
            return
        phase = f"{len(self._parts)} runs"
        figures = self._sum()
        if phase != self._shown:  # a new phase: its pace starts from what there is
            self._shown = phase
            figures["phase"] = phase
        self._line.update(**figures)

    def say(self, part: Part, text: str) -> None:
        """A line that stays, with the run's name where it could be another's."""
        self._line.message(f"{part.name}: {text}" if len(self._parts) > 1 else text)

    def _sum(self) -> Progress:
        drawing = [part.samples for part in self._parts]
        totals = [one.get("total") for one in drawing]
        known = [total for total in totals if total is not None]
        return {
            "done": sum(one.get("done", 0) for one in drawing),
            # Of a run that still loads nobody knows how much it will be.
            "total": sum(known) if len(known) == len(totals) else None,
            "tokens": sum(one.get("tokens", 0) for one in drawing),
            "infra": sum(one.get("infra", 0) for one in drawing),
            "backlog": sum(one.get("backlog", 0) for one in drawing),
            # One share of several experiments would be nobody's.
            "passed": 0,
            "graded": 0,
        }


class Part:
    """The screen of one run among others."""

    def __init__(self, whole: Together, name: str) -> None:
        self.name = name
        self.state: Progress = {}
        self.samples: Progress = {}
        """What it said while it drew and graded: controls count other things."""
        self._whole = whole

    def __enter__(self) -> Part:
        self._whole.begin(self)
        return self

    def __exit__(self, *_exc: object) -> None:
        self._whole.end(self)

    def update(self, **fields: Unpack[Progress]) -> None:
        """New figures of this run."""
        self.state.update(fields)
        if self.state.get("phase") == SAMPLES:
            self.samples.update(fields)
        self._whole.changed(self, fields)

    def message(self, text: str) -> None:
        """A line that stays."""
        self._whole.say(self, text)
