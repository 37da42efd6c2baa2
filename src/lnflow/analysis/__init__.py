"""From stored facts to figures: causes to problems, demand, settle chance, value, urgency, verdicts.

Pure functions: no store, no clock, no node.  `facts` are the records they take, which `service` fills from
the store; what to do about the figures is left to `advice`.
"""
