# problem: Attack/add
# trick: chains attributes until the C stack of a compiler overflows
# verdict: error | crashed | out_of_memory
# expand: ".x" * 200_000
value = solve@@
