# problem: every
# trick: empties the environment, changes locale, time zone, folder and umask
# verdict: not passed
import locale
import os
import time

os.environ.clear()
os.environ.update(PYTHONPATH="/tmp", LD_PRELOAD="/tmp/x.so", TZ="Mars/Olympus", LANG="xx")
time.tzset()
os.umask(0o777)
os.chdir("/")
try:
    locale.setlocale(locale.LC_ALL, "")
except locale.Error:
    pass


def solve(*args):
    return None
