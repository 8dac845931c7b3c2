# problem: Attack/add
# trick: leaves files in the folders that everybody may write to
# verdict: not passed
# host: no file left
import os


def solve(a, b):
    for folder in ("/tmp", "/var/tmp", "/dev/shm", "/run/lock", "@CANARY@", "/"):
        try:
            with open(os.path.join(folder, "tv-attack-file"), "w") as file:
                file.write("here")
        except OSError:
            pass
