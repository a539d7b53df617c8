//! A filter as tables of numbers: what its kernels on a GPU run through.

use super::dense::Kind as Matrix;
use super::mask::Pass;
use super::network::{Network, Run};
use super::plane::{LowPass, PlaneFilter};
use super::step::{QuadKind, Turn};
use crate::Size;

/// Steps of a network, run by run.
#[derive(Debug)]
pub(crate) struct NetworkTables {
    /// Six numbers a run: kind, steps (of a dense product, its slots), where its slots and its turns
    /// begin, kind of the matrix, whether it is transposed.
    pub(crate) runs: Vec<u32>,
    pub(crate) slots: Vec<u32>,
    /// Two numbers a pair, four a quad; of a dense product a turn's cosines and the constant.
    pub(crate) turns: Vec<f32>,
    /// Slots whose frequencies are wanted, and those of the others.
    pub(crate) kept: Vec<u32>,
    pub(crate) dropped: Vec<u32>,
    /// Slots of the longest dense product.
    pub(crate) room: usize,
}

/// What a filter does.
#[derive(Debug)]
pub(crate) struct FilterTables {
    pub(crate) size: Size,
    pub(crate) pass: Pass,
    /// Columns, rows, and the weights, `[kept of the rows][kept of the columns]`; `None` where everything
    /// is kept.
    pub(crate) low: Option<(NetworkTables, NetworkTables, Vec<f32>)>,
}

impl PlaneFilter {
    pub(crate) fn tables(&self) -> FilterTables {
        let low = self.low().map(|low: &LowPass| {
            let (down, across) = low.networks();
            (NetworkTables::of(down), NetworkTables::of(across), low.plain_weights(self.set()))
        });
        FilterTables { size: self.size(), pass: self.pass(), low }
    }
}

impl NetworkTables {
    fn of(network: &Network) -> Self {
        let mut tables = Self {
            runs: Vec::new(),
            slots: Vec::new(),
            turns: Vec::new(),
            kept: network.kept.clone(),
            dropped: network.dropped.clone(),
            room: 0,
        };
        for run in &network.runs {
            tables.add(run);
        }
        tables
    }

    fn add(&mut self, run: &Run) {
        let (slots, turns) = (self.slots.len() as u32, self.turns.len() as u32);
        let begin = |kind: u32, count: usize| [kind, count as u32, slots, turns, 0, 0];
        let header = match run {
            Run::Pairs(all) => {
                for pair in all {
                    self.slots.extend(pair.slots);
                    self.turns.extend(match pair.turn {
                        Turn::Reflection { cos, sin } => [cos, sin],
                        Turn::Butterfly | Turn::Stretch => [0.0; 2],
                    });
                }
                // Those of one run are of one kind.
                let kind = all.first().map_or(0, |pair| match pair.turn {
                    Turn::Butterfly => 0,
                    Turn::Reflection { .. } => 1,
                    Turn::Stretch => 2,
                });
                begin(kind, all.len())
            }
            Run::Quads { kind, is_transposed, all } => {
                for quad in all {
                    self.slots.extend(quad.slots);
                    self.turns.extend(quad.turns.as_flattened());
                }
                let kind = match kind {
                    QuadKind::LastTurns => 3,
                    QuadKind::FirstTurn => 4,
                    QuadKind::NoneTurns => 5,
                };
                let [kind, count, slots, turns, matrix, _] = begin(kind, all.len());
                [kind, count, slots, turns, matrix, u32::from(*is_transposed)]
            }
            Run::Dense(dense) => {
                self.slots.extend(&dense.slots);
                self.room = self.room.max(dense.slots.len());
                let (matrix, is_transposed, turn, constant) = dense.parts();
                self.turns.extend(turn);
                self.turns.push(constant);
                let matrix = match matrix {
                    Matrix::Cosine => 0,
                    Matrix::QuarterWave => 1,
                    Matrix::Fourier => 2,
                };
                let [kind, count, slots, turns, ..] = begin(6, dense.slots.len());
                [kind, count, slots, turns, matrix, u32::from(is_transposed)]
            }
        };
        self.runs.extend(header);
    }
}
