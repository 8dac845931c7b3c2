# problem: Attack/add
# why: collects garbage, makes cycles and weak references
# verdict: passed
import gc
import weakref


class Node:
    pass


def solve(a, b):
    node = Node()
    node.self, watcher = node, weakref.ref(node)
    del node
    gc.collect()
    return a + b if watcher() is None else None
