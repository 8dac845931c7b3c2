# problem: Attack/add
# trick: answers right only where it can read another process's memory
# verdict: not passed
# needs: isolation
import glob
import os


def solve(a, b):
    for path in glob.glob("/proc/[0-9]*/mem"):
        pid = path.split("/")[2]
        if pid == os.readlink("/proc/self"):
            continue
        try:
            with open(f"/proc/{pid}/maps") as maps, open(path, "rb", 0) as memory:
                memory.seek(int(maps.readline().split("-")[0], 16))
                memory.read(16)
                return a + b
        except (OSError, ValueError):
            pass
