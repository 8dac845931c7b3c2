# problem: Attack/add
# trick: answers right only where it can read the data of the grader's own tasks
# verdict: not passed
# needs: isolation
def solve(a, b):
    with open("@SRC@/trueval/tasks/demo.jsonl") as file:
        return a + b if file.read(1) else None
