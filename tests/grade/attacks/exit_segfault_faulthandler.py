# problem: Attack/add
# trick: has faulthandler crash the process
# verdict: crashed | error | wrong
def solve(a, b):
    import faulthandler

    faulthandler._sigsegv()
