# problem: Attack/add
# why: writes to the folder that it runs in and cleans up
# verdict: passed
import os


def solve(a, b):
    with open("numbers.txt", "w") as file:
        file.write(f"{a} {b}")
    with open("numbers.txt") as file:
        total = sum(map(int, file.read().split()))
    os.remove("numbers.txt")
    return total
