"""Bulletins (通报): what a branch, a unit or the county tells of its results and promises.

Never a speaker's words that weren't published, never a grade beside a name.
"""
