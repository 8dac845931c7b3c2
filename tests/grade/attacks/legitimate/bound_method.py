# problem: Attack/sum
# why: the entry point is a method of an object, as in contest code
# verdict: passed
class Solution:
    def add(self, a: int, b: int) -> int:
        return a + b


solve = Solution().add
