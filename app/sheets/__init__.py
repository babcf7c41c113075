"""What is printed: plain values in, PDF out; no date, no name of a machine, no running number."""
