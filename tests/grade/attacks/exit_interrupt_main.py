# problem: Attack/add
# trick: a thread interrupts the main thread while it is in the grader's code
# verdict: not passed
import _thread
import threading
import time


def nag():
    for _ in range(200):
        _thread.interrupt_main()
        time.sleep(0.001)


def solve(a, b):
    threading.Thread(target=nag, daemon=True).start()
    return None
