# problem: Attack/text
# why: answers with a member of a string enum
# verdict: passed
import enum


def solve(text):
    return enum.StrEnum("Word", {"ANSWER": text.upper()}).ANSWER
