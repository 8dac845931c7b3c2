# problem: Attack/add
# trick: connects to a server of the machine
# verdict: not passed
# host: nothing arrives
import socket


def solve(a, b):
    with socket.create_connection(("127.0.0.1", int("@PORT@")), timeout=0.3) as connection:
        connection.sendall(b"the tests are ...")
        return a + b
