"""Evaluation rounds: slips, sealed ballots, the count; never who voted, never what somebody said
in a box."""
