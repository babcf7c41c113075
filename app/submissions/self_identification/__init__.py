"""What in a text would give its speaker away: `check` finds and masks it; nothing is kept."""
