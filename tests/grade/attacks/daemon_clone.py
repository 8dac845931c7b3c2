# problem: Attack/add
# trick: makes a process by the clone system calls, past libc
# verdict: not passed
# host: no process left
import ctypes
import platform
import time

libc = ctypes.CDLL(None, use_errno=True)


def solve(a, b):
    number = 56 if platform.machine() == "x86_64" else 220
    if libc.syscall(number, 17, 0, 0, 0, 0) == 0:
        with open("/proc/self/comm", "w") as file:
            file.write("tv-attack")
        time.sleep(120)
