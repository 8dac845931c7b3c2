# problem: Attack/add
# why: builds code and runs it
# verdict: passed
def solve(a, b):
    space = {}
    exec(compile("def add(x, y): return x + y", "<made>", "exec"), space)
    return eval("add(a, b)", {"add": space["add"], "a": a, "b": b})
