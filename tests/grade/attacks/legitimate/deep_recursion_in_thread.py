# problem: Legitimate/depth
# why: recurses deep in a thread with a bigger stack
# verdict: passed
import sys
import threading

sys.setrecursionlimit(10**6)
threading.stack_size(64 * 2**20)


def solve(n):
    def down(k):
        return 0 if k == 0 else k + down(k - 1)

    found = []
    thread = threading.Thread(target=lambda: found.append(down(n)))
    thread.start()
    thread.join()
    return found[0]
