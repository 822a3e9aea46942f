"""How providers are spoken to: credentials, hosts, transport, and one module for each protocol. The only
room that sends anything over HTTP.
"""
