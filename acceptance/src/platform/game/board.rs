//! What a player of Hex sees, and where it puts its stones: where its own way across and the other's are shortest together. Pure.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;

const SIZE: usize = 7;
/// More than any way across lacks.
const FAR: u32 = 1000;

/// A player's colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Colour {
    /// From the top to the bottom; it begins.
    Red,
    /// From the left to the right.
    Blue,
}

/// What the game's server tells everybody. It tells more, for people's pages.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Board {
    /// The stones by their cell, such as `d4`.
    pub stones: BTreeMap<String, Colour>,
    /// Who is to move, while it is played.
    pub turn: Option<Colour>,
    /// All moves in their order.
    pub moves: Vec<Move>,
    /// Who has won.
    pub winner: Option<Colour>,
    /// Whether the first stone may be taken over.
    pub can_swap: bool,
    path: Vec<String>,
}

/// A move that was made.
#[derive(Debug, Clone, Deserialize)]
pub struct Move {
    by: Colour,
    cell: String,
    #[serde(default)]
    swap: bool,
}

impl Colour {
    fn other(self) -> Self {
        match self {
            Self::Red => Self::Blue,
            Self::Blue => Self::Red,
        }
    }

    fn sign(self) -> char {
        match self {
            Self::Red => '●',
            Self::Blue => '○',
        }
    }

    /// How far a cell is from the side that a colour begins at.
    fn along(self, (row, column): (usize, usize)) -> usize {
        match self {
            Self::Red => row,
            Self::Blue => column,
        }
    }
}

impl fmt::Display for Move {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let swap = if self.swap { "⇄" } else { " " };
        write!(f, "{}{}{swap}", self.by.sign(), self.cell)
    }
}

fn name((row, column): (usize, usize)) -> String {
    let letters = "abcdefg";
    format!("{}{}", &letters[column..=column], row + 1)
}

fn cells() -> impl Iterator<Item = (usize, usize)> {
    (0..SIZE).flat_map(|row| (0..SIZE).map(move |column| (row, column)))
}

fn touch((row, column): (usize, usize), (other_row, other_column): (usize, usize)) -> bool {
    let down = other_row.cast_signed() - row.cast_signed();
    let right = other_column.cast_signed() - column.cast_signed();
    down.abs() <= 1 && right.abs() <= 1 && down != right
}

/// How many stones a colour lacks for a chain through each cell, from one of its sides.
fn lacks(board: &Board, colour: Colour, side: usize) -> BTreeMap<(usize, usize), u32> {
    let costs = |cell| match board.stones.get(&name(cell)) {
        Some(there) if *there == colour => 0,
        Some(_) => FAR,
        None => 1,
    };
    let begin = |cell| match colour.along(cell) == side {
        true => costs(cell),
        false => FAR,
    };
    let mut found: BTreeMap<_, _> = cells().map(|cell| (cell, begin(cell))).collect();
    // a way may wind through all cells
    for _ in cells() {
        for cell in cells() {
            let near = cells().filter(|other| touch(cell, *other));
            let nearest = near.map(|other| found[&other]).min().unwrap_or(FAR);
            let through = nearest.saturating_add(costs(cell)).min(found[&cell]);
            found.insert(cell, through);
        }
    }
    found
}

/// Where a colour puts its next stone.
#[must_use]
pub fn choose(board: &Board, colour: Colour) -> String {
    let ways =
        [colour, colour.other()].map(|one| [lacks(board, one, 0), lacks(board, one, SIZE - 1)]);
    let worth = |cell: &(usize, usize)| -> u32 {
        let ways = ways.iter().flatten().map(|way| way[cell].min(FAR));
        let (row, column) = *cell;
        // of two that are alike the one nearer to the middle
        let middle = SIZE / 2;
        let off = row.abs_diff(middle) + column.abs_diff(middle);
        ways.sum::<u32>() * 16 + u32::try_from(off).unwrap_or_default()
    };
    let free = cells().filter(|cell| !board.stones.contains_key(&name(*cell)));
    free.min_by_key(worth).map(name).unwrap_or_default()
}

/// The board as a person reads it, with the winner's chain.
#[must_use]
pub fn draw(board: &Board) -> Vec<String> {
    let letters = "a  b  c  d  e  f  g";
    let row = |row: usize| {
        let cells = (0..SIZE).map(|column| {
            let name = name((row, column));
            let sign = board.stones.get(&name).map_or('·', |colour| colour.sign());
            match board.path.contains(&name) {
                true => format!("[{sign}]"),
                false => format!(" {sign} "),
            }
        });
        let indent = " ".repeat(row + row / 2);
        format!("{indent}{:>2} {}", row + 1, cells.collect::<String>())
    };
    std::iter::once(format!("    {letters}"))
        .chain((0..SIZE).map(row))
        .collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop at once")]
mod tests {
    use super::*;

    fn board(stones: &[(&str, Colour)]) -> Board {
        Board {
            stones: stones
                .iter()
                .map(|(cell, colour)| ((*cell).to_owned(), *colour))
                .collect(),
            turn: None,
            moves: Vec::new(),
            winner: None,
            can_swap: false,
            path: Vec::new(),
        }
    }

    #[test]
    fn cells_in_the_middle_touch_six_others() {
        assert_eq!(cells().filter(|cell| touch((3, 3), *cell)).count(), 6);
        assert_eq!(cells().filter(|cell| touch((0, 0), *cell)).count(), 2);
    }

    #[test]
    fn a_chain_that_lacks_one_stone_gets_it() {
        let red = ["d1", "d2", "d3", "d5", "d6", "d7"].map(|cell| (cell, Colour::Red));
        assert_eq!(choose(&board(&red), Colour::Red), "d4");
        assert_eq!(choose(&board(&red), Colour::Blue), "d4");
        assert_eq!(choose(&board(&[]), Colour::Red), "d4");
    }
}
