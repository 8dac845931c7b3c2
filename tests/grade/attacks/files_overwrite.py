# problem: Attack/add
# trick: overwrites, truncates, renames and re-modes a file outside its folder
# verdict: not passed
# needs: isolation
# host: canary intact
import os

target = "@CANARY@/keep.txt"


def attempt(action):
    try:
        action()
    except OSError:
        pass


def solve(a, b):
    attempt(lambda: open(target, "a").write("gone"))
    attempt(lambda: os.truncate(target, 0))
    attempt(lambda: os.chmod(target, 0))
    attempt(lambda: os.rename(target, "@CANARY@/gone.txt"))
    attempt(lambda: os.link(target, "@CANARY@/tv-attack-link"))
