# problem: Attack/sum
# why: the entry point is a built-in function
# verdict: passed
from operator import add as solve
