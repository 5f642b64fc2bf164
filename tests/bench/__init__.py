"""`./run bench`: our side and the other side of each figure, measured in one run.

Benchmarks report; none of them fails because it was slow. One that measured broken calls is worth
nothing, so each proves first that every call was served and counted.
"""
