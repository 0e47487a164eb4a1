"""The Windows side of event forwarding, written out: what an administrator pastes there, and what an existing subscription will never deliver."""
