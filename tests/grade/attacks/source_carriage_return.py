# problem: Attack/add
# trick: hides code behind carriage returns and form feeds
# verdict: not passed
# expand: "\r"
def solve(a, b):
    # nothing to see @@    pass
    return None@@raise SystemExit(0)
