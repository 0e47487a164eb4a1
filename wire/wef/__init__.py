"""Windows Event Forwarding as it is spelled on the wire: WS-Management messages ([MS-WSMV], DSP0226), subscriptions and their queries. Sans-I/O."""
