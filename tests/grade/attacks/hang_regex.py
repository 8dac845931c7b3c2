# problem: Attack/add
# trick: backtracks in a regular expression until the end of time
# verdict: timeout
import re


def solve(a, b):
    return re.match(r"(a|a)*$|(x+x+)+y", "a" * 100 + "b")
