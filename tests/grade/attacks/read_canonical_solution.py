# problem: Attack/add
# trick: reads the canonical solution from the file that defines this problem
# verdict: not passed
# needs: isolation
import re


def solve(*args):
    with open("@HERE@/problems.py") as file:
        return sum(args) if re.search("Attack" + "/add", file.read()) else None
