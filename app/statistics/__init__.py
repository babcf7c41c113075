"""The figures: counts with denominators; of ratings what suppression lets be told, no more.

Never a rank, never a rate of fewer than ten, never a silence counted as satisfied.
"""
