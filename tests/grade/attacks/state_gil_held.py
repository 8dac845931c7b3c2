# problem: Attack/add
# trick: sleeps in C with the interpreter locked
# verdict: timeout
import ctypes


def solve(a, b):
    ctypes.PyDLL(None).sleep(3600)
