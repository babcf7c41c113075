"""Three machines in one: a cluster as `deploy/cluster` sets it, under load, broken in turn."""
