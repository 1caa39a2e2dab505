"""Imports an App's callable in this fresh interpreter, and prints how long that took, in ms.

It imports next to nothing itself: what is loaded already would not count.
"""

import sys
from time import perf_counter

module, _, path = sys.argv[1].partition(":")
began = perf_counter()
__import__(module)
found = sys.modules[module]
for name in path.removesuffix("()").split("."):
    found = getattr(found, name)
if path.endswith("()"):
    found()  # type: ignore[operator]
print(1000 * (perf_counter() - began))
