"""`make faults`: this engine and its peers through the emulator's faults, into docs/faults.md.

`scenes` arranges a fault, `run` starts an engine (`ours` or one of `peers`) in a child process, `judge` reads what
the destination holds afterwards, `document` writes the tables.
"""
