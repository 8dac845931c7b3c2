# problem: Attack/text
# trick: replaces the codecs and error handlers that text is written with
# verdict: not passed
import codecs
import sys

for name in ("strict", "replace", "backslashreplace", "surrogatepass", "surrogateescape"):
    codecs.register_error(name, lambda error: ("passed", error.end))
codecs.lookup = codecs.encode = lambda *_: None
sys.stdout = sys.stderr = None


def solve(text):
    return "\ud800"
