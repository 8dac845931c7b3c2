# problem: Attack/add
# trick: leaves a thread behind that never ends
# verdict: not passed
import threading
import time

threading.Thread(target=time.sleep, args=(3600,)).start()


def solve(a, b):
    return None
