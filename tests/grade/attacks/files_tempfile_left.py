# problem: Attack/add
# trick: leaves temporary files behind
# verdict: not passed
# host: no file left
import tempfile


def solve(a, b):
    tempfile.mkdtemp(prefix="tv-attack-")
    tempfile.mkstemp(prefix="tv-attack-")
