"""SIGKILL, full and read-only disks under load: nothing acknowledged is lost, nothing doubled."""
