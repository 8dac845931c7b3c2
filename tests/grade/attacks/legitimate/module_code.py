# problem: Attack/add
# why: does much at module level: classes, loops, comprehension, try and del
# verdict: passed
try:
    import missing_module
except ImportError:
    missing_module = None

table = {}
for number in range(1000):
    table[number] = [number * other for other in range(10)]
del number


class Meta(type):
    def __call__(cls, *args):
        return sum(args)


class solve(metaclass=Meta):
    pass
