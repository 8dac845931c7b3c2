# problem: Attack/add
# trick: answers right only where system calls work that no program of a test needs
# verdict: not passed
# needs: isolation
import ctypes
import platform

libc = ctypes.CDLL(None, use_errno=True)


def solve(a, b):
    if platform.machine() != "x86_64":
        return None
    # keyctl, add_key, io_uring_setup, userfaultfd, perf_event_open
    for number, arguments in (
        (250, (0, -3, 1, 0, 0)),
        (425, (1, ctypes.create_string_buffer(120), 0, 0, 0)),
        (323, (0, 0, 0, 0, 0)),
    ):
        if libc.syscall(number, *arguments) >= 0:
            return a + b
