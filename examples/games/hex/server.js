// Serves one game of Hex, and ends when it is over: a page at the base path, the game at `play` below it.
//
// `MKYS_PATH` is the base path, as a runner or a proxy gives it; without it the game is at `/`.

import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";

import { WebSocketServer } from "ws";

import { page } from "./page.js";
import { Refused, SIZE } from "./rules.js";
import { PATIENCE, Table } from "./table.js";

const PORT = Number(process.env.PORT ?? 8080);
const BASE = (process.env.MKYS_PATH ?? "").replace(/\/+$/, "");
const CONNECTIONS = 100;
/** Messages of one connection in a second: an automaton may be quick, but not keep everybody else from playing. */
const MESSAGES = 50;

const say = (text) => console.log(`${new Date().toISOString()} ${text}`);
const now = () => Math.round(performance.now());
const patience = Object.fromEntries(
  Object.entries(PATIENCE).map(([name, usual]) => {
    const seconds = Number(process.env[`HEX_${name.toUpperCase()}_S`]);
    return [name, seconds > 0 ? seconds * 1000 : usual];
  }),
);

const table = new Table(now(), patience);
const sitting = new Map(); // colour → its connection

const asset = (file, type) => ({ type, body: readFileSync(new URL(`public/${file}`, import.meta.url)) });
const assets = {
  "/style.css": asset("style.css", "text/css; charset=utf-8"),
  "/client.js": asset("client.js", "text/javascript; charset=utf-8"),
};
const HEADERS = {
  "Cache-Control": "no-store",
  "Content-Security-Policy": "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'",
  "Referrer-Policy": "no-referrer",
  "X-Content-Type-Options": "nosniff",
};

/** The path below the base; nothing if it is elsewhere. */
function below(url) {
  const path = url.split("?", 1)[0];
  return path.startsWith(`${BASE}/`) || path === BASE ? path.slice(BASE.length) : undefined;
}

const server = createServer((request, response) => {
  const answer = (status, type, body, more = {}) => {
    response.writeHead(status, { ...HEADERS, "Content-Type": type, "Content-Length": Buffer.byteLength(body), ...more });
    response.end(request.method === "HEAD" ? undefined : body);
  };
  if (!["GET", "HEAD"].includes(request.method)) return answer(405, "text/plain", "Only GET and HEAD.\n", { Allow: "GET, HEAD" });
  const path = below(request.url);
  if (path === "") return answer(308, "text/plain", "", { Location: `${BASE}/` });
  if (path === "/") return answer(200, "text/html; charset=utf-8", page(view()));
  if (path === "/play") return answer(426, "text/plain", "This is where the game's websocket is.\n", { Upgrade: "websocket" });
  if (Object.hasOwn(assets, path)) return answer(200, assets[path].type, assets[path].body);
  return answer(404, "text/plain", "There is nothing here.\n");
});

const sockets = new WebSocketServer({ noServer: true, maxPayload: 1024, perMessageDeflate: false });
server.on("upgrade", (request, socket, head) => {
  const refuse = (status) => socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
  socket.on("error", () => socket.destroy());
  if (below(request.url) !== "/play") return refuse("404 Not Found");
  if (sockets.clients.size >= CONNECTIONS) return refuse("503 Service Unavailable");
  return sockets.handleUpgrade(request, socket, head, (client) => attend(client));
});

const view = () => ({ ...table.view(), watching: sockets.clients.size - sitting.size });
const send = (client, message) => client.send(JSON.stringify(message), () => {});

function tell() {
  const message = JSON.stringify({ type: "state", ...view() });
  for (const client of sockets.clients) client.send(message, () => {});
}

function attend(client) {
  let colour = null;
  let [second, count] = [0, 0];
  client.isAlive = true;
  client.on("pong", () => (client.isAlive = true));
  client.on("error", () => client.terminate());
  client.on("close", () => {
    // another connection of the same player may have taken its place
    if (colour && sitting.get(colour) === client) {
      sitting.delete(colour);
      table.leave(colour, now());
      say(`${colour} left`);
    }
    tell();
  });
  client.on("message", (data, isBinary) => {
    const at = Math.floor(now() / 1000);
    [second, count] = at === second ? [second, count + 1] : [at, 1];
    if (count > MESSAGES) return client.close(1008, "too many messages");
    try {
      const message = parse(data, isBinary);
      if (message.type === "join") {
        if (colour && sitting.get(colour) === client) throw new Refused(`You sit here already, as ${colour}.`);
        colour = sit(client, message);
      } else if (!colour || sitting.get(colour) !== client) {
        throw new Refused("You watch. Take a seat first, if one is free.");
      } else {
        table.act(colour, message, now());
        const last = table.view().moves.at(-1);
        say(message.type === "resign" ? `${colour} gives up` : `${colour} ${last.swap ? "takes over, now at" : "to"} ${last.cell}`);
      }
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      return send(client, { type: "refused", reason: error.message });
    }
    return tell();
  });
  tell();
}

function parse(data, isBinary) {
  try {
    const message = isBinary ? null : JSON.parse(data.toString());
    if (message !== null && typeof message === "object" && typeof message.type === "string") return message;
  } catch {
    // it is said below
  }
  throw new Refused("A message is an object of JSON that has a type.");
}

function sit(client, message) {
  const { colour, token } = table.join(message, now(), randomUUID);
  const before = sitting.get(colour);
  sitting.set(colour, client);
  before?.close(4001, "you play from elsewhere now");
  send(client, { type: "seat", colour, token });
  say(`${colour} is ${table.view().players[colour].name}`);
  return colour;
}

function end(code, why) {
  say(why);
  for (const client of sockets.clients) client.close(code, why);
  server.close();
  // what is written above goes out first, and nobody is waited for
  setTimeout(() => process.exit(0), 100);
}

const clock = setInterval(() => {
  if (table.pass(now())) tell();
  if (table.isDone(now())) {
    clearInterval(clock);
    const { winner, players } = table.view();
    end(1000, winner ? `over: ${winner}, ${players[winner].name}, has won` : `over: ${table.how}`);
  }
}, 250);

// proxies cut connections that nothing passes on, and a player whose machine is gone says no goodbye
setInterval(() => {
  for (const client of sockets.clients) {
    if (!client.isAlive) client.terminate();
    client.isAlive = false;
    client.ping(() => {});
  }
}, 20_000).unref();

for (const signal of ["SIGTERM", "SIGINT"]) process.on(signal, () => end(1001, "it is ended from outside"));

server.listen(PORT, () => say(`Hex on ${SIZE}×${SIZE} at port ${server.address().port}, path ${BASE}/`));
