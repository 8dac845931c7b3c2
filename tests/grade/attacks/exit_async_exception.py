# problem: Attack/add
# trick: a thread throws SystemExit into the main thread again and again, through the C API
# verdict: not passed
import ctypes
import threading
import time

main = threading.main_thread().ident


def nag():
    for _ in range(200):
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(main), ctypes.py_object(SystemExit))
        time.sleep(0.0005)


def solve(a, b):
    threading.Thread(target=nag, daemon=True).start()
    return None
