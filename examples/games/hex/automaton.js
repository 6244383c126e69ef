// An automaton that plays: `node automaton.js ws://127.0.0.1:8080/play NAME`. Copy it, and think of something better.
//
// It plays where its own way across and the other's are shortest together: such a cell helps itself and hinders the other.

import WebSocket from "ws";

import { CELLS, neighbours, other, place, SIZE } from "./rules.js";

/** For each cell, how many stones a colour lacks for a chain through it from one of its sides. */
function lacks(stones, colour, side) {
  const along = (cell) => (colour === "red" ? place(cell).row : place(cell).column);
  const costs = (cell) => (stones[cell] === colour ? 0 : stones[cell] ? Infinity : 1);
  const found = new Map(CELLS.map((cell) => [cell, along(cell) === side ? costs(cell) : Infinity]));
  const waiting = new Set(CELLS);
  while (waiting.size) {
    const nearest = [...waiting].reduce((one, two) => (found.get(two) < found.get(one) ? two : one));
    waiting.delete(nearest);
    for (const next of neighbours(nearest)) {
      found.set(next, Math.min(found.get(next), found.get(nearest) + costs(next)));
    }
  }
  return found;
}

/** A cell to play. `random` gives numbers from 0 to 1. */
export function choose(stones, colour, random = Math.random) {
  const ways = [colour, other(colour)].map((one) => [lacks(stones, one, 0), lacks(stones, one, SIZE - 1)]);
  const through = ([from, to], cell) => from.get(cell) + to.get(cell);
  const [own, others] = ways;
  const rated = CELLS.filter((cell) => !stones[cell]).map((cell) => {
    const { row, column } = place(cell);
    const far = Math.abs(row - 3) + Math.abs(column - 3);
    return { cell, worth: through(own, cell) + through(others, cell) + far / 50 + random() / 10 };
  });
  return rated.reduce((one, two) => (two.worth < one.worth ? two : one)).cell;
}

if (import.meta.url === `file://${process.argv[1]}`) {
  const [, , url, name = "automaton"] = process.argv;
  const socket = new WebSocket(url);
  const send = (message) => socket.send(JSON.stringify(message));
  let mine = null;
  let answered = -1;
  socket.on("open", () => send({ type: "join", name }));
  socket.on("message", (data) => {
    const message = JSON.parse(data);
    if (message.type === "seat") mine = message.colour;
    if (message.type === "refused") {
      console.error(message.reason);
      // without a seat nothing is played, and who started this should know
      if (!mine) process.exitCode = 1;
    }
    // a state is told again when somebody comes to watch
    if (message.type === "state" && mine && message.turn === mine && message.moves.length !== answered) {
      answered = message.moves.length;
      // a person would like to see it happen
      setTimeout(() => send({ type: "move", cell: choose(message.stones, mine) }), 400);
    }
  });
  socket.on("close", (code, reason) => console.log(String(reason)));
  socket.on("error", (error) => {
    console.error(error.message);
    process.exitCode = 1;
  });
}
