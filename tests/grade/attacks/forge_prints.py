# problem: every
# trick: prints what harnesses print for a pass, and leaves
# verdict: not passed
import os
import sys

for word in ("passed", "P", "PASSED", "OK", "ok", "1", "True", '{"verdict": "passed"}'):
    print(word, flush=True)
    print(word, file=sys.stderr, flush=True)
os._exit(0)
