"""A client of Toxiproxy that we did not write drives `gameday proxy`: ADMIN_PORT UPSTREAM, where UPSTREAM answers `ok`."""

import socket
import sys
import time

from toxiproxy import Toxiproxy
from toxiproxy.exceptions import NotFound, ProxyExists

ATTRIBUTES = {
    "latency": {"latency": 200, "jitter": 10},
    "bandwidth": {"rate": 100},
    "slow_close": {"delay": 100},
    "timeout": {"timeout": 100},
    "reset_peer": {"timeout": 0},
    "slicer": {"average_size": 64, "size_variation": 32, "delay": 10},
    "limit_data": {"bytes": 1},
}


def answer(listen):
    """What a client of the proxy gets, and after how many seconds."""
    host, port = listen.rsplit(":", 1)
    began = time.monotonic()
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall(b"?")
        received = b""
        try:
            while piece := connection.recv(16):
                received += piece
        except ConnectionResetError:
            received = None
    return received, time.monotonic() - began


def refuses(call, error):
    try:
        call()
    except error:
        return True
    return False


def main(port, upstream):
    server = Toxiproxy()
    server.update_api_consumer("127.0.0.1", port)
    assert server.running() and b"version" in server.version()
    proxy = server.create(name="api", upstream=upstream)
    assert refuses(lambda: server.create(name="api", upstream=upstream), ProxyExists)
    assert server.get_proxy("api").listen == proxy.listen
    assert answer(proxy.listen)[0] == b"ok"

    for toxic_type, attributes in ATTRIBUTES.items():
        proxy.add_toxic(type=toxic_type, attributes=attributes)
        toxic = proxy.get_toxic(f"{toxic_type}_downstream")
        assert toxic.attributes == attributes, (toxic_type, toxic.attributes)
        assert (toxic.type, toxic.stream, toxic.toxicity) == (toxic_type, "downstream", 1.0)
        assert proxy.destroy_toxic(toxic.name)
    assert refuses(lambda: proxy.destroy_toxic("nothing"), NotFound)

    proxy.add_toxic(type="latency", attributes={"latency": 300})
    received, seconds = answer(proxy.listen)
    assert received == b"ok" and seconds >= 0.3, seconds
    proxy.destroy_toxic("latency_downstream")
    proxy.add_toxic(type="reset_peer", name="broken")
    assert answer(proxy.listen)[0] is None
    proxy.add_toxic(type="latency", name="other", stream="upstream", toxicity=0.5)
    assert sorted(proxy.toxics()) == ["broken", "other"]
    assert server.reset() and not proxy.toxics()

    with proxy.down():
        assert refuses(lambda: answer(proxy.listen), ConnectionRefusedError)
    assert answer(proxy.listen)[0] == b"ok"
    made = server.populate([{"name": "db", "upstream": upstream, "listen": "127.0.0.1:0"}])
    assert [proxy.name for proxy in made] == ["db"] and sorted(server.proxies()) == ["api", "db"]
    server.destroy_all()
    assert server.proxies() == {}
    print("done")


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
