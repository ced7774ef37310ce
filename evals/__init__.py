"""How well the engine does its one thing: the same change in many files of real code, judged by independent oracles.

The code is that of installed packages, copied into fresh git repositories at run time. `./dev eval` runs every
migration against the stand-in for Claude, `./dev eval --real` against Claude itself.
"""
