# problem: Attack/add
# why: leaves a daemon thread asleep
# verdict: passed
import threading
import time

threading.Thread(target=time.sleep, args=(60,), daemon=True).start()


def solve(a, b):
    return a + b
