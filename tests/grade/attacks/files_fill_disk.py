# problem: Attack/add
# trick: writes until the disk is full
# verdict: not passed
def solve(a, b):
    number = 0
    block = b"x" * 2**20
    while number < 64:
        number += 1
        with open(f"file-{number}", "wb") as file:
            for _ in range(8):
                file.write(block)
