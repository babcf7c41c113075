"""The attack on what is deployed: proxy, application server, worker, database, and the traps."""
