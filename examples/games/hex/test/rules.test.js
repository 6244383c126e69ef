import assert from "node:assert/strict";
import { test } from "node:test";

import { begin, canSwap, CELLS, COLOURS, move, neighbours, other, Refused, resign, SIZE, swap } from "../rules.js";

const played = (cells) => cells.reduce((game, cell) => move(game, game.turn, cell), begin());
const refuses = (attempt, words) => assert.throws(attempt, (error) => error instanceof Refused && words.test(error.message));

test("cells touch each other both ways, six in the middle and two or three in the corners", () => {
  for (const cell of CELLS) {
    for (const near of neighbours(cell)) assert.ok(neighbours(near).includes(cell), `${cell} ${near}`);
  }
  const count = (cell) => neighbours(cell).length;
  assert.deepEqual(["d4", "a1", "g1", "a7", "g7", "d1"].map(count), [6, 2, 3, 3, 2, 4]);
});

test("red wins from top to bottom, by a shortest chain", () => {
  const game = played(["d1", "a1", "d2", "a2", "d3", "a3", "d4", "a4", "d5", "a5", "e5", "b5", "d6", "a6", "d7"]);
  assert.equal(game.winner, "red");
  assert.deepEqual(game.path, ["d1", "d2", "d3", "d4", "d5", "d6", "d7"]);
  assert.equal(game.turn, null);
});

test("blue wins from left to right, and not from top to bottom", () => {
  const down = ["b1", "a1", "b2", "a2", "b3", "a3", "b4", "a4", "b5", "a5", "b6", "a6", "c6", "a7"];
  assert.equal(played(down).winner, null);
  const across = ["a1", "a4", "b1", "b4", "c1", "c4", "d1", "d4", "e1", "e4", "f1", "f4", "a7", "g4"];
  assert.equal(played(across).winner, "blue");
});

test("what the rules do not allow is refused with a reason, and changes nothing", () => {
  const game = played(["d4"]);
  const before = JSON.stringify(game);
  refuses(() => move(game, "red", "d5"), /blue's turn/);
  refuses(() => move(game, "blue", "d4"), /d4 is taken/);
  for (const cell of ["h1", "a8", "A1", "", undefined, 4, "__proto__"]) refuses(() => move(game, "blue", cell), /There is no cell/);
  refuses(() => swap(played(["d4", "d5"]), "red"), /Only the first stone/);
  refuses(() => swap(begin(), "red"), /Only the first stone/);
  const over = resign(game, "blue");
  assert.equal(over.winner, "red");
  refuses(() => move(over, "blue", "a1"), /over: red has won/);
  refuses(() => resign(over, "red"), /over: red has won/);
  assert.equal(JSON.stringify(game), before);
});

test("the first stone can be taken over, at the place that is the same for the other's sides", () => {
  const game = played(["b1"]);
  assert.ok(canSwap(game));
  const swapped = swap(game, "blue");
  assert.deepEqual(swapped.stones, { a2: "blue" });
  assert.equal(swapped.turn, "red");
  assert.ok(!canSwap(swapped));
  assert.deepEqual(swap(played(["d4"]), "blue").stones, { d4: "blue" });
});

test("a game has one winner at its end, whatever is played", () => {
  // a generator of its own, so that a failure comes again
  let seed = 7;
  const random = (below) => (seed = (seed * 1103515245 + 12345) % 2147483648) % below;
  for (let round = 0; round < 300; round += 1) {
    let game = begin();
    const free = [...CELLS];
    while (!game.winner) {
      assert.ok(free.length, "a full board without a winner");
      game = move(game, game.turn, free.splice(random(free.length), 1)[0]);
    }
    const ends = game.path.filter((cell) => neighbours(cell).filter((near) => game.path.includes(near)).length === 1);
    assert.ok(game.path.length >= SIZE && ends.length === 2, `round ${round}: ${game.path}`);
    assert.ok(game.path.every((cell) => game.stones[cell] === game.winner));
    assert.ok(COLOURS.includes(other(game.winner)));
  }
});
