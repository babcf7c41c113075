"""Opened opinions in the committee's hands; never a receipt code, never an hour."""
