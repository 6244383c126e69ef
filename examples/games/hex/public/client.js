// Makes the page live: shows what the server tells, and tells it what the player does. All rules are the server's.

const $ = (id) => document.getElementById(id);
const socketUrl = new URL("play", location.href);
socketUrl.protocol = location.protocol === "https:" ? "wss:" : "ws:";
// of this tab: a reload comes back to its seat, another tab is another visitor
const KEY = `hex ${location.pathname}`;

let socket = null;
let mine = null;
let state = null;
let tries = 0;

function connect() {
  socket = new WebSocket(socketUrl);
  socket.onopen = () => {
    tries = 0;
    const token = sessionStorage.getItem(KEY);
    if (token) send({ type: "join", token });
  };
  socket.onmessage = (event) => {
    const message = JSON.parse(event.data);
    if (message.type === "seat") {
      mine = message.colour;
      sessionStorage.setItem(KEY, message.token);
      say("");
    } else if (message.type === "refused") {
      if (!mine && message.reason.startsWith("Nobody sits")) sessionStorage.removeItem(KEY);
      else say(message.reason);
    } else if (message.type === "state") {
      state = message;
      say("");
    }
    show();
  };
  socket.onclose = (event) => {
    if (state?.over || event.code === 1000 || event.code === 1001) return show();
    if (event.code === 4001) return say("You play from another window now.");
    tries += 1;
    say("The connection is lost. Trying again…");
    return setTimeout(connect, Math.min(500 * 2 ** tries, 8000));
  };
}

const send = (message) => socket.readyState === WebSocket.OPEN && socket.send(JSON.stringify(message));

function say(text) {
  $("said").textContent = text;
  $("said").hidden = !text;
}

const named = (colour) => state.players[colour]?.name ?? colour;

function status() {
  const { over, winner, turn, players } = state;
  if (winner) {
    const how = { joined: "", resigned: `: ${named(winner === "red" ? "blue" : "red")} gave up`, left: ": the other one left" }[over];
    return winner === mine ? `You have won${how}!` : `${named(winner)} has won${how}.`;
  }
  if (over) return "The game is over: nobody plays any more.";
  if (!players.red || !players.blue) return mine ? "Waiting for somebody to play against. Send them this page's address." : "Take a seat, or watch.";
  if (mine && turn === mine) return state.canSwap ? "Your move: put a stone, or take the first one over." : "Your move.";
  return `${named(turn)} is to move.`;
}

function show() {
  if (!state) return;
  const myTurn = mine !== null && state.turn === mine;
  for (const cell of document.querySelectorAll(".cell")) {
    const colour = state.stones[cell.id];
    const can = myTurn && !colour;
    cell.setAttribute("class", ["cell", colour, state.path.includes(cell.id) && "joins", state.moves.at(-1)?.cell === cell.id && "last", can && "can"].filter(Boolean).join(" "));
    cell.setAttribute("aria-label", `${cell.id}, ${colour ?? "free"}`);
    if (can) cell.setAttribute("tabindex", "0");
    else cell.removeAttribute("tabindex");
  }
  $("board").dataset.mine = mine ?? "";
  for (const colour of ["red", "blue"]) {
    const seat = state.players[colour];
    const card = $(`player-${colour}`);
    card.className = ["player", colour, state.turn === colour && "turn", state.winner === colour && "winner", seat && !seat.here && "away"].filter(Boolean).join(" ");
    card.querySelector(".name").textContent = seat ? `${seat.name}${mine === colour ? " (you)" : ""}${seat.here ? "" : ", away"}` : "free seat";
  }
  $("status").textContent = status();
  $("join").hidden = mine !== null || state.over !== null || (state.players.red !== null && state.players.blue !== null);
  $("actions").hidden = mine === null || state.over !== null || !state.players.red || !state.players.blue;
  $("swap").hidden = !(myTurn && state.canSwap);
  $("moves").replaceChildren(...state.moves.map((one) => {
    const line = document.createElement("li");
    line.className = one.by;
    line.textContent = one.cell + (one.swap ? " ⇄" : "");
    return line;
  }));
  $("moves").lastElementChild?.scrollIntoView({ block: "nearest" });
  $("watching").textContent = state.watching ? `${state.watching} watching` : "";
  document.title = myTurn ? "● Hex: your move" : "Hex";
}

$("where").textContent = socketUrl.href;
$("join").addEventListener("submit", (event) => {
  event.preventDefault();
  send({ type: "join", name: $("name").value });
});
$("swap").addEventListener("click", () => send({ type: "swap" }));
$("resign").addEventListener("click", () => confirm("Give this game up?") && send({ type: "resign" }));
const put = (target) => {
  const cell = target.closest?.(".cell.can");
  if (cell) send({ type: "move", cell: cell.id });
};
$("board").addEventListener("click", (event) => put(event.target));
$("board").addEventListener("keydown", (event) => {
  if (event.key !== "Enter" && event.key !== " ") return;
  event.preventDefault();
  put(event.target);
});
connect();
