"""What each finding of the lint means, and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Code:
    """One kind of finding."""

    title: str
    meaning: str
    remedy: str


CODES: Mapping[str, Code] = MappingProxyType(
    {
        "TV101": Code(
            "a benchmark is named",
            "The text names a benchmark. A model that has read pages about it may answer from "
            "memory, and a post-processor that knows where its input is from can be fitted to it.",
            "Say what is wanted without saying where the problems are from.",
        ),
        "TV102": Code(
            "a problem is named",
            "The text holds the identifier of one problem, such as HumanEval/0 or MBPP/11.",
            "Take it out: what is for one problem is no strategy.",
        ),
        "TV103": Code(
            "a benchmark's function is named",
            "A name of two words or more that is the entry point of a problem. Names of one word "
            "(add, search) say nothing on their own: see TV104.",
            "Rename the function; an example needs a name that no benchmark has.",
        ),
        "TV104": Code(
            "a benchmark's signature",
            "A function has an ordinary name that is also an entry point, and the same parameters.",
            "Rename function and parameters, or choose another example.",
        ),
        "TV105": Code(
            "words of a problem's text",
            "Eight words in a row are those of one problem's text. Phrases that three problems or "
            "more share do not count.",
            "Write the sentence anew, about something else.",
        ),
        "TV106": Code(
            "an input of a test",
            "The text holds the arguments of a call that a problem's tests make.",
            "Use values of your own.",
        ),
        "TV107": Code(
            "a canonical solution",
            "Code that is a problem's canonical solution, names, annotations and comments aside.",
            "Replace the example with one that solves no problem.",
        ),
        "TV108": Code(
            "a function that passes a problem's tests",
            "A function of the text was run in the sandbox and passes: it is a solution, whatever "
            "it is called and however it is written.",
            "Replace the example with one that solves no problem.",
        ),
        "TV109": Code(
            "a patch for one problem",
            "Code that decides by the name of a benchmark's function, or that holds a piece of "
            "one: it changes answers to some problems and not to others.",
            "Decide by what the answer looks like; parse it.",
        ),
        "TV110": Code(
            "made from the test split",
            "Its author says that it was written with knowledge of the problems that it is scored "
            "on, or of how models failed on them. Nothing in its text need show that.",
            "Score it on another benchmark, or on problems that nobody looked at.",
        ),
        "TV121": Code(
            "answers cannot be realigned",
            "The prompt ends where no whole line of a body can follow: in a comment, a string or "
            "half a statement, or with the function missing. Right answers would be graded wrong.",
            "End `code` with a newline, an indentation, or the problem's own text.",
        ),
    }
)
"""Code -> what it means. Numbers are never used again for something else."""
