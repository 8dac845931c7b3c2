# problem: Attack/add
# trick: runs a code object whose byte code is garbage
# verdict: crashed | error | wrong | timeout
def solve(a, b):
    def victim():
        pass

    victim.__code__ = victim.__code__.replace(co_code=b"\x64\xff" * 8, co_consts=(), co_stacksize=1)
    return victim()
