# problem: Attack/text
# why: names and answers are far from ASCII
# verdict: passed
def größer(текст):
    return текст.upper()


solve = größer
