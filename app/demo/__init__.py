"""The demo county: everything in it is invented; nothing here is needed by a real instance."""
