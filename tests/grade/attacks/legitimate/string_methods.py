# problem: Attack/text
# why: goes letter by letter through str methods
# verdict: passed
def solve(text):
    return "".join(map(str.capitalize, text.translate({ord("\0"): None})))
