# problem: Attack/sort
# why: changes its argument and answers with None
# verdict: passed
def solve(numbers):
    for i in range(len(numbers)):
        for j in range(i):
            if numbers[i] < numbers[j]:
                numbers[i], numbers[j] = numbers[j], numbers[i]
