# problem: Attack/sum
# why: the entry point is a lambda
# verdict: passed
solve = lambda a, b: a + b
