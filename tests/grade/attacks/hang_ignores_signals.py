# problem: Attack/add
# trick: ignores every signal that it can, and loops
# verdict: timeout
import signal

for number in signal.valid_signals():
    try:
        signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError):
        pass
signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())


def solve(a, b):
    while True:
        pass
