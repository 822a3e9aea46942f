"""How requests and answers look at the endpoints of each protocol, one module a protocol: pure, so that what
would be sent can be shown, counted and tested without sending it.
"""
