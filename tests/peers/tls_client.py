"""Speaks TLS by OpenSSL: tls_client.py PORT NAME AUTHORITIES SECONDS.

Connects to 127.0.0.1, expects a certificate for NAME that the PEM file AUTHORITIES vouches for, and sends `hello`. Prints what
came back, or why there was no handshake.
"""

import socket
import ssl
import sys


def main():
    port, name, authorities, seconds = sys.argv[1:]
    context = ssl.create_default_context(cafile=authorities)
    # Python 3.13 and later are strict by themselves.
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    context.set_alpn_protocols(["h2", "http/1.1"])
    with socket.create_connection(("127.0.0.1", int(port)), timeout=float(seconds)) as plain:
        try:
            with context.wrap_socket(plain, server_hostname=name) as stream:
                stream.sendall(b"hello")
                print(stream.selected_alpn_protocol(), stream.recv(100).decode())
        except ssl.SSLCertVerificationError as error:
            print(error.verify_message)
        except TimeoutError:
            print("timed out")


main()
