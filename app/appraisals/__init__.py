"""Appraisals of members (评议意见): self-appraisal, the committee's view, its delivery, the plan.

Never a word in clear, never one member's page to another, never a speaker's words unless allowed.
"""
