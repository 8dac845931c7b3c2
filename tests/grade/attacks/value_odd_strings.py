# problem: Attack/text
# trick: answers with strings full of control characters, escapes and surrogates
# verdict: not passed
def solve(text):
    return "\x00\x1b]0;owned\x07\x1b[31m\ud800\udfff\u202e\r\n" * 1000
