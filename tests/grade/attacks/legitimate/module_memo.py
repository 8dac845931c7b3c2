# problem: Legitimate/power
# why: recurses through a memo of its module, which lives across calls
# verdict: passed
memo = {0: 1}


def solve(n):
    if n not in memo:
        half = solve(n // 2)
        memo[n] = half * half * (2 if n % 2 else 1)
    return memo[n]
