"""What is joined to records on their way to a destination that asks for it: one pure function each (`forwarders.enrichers.table` lists them)."""
