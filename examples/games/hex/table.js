// The table that a game is played at: who sits where, who left, and when it is time to end. Pure but for itself: the time and new tokens
// are given to it.

import { begin, canSwap, COLOURS, move, other, Refused, resign, swap } from "./rules.js";

/** How long things may last, in milliseconds. */
export const PATIENCE = {
  nobody: 120_000, // until somebody sits down
  alone: 600_000, // until a second one does
  away: 60_000, // until a player who left comes back
  linger: 5_000, // from the end of the game to the end of the process
};

const NAME = /^[\p{L}\p{N}][\p{L}\p{N} ._'-]{0,23}$/u;

export class Table {
  #game = begin();
  #seats = new Map(); // colour → { name, token, away: since when, or null }
  #patience;
  #since; // when the table was last empty
  #over = null; // { at, how }

  constructor(now, patience = PATIENCE) {
    this.#patience = patience;
    this.#since = now;
  }

  /** Seats somebody, or somebody again; gives their colour and the token to come back with. */
  join({ name, token }, now, makeToken) {
    if (token !== undefined) {
      const colour = COLOURS.find((one) => this.#seats.get(one)?.token === token);
      if (!colour) throw new Refused("Nobody sits here with that token.");
      this.#seats.get(colour).away = null;
      return { colour, token };
    }
    if (this.#over) throw new Refused("The game is over.");
    const called = typeof name === "string" ? name.trim() : "";
    if (!NAME.test(called)) throw new Refused("A name has 1 to 24 letters, digits and spaces.");
    const colour = COLOURS.find((one) => !this.#seats.has(one));
    if (!colour) throw new Refused("Both seats are taken: you can watch.");
    const taken = [...this.#seats.values()].some((seat) => seat.name === called);
    if (taken) throw new Refused(`${called} sits here already.`);
    const seat = { name: called, token: makeToken(), away: null };
    this.#seats.set(colour, seat);
    this.#since = now;
    return { colour, token: seat.token };
  }

  /** A player's connection ended. */
  leave(colour, now) {
    const seat = this.#seats.get(colour);
    if (seat) seat.away = now;
  }

  /** A player does something. */
  act(colour, message, now) {
    if (this.#seats.size < 2) throw new Refused("The other player is not here yet.");
    const before = this.#game;
    switch (message.type) {
      case "move": this.#game = move(before, colour, message.cell); break;
      case "swap": this.#game = swap(before, colour); break;
      case "resign": this.#game = resign(before, colour); break;
      default: throw new Refused(`${JSON.stringify(message.type)} is nothing that can be done: join, move, swap, resign.`);
    }
    if (this.#game.winner) this.#over = { at: now, how: message.type === "resign" ? "resigned" : "joined" };
  }

  /** Lets time pass; says whether that changed anything. */
  pass(now) {
    if (this.#over) return false;
    const gone = COLOURS.filter((one) => {
      const away = this.#seats.get(one)?.away ?? null;
      return away !== null && now - away >= this.#patience.away;
    });
    if (this.#seats.size < 2) {
      // a game that has not begun loses nothing when somebody gets up
      gone.forEach((one) => this.#seats.delete(one));
      if (gone.length) this.#since = now;
      const limit = this.#seats.size ? this.#patience.alone : this.#patience.nobody;
      if (now - this.#since >= limit) this.#over = { at: now, how: "nobody came" };
    } else if (gone.length === 2) {
      this.#over = { at: now, how: "abandoned" };
    } else if (gone.length === 1) {
      this.#game = { ...this.#game, turn: null, winner: other(gone[0]) };
      this.#over = { at: now, how: "left" };
    }
    return gone.length > 0 || this.#over !== null;
  }

  /** Whether the process has nothing to do any more. */
  isDone(now) {
    if (!this.#over) return false;
    const lingers = this.#game.winner ? this.#patience.linger : 0;
    return now - this.#over.at >= lingers;
  }

  get how() {
    return this.#over?.how ?? null;
  }

  /** What everybody may see. */
  view() {
    const { stones, turn, moves, winner, path } = this.#game;
    const seat = (colour) => {
      const there = this.#seats.get(colour);
      return there ? { name: there.name, here: there.away === null } : null;
    };
    const begun = this.#seats.size === 2;
    return {
      stones, moves, winner, path,
      turn: begun && !this.#over ? turn : null,
      canSwap: begun && !this.#over && canSwap(this.#game),
      players: { red: seat("red"), blue: seat("blue") },
      over: this.#over?.how ?? null,
    };
  }
}
