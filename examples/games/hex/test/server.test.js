import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

import WebSocket from "ws";

import { choose } from "../automaton.js";

const BASE = "/automathon/hex-1";

/** A server of its own for a test, at a port that is free. */
async function serve(t, env = {}) {
  const program = fileURLToPath(new URL("../server.js", import.meta.url));
  const server = spawn(process.execPath, [program], { env: { MKYS_PATH: BASE, PORT: "0", HEX_LINGER_S: "0.3", ...env }, stdio: ["ignore", "pipe", "inherit"] });
  t.after(() => server.kill("SIGKILL"));
  const exit = once(server, "exit");
  let said = "";
  const port = await new Promise((resolve) => {
    server.stdout.on("data", (data) => {
      said += data;
      const found = said.match(/at port (\d+)/);
      if (found) resolve(found[1]);
    });
  });
  return { server, exit, said: () => said, http: `http://127.0.0.1:${port}`, ws: `ws://127.0.0.1:${port}${BASE}/play` };
}

/** A connection that keeps what it hears. */
async function connect(t, url) {
  const socket = new WebSocket(url);
  t.after(() => socket.terminate());
  const heard = [];
  const waiting = [];
  socket.on("message", (data) => {
    heard.push(JSON.parse(data));
    waiting.forEach((look) => look());
  });
  const closed = once(socket, "close");
  await once(socket, "open");
  const find = (type, holds) =>
    new Promise((resolve) => {
      const look = () => {
        const found = heard.find((one) => one.type === type && holds(one));
        if (found) resolve(found);
      };
      waiting.push(look);
      look();
    });
  return {
    heard, closed, socket,
    send: (message) => socket.send(typeof message === "string" ? message : JSON.stringify(message)),
    state: (holds) => find("state", holds),
    seat: () => find("seat", () => true),
    refused: (words) => find("refused", (one) => words.test(one.reason)),
  };
}

async function both(t, game) {
  const [red, blue] = [await connect(t, game.ws), await connect(t, game.ws)];
  red.send({ type: "join", name: "Ada" });
  await red.seat();
  blue.send({ type: "join", name: "Blaise" });
  await blue.seat();
  return [red, blue];
}

test("its page is below the base path, and nothing else is there", async (t) => {
  const game = await serve(t);
  const get = (path) => fetch(game.http + path, { redirect: "manual" });
  const moved = await get(BASE);
  assert.deepEqual([moved.status, moved.headers.get("location")], [308, `${BASE}/`]);
  const page = await get(`${BASE}/`);
  assert.equal(page.status, 200);
  assert.match(page.headers.get("content-security-policy"), /default-src 'self'/);
  const text = await page.text();
  assert.match(text, /id="d4"/);
  const links = [...text.matchAll(/(?:src|href)="([^"]+)"/g)].map((found) => found[1]).filter((link) => !link.startsWith("data:"));
  for (const link of links) assert.equal((await get(`${BASE}/${link}`)).status, 200, link);
  const nowhere = ["/", "/play", `${BASE}x/`, `${BASE}/../server.js`, `${BASE}/server.js`, `${BASE}/constructor`];
  for (const path of nowhere) assert.equal((await get(path)).status, 404, path);
  assert.equal((await get(`${BASE}/play`)).status, 426);
  assert.equal((await fetch(`${game.http}${BASE}/`, { method: "POST" })).status, 405);
  const elsewhere = new WebSocket(`${game.http.replace("http", "ws")}/play`);
  const [error] = await once(elsewhere, "error");
  assert.match(error.message, /404/);
});

test("a handshake alone takes no seat; two play to the end, a third watches, and the process ends well", async (t) => {
  const game = await serve(t);
  (await connect(t, game.ws)).socket.close();
  const players = await both(t, game);
  const third = await connect(t, game.ws);
  third.send({ type: "join", name: "Carl" });
  await third.refused(/you can watch/);
  third.send({ type: "move", cell: "a1" });
  await third.refused(/You watch/);
  players.forEach((player, index) => {
    const mine = ["red", "blue"][index];
    let answered = 0;
    player.socket.on("message", (data) => {
      const message = JSON.parse(data);
      if (message.type !== "state" || message.turn !== mine || message.moves.length === answered) return;
      answered = message.moves.length;
      player.send({ type: "move", cell: choose(message.stones, mine, () => 0) });
    });
  });
  // they were both seated before they listened
  players[0].send({ type: "move", cell: "d4" });
  const over = await third.state((one) => one.over);
  assert.equal(over.over, "joined");
  assert.ok(over.path.length >= 7);
  assert.equal((await third.closed)[0], 1000);
  assert.deepEqual(await game.exit, [0, null]);
});

test("what can't be understood or is not allowed is refused, and disturbs nobody", async (t) => {
  const game = await serve(t);
  const [red, blue] = await both(t, game);
  for (const nonsense of ["", "{", "null", "7", "[]", '{"type":7}', '{"type":"join","name":{}}']) blue.send(nonsense);
  blue.socket.send(Buffer.from([1, 2, 3]));
  await blue.refused(/object of JSON/);
  await blue.refused(/sit here already/);
  blue.send({ type: "move", cell: "a1" });
  await blue.refused(/It is red's turn/);
  blue.send({ type: "fly" });
  await blue.refused(/nothing that can be done/);
  const loud = await connect(t, game.ws);
  loud.send(`{"type":"${"x".repeat(2000)}"}`);
  assert.equal((await loud.closed)[0], 1009);
  const quick = await connect(t, game.ws);
  for (let count = 0; count < 200; count += 1) quick.send({ type: "swap" });
  assert.equal((await quick.closed)[0], 1008);
  red.send({ type: "move", cell: "d4" });
  await blue.state((one) => one.stones.d4 === "red");
});

test("who lost the connection comes back with the token, and takes the place of their other window", async (t) => {
  const game = await serve(t);
  const [red, blue] = await both(t, game);
  const { token } = await red.seat();
  red.socket.terminate();
  await blue.state((one) => one.players.red?.here === false);
  const again = await connect(t, game.ws);
  again.send({ type: "join", token: "another" });
  await again.refused(/Nobody sits here/);
  again.send({ type: "join", token });
  assert.equal((await again.seat()).colour, "red");
  const window = await connect(t, game.ws);
  window.send({ type: "join", token });
  await window.seat();
  assert.equal((await again.closed)[0], 4001);
  window.send({ type: "move", cell: "b2" });
  const state = await blue.state((one) => one.stones.b2);
  assert.equal(state.players.red.here, true);
});

test("it ends by itself when nobody comes, or when nobody comes back", async (t) => {
  const empty = await serve(t, { HEX_NOBODY_S: "0.3" });
  assert.deepEqual(await empty.exit, [0, null]);
  assert.match(empty.said(), /nobody came/);
  const left = await serve(t, { HEX_AWAY_S: "0.3" });
  const [red, blue] = await both(t, left);
  red.socket.close();
  assert.equal((await blue.state((one) => one.winner)).over, "left");
  assert.deepEqual(await left.exit, [0, null]);
});

test("it ends at once when it is told to", async (t) => {
  const game = await serve(t);
  const [red] = await both(t, game);
  const since = Date.now();
  game.server.kill("SIGTERM");
  assert.equal((await red.closed)[0], 1001);
  assert.deepEqual(await game.exit, [0, null]);
  assert.ok(Date.now() - since < 1000);
});
