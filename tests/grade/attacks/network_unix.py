# problem: Attack/add
# trick: connects to an abstract unix socket of the machine
# verdict: not passed
# host: nothing arrives
import socket


def solve(a, b):
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect("\0tv-attack-@PORT@")
        return a + b
