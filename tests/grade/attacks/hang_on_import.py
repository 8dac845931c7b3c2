# problem: Attack/add
# trick: never gets to the end of its module
# verdict: timeout
while True:
    pass
