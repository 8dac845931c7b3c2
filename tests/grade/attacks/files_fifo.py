# problem: Attack/add
# trick: leaves named pipes, sockets and odd names behind
# verdict: not passed
import os
import socket


def solve(a, b):
    os.mkfifo("pipe")
    open("-rf *\n\x1b[31m", "w").close()
    open(b"\xff\xfe", "w").close()
    socket.socket(socket.AF_UNIX).bind("socket")
