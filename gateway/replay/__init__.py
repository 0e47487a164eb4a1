"""What `tidegate replay` does: files of events, read message by message, to records or into the running gateway."""
