"""Measurements of lnflow: `python -m benchmarks` prints one table of ratios with absolute figures beside them.

Every bar is a ratio of two things measured in the same run, in interleaved rounds: absolute rates swing with
the machine, ratios hardly.  MISSION §5 names the bars.
"""
