"""RADIUS accounting as it is spelled on the wire (RFC 2865, 2866): packets, attributes and their types, authenticators. Sans-I/O."""
