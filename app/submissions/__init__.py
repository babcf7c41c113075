"""What speakers put into a shut box, and their receipts; never staff, never an address."""
