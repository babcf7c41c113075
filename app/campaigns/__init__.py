"""Campaigns (活动): their stages and required actions (规定动作), and what each branch did of them.

Never what anybody said: records count talks, hours and papers, and name the paper that shows it.
"""
