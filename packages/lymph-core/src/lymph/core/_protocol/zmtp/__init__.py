"""ZMTP 3.x as pure logic: bytes in, messages and answers out.

Source: the ZeroMQ RFCs 23/ZMTP and 37/ZMTP. Only the NULL mechanism, and only DEALER and ROUTER
sockets are implemented.
"""
