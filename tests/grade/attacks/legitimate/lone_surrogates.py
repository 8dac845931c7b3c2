# problem: Legitimate/surrogate
# why: answers with a string that cannot be written as UTF-8
# verdict: passed
def solve(text):
    return "\ud800" + text
