import assert from "node:assert/strict";
import { test } from "node:test";

import { choose } from "../automaton.js";
import { begin, move } from "../rules.js";

test("automata play to an end, and each joins what it can join", () => {
  let game = begin();
  while (!game.winner) game = move(game, game.turn, choose(game.stones, game.turn, () => 0));
  assert.ok(game.moves.length < 49);
  const stones = Object.fromEntries(["d1", "d2", "d3", "d5", "d6", "d7"].map((cell) => [cell, "red"]));
  assert.equal(choose({ ...stones, a4: "blue" }, "red", () => 0), "d4");
});
