# problem: Attack/add
# trick: answers right only where process_vm_readv reaches another process
# verdict: not passed
# needs: isolation
import ctypes
import os

libc = ctypes.CDLL(None, use_errno=True)


class Vector(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("size", ctypes.c_size_t)]


def solve(a, b):
    space = ctypes.create_string_buffer(8)
    local = Vector(ctypes.addressof(space), 8)
    remote = Vector(id(solve), 8)
    for pid in {os.getppid(), 1, 2, 3} - {0, os.getpid()}:
        if libc.process_vm_readv(pid, ctypes.byref(local), 1, ctypes.byref(remote), 1, 0) > 0:
            return a + b
