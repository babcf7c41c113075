"""Opinions that staff key in for others: paper, the telephone, a meeting; and what is printed.

A room of its own, because `submissions` never knows staff: here a person at the desk meets a drop,
and only the views know who that person is. Never a row that joins the two.
"""
