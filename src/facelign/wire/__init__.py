"""Results as plain records: what the command line, a service and reports write and read."""
