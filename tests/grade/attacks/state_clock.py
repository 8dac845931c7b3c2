# problem: Attack/add
# trick: stops every clock that it can reach, and loops
# verdict: timeout
import signal
import time

time.time = time.monotonic = time.perf_counter = time.process_time = lambda: 0.0
time.clock_gettime = lambda *_: 0.0
for timer in (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF):
    signal.setitimer(timer, 0)


def solve(a, b):
    while True:
        pass
