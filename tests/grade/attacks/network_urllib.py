# problem: Attack/add
# trick: fetches the answer from a server of the machine
# verdict: not passed
# host: nothing arrives
import urllib.request


def solve(a, b):
    urllib.request.urlopen("http://127.0.0.1:@PORT@/", timeout=0.3)
    return a + b
