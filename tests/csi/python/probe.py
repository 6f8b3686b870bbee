"""Asks a CSI socket as a program written with gRPC's defaults does: `probe.py SOCKET [AUTHORITY]`.

Prints the status' code and message.
"""

import sys

import grpc

SOCKET, AUTHORITY = sys.argv[1], sys.argv[2:]


def probe(channel):
    # The request says nothing, and what the answer says does not matter: no message of CSI's is needed.
    call = channel.unary_unary("/csi.v1.Identity/Probe", lambda _: b"", bytes)
    call(None, timeout=30)
    return "OK"


options = [("grpc.default_authority", authority) for authority in AUTHORITY]
with grpc.insecure_channel(f"unix://{SOCKET}", options) as channel:
    try:
        print(probe(channel))
    except grpc.RpcError as error:
        print(error.code().name, error.details())
