# problem: Attack/add
# trick: connects to a unix socket in a folder that everybody can reach
# verdict: not passed
# host: nothing arrives
import socket


def solve(a, b):
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect("@CANARY@/socket")
        return a + b
