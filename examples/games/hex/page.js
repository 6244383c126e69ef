// The page, as the server renders it: what stands on the board can be read without any script; `public/client.js` makes it live.

import { CELLS, COLOURS, place, SIZE } from "./rules.js";

const R = 36; // from a cell's middle to its corners
const W = Math.sqrt(3) * R;
const MARGIN = 34;

const escape = (text) => text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
const round = (number) => Math.round(number * 10) / 10;
const point = (x, y) => `${round(x)},${round(y)}`;

function middle(row, column) {
  return { x: MARGIN + W / 2 + (column + row / 2) * W, y: MARGIN + R + row * 1.5 * R };
}

/** The corners of a cell, clockwise from the top. */
function corners(row, column, r = R) {
  const { x, y } = middle(row, column);
  const w = (Math.sqrt(3) * r) / 2;
  return [[0, -r], [w, -r / 2], [w, r / 2], [0, r], [-w, r / 2], [-w, -r / 2]].map(([dx, dy]) => point(x + dx, y + dy));
}

const EACH = Array.from({ length: SIZE }, (_, index) => index);
const LAST = SIZE - 1;

/** The line along a side of the board: the corners of its cells that are outside. */
const SIDES = [
  ["red", EACH.flatMap((column) => [5, 0, 1].map((corner) => corners(0, column)[corner]))],
  ["red", EACH.flatMap((column) => [4, 3, 2].map((corner) => corners(LAST, column)[corner]))],
  ["blue", EACH.flatMap((row) => [5, 4].map((corner) => corners(row, 0)[corner]))],
  ["blue", EACH.flatMap((row) => [1, 2].map((corner) => corners(row, LAST)[corner]))],
];

function cell(view, name) {
  const { row, column } = place(name);
  const { x, y } = middle(row, column);
  const colour = view.stones[name];
  const classes = ["cell", colour, view.path.includes(name) && "joins", view.moves.at(-1)?.cell === name && "last"];
  return `<g class="${classes.filter(Boolean).join(" ")}" id="${name}" role="button" aria-label="${name}, ${colour ?? "free"}">
  <polygon points="${corners(row, column, R - 1.2).join(" ")}"/>
  <circle class="stone" cx="${round(x)}" cy="${round(y)}" r="${round(R * 0.62)}"/>
  <circle class="mark" cx="${round(x)}" cy="${round(y)}" r="${round(R * 0.2)}"/>
</g>`;
}

function board(view) {
  const end = middle(LAST, LAST);
  const [width, height] = [round(end.x + W / 2 + MARGIN), round(end.y + R + MARGIN)];
  const letters = EACH.map((column) => {
    const { x, y } = middle(0, column);
    return `<text x="${round(x)}" y="${round(y - R - 10)}">${CELLS[column][0]}</text>`;
  });
  const numbers = EACH.map((row) => {
    const { x, y } = middle(row, 0);
    return `<text x="${round(x - W / 2 - 16)}" y="${round(y + 5)}">${row + 1}</text>`;
  });
  return `<svg id="board" viewBox="0 0 ${width} ${height}" role="group" aria-label="The board">
<g class="names" aria-hidden="true">${[...letters, ...numbers].join("")}</g>
${SIDES.map(([colour, points]) => `<polyline class="side ${colour}" points="${points.join(" ")}"/>`).join("\n")}
${CELLS.map((name) => cell(view, name)).join("\n")}
</svg>`;
}

function player(view, colour) {
  const seat = view.players[colour];
  const aim = colour === "red" ? "joins top and bottom" : "joins left and right";
  const classes = ["player", colour, view.turn === colour && "turn", view.winner === colour && "winner", seat && !seat.here && "away"];
  return `<li class="${classes.filter(Boolean).join(" ")}" id="player-${colour}">
  <span class="dot" aria-hidden="true"></span><span><b class="name">${seat ? escape(seat.name) : "free seat"}</b><br><small>${aim}</small></span>
</li>`;
}

/** The whole page, for what everybody may see. */
export function page(view) {
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Hex</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="style.css">
<script type="module" src="client.js"></script>
<main>
  <header><h1>Hex</h1><p id="status" role="status">${view.over ? "The game is over." : "Join your two sides before the other does."}</p></header>
  ${board(view)}
  <aside>
    <ul id="players">${COLOURS.map((colour) => player(view, colour)).join("")}</ul>
    <form id="join" hidden>
      <label for="name">Your name</label>
      <div><input id="name" name="name" maxlength="24" autocomplete="nickname" required><button>Take a seat</button></div>
    </form>
    <div id="actions" hidden>
      <button type="button" id="swap" hidden>Take the first stone over</button>
      <button type="button" id="resign" class="quiet">Give up</button>
    </div>
    <p id="said" role="alert" hidden></p>
    <h2>Moves</h2>
    <ol id="moves">${view.moves.map((one) => `<li class="${one.by}">${one.cell}${one.swap ? " ⇄" : ""}</li>`).join("")}</ol>
    <details>
      <summary>Rules</summary>
      <p>Red and blue put a stone in turn on any free cell. Red wins by a chain of stones from the top to the bottom, blue by one from the
      left to the right. There is no draw: a full board joins exactly one pair of sides.</p>
      <p>To begin is an advantage. So blue, instead of a first move, may take red's first stone over: it becomes blue's, at the
      mirrored place.</p>
      <p>An automaton plays at <code id="where">play</code>, over a websocket.</p>
    </details>
    <p id="watching"></p>
  </aside>
</main>
<noscript><p class="noscript">To play, this page needs JavaScript.</p></noscript>
</html>
`;
}
