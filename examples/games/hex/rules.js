// The rules of Hex, and nothing else: pure, so that a page, a server and an automaton can all trust them.
//
// Red joins the top to the bottom, blue the left to the right. A cell is named by its column's letter and its row's number, from the
// top left: `a1`. One of the two always wins, as a full board joins exactly one pair of sides. Whoever begins has it easier; so the
// other may, instead of a first move, take that first stone over: it becomes theirs, at the place that is the same for their sides.

export const SIZE = 7;
export const COLOURS = ["red", "blue"];

/** What the rules do not allow, as a sentence for whoever tried it. */
export class Refused extends Error {}

export const other = (colour) => (colour === "red" ? "blue" : "red");

const name = (row, column) => String.fromCharCode(97 + column) + (row + 1);

/** All cells, row by row. */
export const CELLS = Array.from({ length: SIZE * SIZE }, (_, index) => name(Math.floor(index / SIZE), index % SIZE));

/** The row and the column of a cell, from zero; nothing if there is no such cell. */
export function place(cell) {
  const index = CELLS.indexOf(cell);
  return index < 0 ? undefined : { row: Math.floor(index / SIZE), column: index % SIZE };
}

const AROUND = [[-1, 0], [-1, 1], [0, -1], [0, 1], [1, -1], [1, 0]];

/** The cells that touch a cell. */
export function neighbours(cell) {
  const { row, column } = place(cell);
  return AROUND.map(([down, right]) => [row + down, column + right])
    .filter(([r, c]) => r >= 0 && r < SIZE && c >= 0 && c < SIZE)
    .map(([r, c]) => name(r, c));
}

/** A game that nobody has moved in. `stones` has the colour of each cell that is taken. */
export function begin() {
  return { stones: {}, turn: "red", moves: [], winner: null, path: [] };
}

function check(game, colour) {
  if (game.winner) throw new Refused(`The game is over: ${game.winner} has won.`);
  if (game.turn !== colour) throw new Refused(`It is ${game.turn}'s turn.`);
}

/** The game after a stone was put on a cell. */
export function move(game, colour, cell) {
  check(game, colour);
  if (typeof cell !== "string" || !place(cell)) throw new Refused(`There is no cell ${JSON.stringify(cell)}: they are a1 to ${CELLS.at(-1)}.`);
  if (game.stones[cell]) throw new Refused(`${cell} is taken.`);
  const stones = { ...game.stones, [cell]: colour };
  const path = joined(stones, colour);
  return {
    stones,
    turn: path.length ? null : other(colour),
    moves: [...game.moves, { by: colour, cell }],
    winner: path.length ? colour : null,
    path,
  };
}

/** Whether the first stone can be taken over now. */
export const canSwap = (game) => game.moves.length === 1 && !game.winner;

/** The game after blue took red's first stone over. */
export function swap(game, colour) {
  check(game, colour);
  if (!canSwap(game)) throw new Refused("Only the first stone can be taken over, instead of the second move.");
  const { row, column } = place(game.moves[0].cell);
  const cell = name(column, row);
  return { ...game, stones: { [cell]: colour }, turn: other(colour), moves: [...game.moves, { by: colour, cell, swap: true }] };
}

/** The game after a colour gave up. */
export function resign(game, colour) {
  if (game.winner) throw new Refused(`The game is over: ${game.winner} has won.`);
  return { ...game, turn: null, winner: other(colour) };
}

/** A shortest chain of stones from one side of a colour to the other; empty if there is none. */
function joined(stones, colour) {
  const along = (cell) => (colour === "red" ? place(cell).row : place(cell).column);
  const from = new Map(CELLS.filter((cell) => stones[cell] === colour && along(cell) === 0).map((cell) => [cell, null]));
  // a map is gone through in the order of what is put in, also while that goes on: the nearest first
  for (const [cell] of from) {
    if (along(cell) === SIZE - 1) {
      const path = [];
      for (let at = cell; at; at = from.get(at)) path.unshift(at);
      return path;
    }
    for (const next of neighbours(cell)) {
      if (stones[next] === colour && !from.has(next)) from.set(next, cell);
    }
  }
  return [];
}
