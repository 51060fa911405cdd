"""ZMTP 3.x as pure logic: bytes in, messages and answers out.

Source: the ZeroMQ RFCs 23/ZMTP and 37/ZMTP. What is spoken here is the NULL mechanism between
DEALER and ROUTER sockets.
"""
