"""What `tidegate check` looks at, before anything is started and, if asked, of others."""
