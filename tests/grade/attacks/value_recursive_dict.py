# problem: every
# trick: answers with a dict that contains itself, and its views
# verdict: not passed
def solve(*args):
    answer = {}
    answer["self"] = answer
    answer["items"] = answer.items()
    answer["values"] = answer.values()
    return answer
