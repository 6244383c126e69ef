import assert from "node:assert/strict";
import { test } from "node:test";

import { Refused } from "../rules.js";
import { PATIENCE, Table } from "../table.js";

let made = 0;
const token = () => `token-${(made += 1)}`;
const refuses = (attempt, words) => assert.throws(attempt, (error) => error instanceof Refused && words.test(error.message));

function seated(names = ["Ada", "Blaise"]) {
  const table = new Table(0);
  const seats = names.map((name) => table.join({ name }, 0, token));
  return { table, seats };
}

test("two sit down, a third can watch", () => {
  const { table, seats } = seated();
  assert.deepEqual(seats.map((seat) => seat.colour), ["red", "blue"]);
  refuses(() => table.join({ name: "Carl" }, 0, token), /you can watch/);
  assert.equal(table.view().turn, "red");
  assert.ok(!JSON.stringify(table.view()).includes("token-"), "tokens are nobody else's");
});

test("names are names, and of one player each", () => {
  const table = new Table(0);
  for (const name of [undefined, "", " ", "<b>", "a".repeat(25), 7]) refuses(() => table.join({ name }, 0, token), /A name has/);
  table.join({ name: " Zoé " }, 0, token);
  refuses(() => table.join({ name: "Zoé" }, 0, token), /sits here already/);
});

test("nobody moves before both are there", () => {
  const { table } = seated(["Ada"]);
  refuses(() => table.act("red", { type: "move", cell: "d4" }, 0), /not here yet/);
  assert.equal(table.view().turn, null);
});

test("who left comes back with the token, and with no other", () => {
  const { table, seats } = seated();
  table.act("red", { type: "move", cell: "d4" }, 0);
  table.leave("blue", 0);
  assert.equal(table.view().players.blue.here, false);
  refuses(() => table.join({ token: "wrong" }, 0, token), /Nobody sits here/);
  refuses(() => table.join({ token: null }, 0, token), /Nobody sits here/);
  assert.equal(table.join({ token: seats[1].token }, 1, token).colour, "blue");
  assert.ok(!table.pass(PATIENCE.away + 1));
  assert.equal(table.view().players.blue.here, true);
});

test("who stays away loses", () => {
  const { table } = seated();
  table.leave("blue", 0);
  assert.ok(!table.pass(PATIENCE.away - 1));
  assert.ok(table.pass(PATIENCE.away));
  assert.equal(table.view().winner, "red");
  assert.equal(table.how, "left");
  assert.ok(!table.isDone(PATIENCE.away));
  assert.ok(table.isDone(PATIENCE.away + PATIENCE.linger));
});

test("a game that both left is abandoned", () => {
  const { table } = seated();
  table.leave("red", 0);
  table.leave("blue", 0);
  table.pass(PATIENCE.away);
  assert.equal(table.how, "abandoned");
  assert.ok(table.isDone(PATIENCE.away));
});

test("a seat is free again when its player left before the game began", () => {
  const { table, seats } = seated(["Ada"]);
  table.leave("red", 0);
  assert.ok(table.pass(PATIENCE.away));
  assert.equal(table.view().players.red, null);
  refuses(() => table.join({ token: seats[0].token }, PATIENCE.away, token), /Nobody sits here/);
  assert.equal(table.join({ name: "Blaise" }, PATIENCE.away, token).colour, "red");
});

test("a table that nobody comes to ends, and one with a single player as well", () => {
  const empty = new Table(0);
  assert.ok(!empty.pass(PATIENCE.nobody - 1));
  empty.pass(PATIENCE.nobody);
  assert.equal(empty.how, "nobody came");
  assert.ok(empty.isDone(PATIENCE.nobody));
  const { table } = seated(["Ada"]);
  table.pass(PATIENCE.nobody);
  assert.equal(table.how, null);
  table.pass(PATIENCE.alone);
  assert.equal(table.how, "nobody came");
});

test("a game that is over says so", () => {
  const { table } = seated();
  table.act("red", { type: "resign" }, 5);
  assert.equal(table.view().winner, "blue");
  assert.equal(table.how, "resigned");
  refuses(() => table.act("blue", { type: "move", cell: "a1" }, 6), /over/);
  refuses(() => table.act("blue", { type: "fly" }, 6), /nothing that can be done/);
});
