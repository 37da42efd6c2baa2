"""What the faces may ask for: windows and documents of one node's store, checks, and nothing else.

`opportunities` is the façade that the command line, the pages and the Python API share.  Wiring real nodes
and files to it is left to `app`.
"""
