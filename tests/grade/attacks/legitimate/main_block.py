# problem: Attack/add
# why: has a main block that asks for input
# verdict: passed
def solve(a, b):
    return a + b


if __name__ == "__main__":
    print(solve(int(input("a? ")), int(input("b? "))))
    raise SystemExit
