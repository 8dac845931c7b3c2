# problem: Attack/add
# why: uses an alarm honestly
# verdict: passed
import signal


class Late(Exception):
    pass


def late(*_):
    raise Late


def solve(a, b):
    signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, 0.02)
    try:
        while True:
            pass
    except Late:
        return a + b
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
