"""Supervision: the board of all branches, what is overdue and who is told, the look-back.

It counts what the other rooms hold; never a text of a speaker, never what lies unopened.
"""
