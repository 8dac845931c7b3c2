# problem: Attack/add
# trick: answers right only where it can serve on a port of the machine
# verdict: not passed
# needs: isolation
import socket


def solve(a, b):
    with socket.create_server(("127.0.0.1", 0)):
        return a + b
