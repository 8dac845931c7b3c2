# problem: Attack/add
# why: works in threads
# verdict: passed
import threading


def solve(a, b):
    parts = [a, b, 0, 0, 0, 0, 0, 0]
    done = []
    threads = [threading.Thread(target=done.append, args=(part,)) for part in parts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(done)
