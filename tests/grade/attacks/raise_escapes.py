# problem: Attack/add
# trick: raises an exception that would repaint the screen
# verdict: error | wrong | crashed
def solve(a, b):
    raise ValueError("\x1b[2J\x1b[32mpassed\x1b[0m\r\n\x07\x08\x00\u202e\u2028\ud800" * 50)
