"""What `tidegate bench` measures: a whole gateway of its own, under a sender that shares the host."""
