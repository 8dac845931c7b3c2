# problem: Attack/add
# trick: searches a huge string in C, again and again
# verdict: timeout | out_of_memory
def solve(a, b):
    text = "a" * 10**7
    while True:
        text.find("a" * 5000 + "b")
