// A client of Toxiproxy that we did not write drives `gameday proxy`: ADMIN_PORT UPSTREAM, where UPSTREAM answers `ok`.

const assert = require("node:assert");
const net = require("node:net");
const { Toxiproxy } = require("toxiproxy-node-client");

const ATTRIBUTES = {
  latency: { latency: 200, jitter: 10 },
  bandwidth: { rate: 100 },
  slow_close: { delay: 100 },
  timeout: { timeout: 100 },
  reset_peer: { timeout: 0 },
  slicer: { average_size: 64, size_variation: 32, delay: 10 },
  limit_data: { bytes: 1 },
};

// What a client of the proxy gets: text, or the code of the error.
function answer(listen) {
  return new Promise((resolve) => {
    const port = Number(listen.split(":").pop());
    const connection = net.connect({ host: "127.0.0.1", port }, () => connection.write("?"));
    let received = "";
    connection.on("data", (piece) => (received += piece));
    connection.on("end", () => resolve(received));
    connection.on("error", (error) => resolve(error.code));
  });
}

async function main(port, upstream) {
  const server = new Toxiproxy(`http://127.0.0.1:${port}`);
  assert.match(String(await server.getVersion()), /version/);
  const proxy = await server.createProxy({ name: "api", listen: "127.0.0.1:0", upstream });
  await assert.rejects(server.createProxy({ name: "api", listen: "127.0.0.1:0", upstream }));
  assert.equal((await server.get("api")).listen, proxy.listen);
  assert.equal(await answer(proxy.listen), "ok");

  for (const [type, attributes] of Object.entries(ATTRIBUTES)) {
    const toxic = await proxy.addToxic({ name: type, type, stream: "downstream", toxicity: 1, attributes });
    assert.deepEqual((await proxy.getToxic(type)).toJson(), toxic.toJson());
    assert.deepEqual(toxic.attributes, attributes);
    const changed = await toxic.update({ attributes, toxicity: 0.5 });
    assert.equal(changed.toxicity, 0.5);
    await changed.remove();
    await assert.rejects(proxy.getToxic(type));
  }

  await proxy.addToxic({ name: "broken", type: "reset_peer", stream: "downstream", toxicity: 1, attributes: { timeout: 0 } });
  assert.equal(await answer(proxy.listen), "ECONNRESET");
  await server.reset();
  assert.equal(await answer(proxy.listen), "ok");
  const disabled = await proxy.update({ enabled: false, listen: proxy.listen, upstream });
  assert.equal(disabled.enabled, false);
  assert.equal(await answer(proxy.listen), "ECONNREFUSED");

  const made = await server.populate([{ name: "db", listen: "127.0.0.1:0", upstream, enabled: true }]);
  assert.deepEqual(Object.keys(made), ["db"]);
  assert.deepEqual(Object.keys(await server.getAll()).sort(), ["api", "db"]);
  await made.db.remove();
  await (await server.get("api")).remove();
  assert.deepEqual(await server.getAll(), {});
  console.log("done");
}

main(process.argv[2], process.argv[3]).catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
