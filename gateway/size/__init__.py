"""What `tidegate size` computes: sensors by their packets, gateways by what was measured."""
