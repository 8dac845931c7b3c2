# problem: Attack/sum
# why: the entry point is an object with __call__
# verdict: passed
class Adder:
    def __call__(self, a, b):
        return a + b


solve = Adder()
