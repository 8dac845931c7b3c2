# problem: Attack/add
# trick: starts a program that goes on after the test
# verdict: not passed
# host: no process left
import subprocess
import sys

code = "open('/proc/self/comm', 'w').write('tv-attack'); import time; time.sleep(120)"


def solve(a, b):
    subprocess.Popen([sys.executable, "-c", code], start_new_session=True)
