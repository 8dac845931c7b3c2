# problem: Attack/add
# trick: waits for a lock that it holds
# verdict: timeout
import threading

lock = threading.Lock()


def solve(a, b):
    with lock, lock:
        return a + b
