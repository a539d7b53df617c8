use super::step::{Pair, Quad, QuadKind, Step, Turn};

/// Steps with the same result, as many pairs as can be in fours.
///
/// Lines are changed in the nearest cache, and half of the time goes by on the way there and back:
/// fours make the way half as often.
pub(super) fn fused(steps: Vec<Step>, n: usize) -> Vec<Step> {
    let forward_first = transposed(fuse(transposed(fuse(steps.clone(), n)), n));
    let backward_first = fuse(transposed(fuse(transposed(steps), n)), n);
    if backward_first.len() < forward_first.len() { backward_first } else { forward_first }
}

fn transposed(mut steps: Vec<Step>) -> Vec<Step> {
    steps.reverse();
    steps.iter_mut().for_each(Step::transpose);
    steps
}

/// The steps before and after each step, slot by slot.
struct Neighbours {
    before: Vec<Vec<Option<usize>>>,
    after: Vec<Vec<Option<usize>>>,
}

impl Neighbours {
    fn new(steps: &[Step], n: usize) -> Self {
        let nobody: Vec<_> = steps.iter().map(|step| vec![None; step.slots().len()]).collect();
        let (mut before, mut after) = (nobody.clone(), nobody);
        let mut last: Vec<Option<(usize, usize)>> = vec![None; n];
        for (number, step) in steps.iter().enumerate() {
            for (place, &slot) in step.slots().iter().enumerate() {
                if let Some((number_before, place_before)) = last[slot as usize] {
                    before[number][place] = Some(number_before);
                    after[number_before][place_before] = Some(number);
                }
                last[slot as usize] = Some((number, place));
            }
        }
        Self { before, after }
    }
}

/// Pairs `ab` and `cd` whose results go to nothing but the pairs `ac` and `bd`, which take nothing
/// else, become one step.
fn fuse(steps: Vec<Step>, n: usize) -> Vec<Step> {
    let neighbours = Neighbours::new(&steps, n);
    let mut is_fused = vec![false; steps.len()];
    // Where a step goes: at the earlier of the second two, after everything that the first two need.
    let mut quads: Vec<Option<Quad>> = vec![None; steps.len()];
    for first in 0..steps.len() {
        if let Some((members, quad)) = quad(&steps, &neighbours, first)
            && members.iter().all(|&member| !is_fused[member])
        {
            members.iter().for_each(|&member| is_fused[member] = true);
            quads[members[2].min(members[3])] = Some(quad);
        }
    }
    let fused = steps.into_iter().zip(is_fused).zip(quads);
    fused
        .filter_map(|((step, is_fused), quad)| match quad {
            Some(quad) => Some(Step::Quad(quad)),
            None => (!is_fused).then_some(step),
        })
        .collect()
}

/// The four that begins with a pair, and the steps it is made of.
fn quad(steps: &[Step], neighbours: &Neighbours, first: usize) -> Option<([usize; 4], Quad)> {
    let pair = |number: usize| match &steps[number] {
        Step::Pair(pair) => Some(*pair),
        Step::Quad(_) | Step::Dense(_) => None,
    };
    let ab = pair(first)?;
    let [a, b] = ab.slots;
    let (third, fourth) = (neighbours.after[first][0]?, neighbours.after[first][1]?);
    let (ac, bd) = (pair(third)?.starting_with(a), pair(fourth)?.starting_with(b));
    let (c, d) = (ac.other(a), bd.other(b));
    let place = |number: usize, slot: u32| steps[number].slots().iter().position(|&s| s == slot);
    let second = neighbours.before[third][place(third, c)?]?;
    if third == fourth || Some(second) != neighbours.before[fourth][place(fourth, d)?] {
        return None;
    }
    let cd = pair(second)?;
    let turn = |pair: Pair| match pair.turn {
        Turn::Reflection { cos, sin } => Some([cos, sin]),
        Turn::Butterfly | Turn::Stretch => None,
    };
    let is_butterfly =
        |pair: Pair, slots: [u32; 2]| matches!(pair.turn, Turn::Butterfly) && pair.slots == slots;
    let (kind, turns) = match (turn(ab), turn(cd), turn(bd)) {
        (None, None, Some(last))
            if is_butterfly(ab, [a, b]) && is_butterfly(cd, [c, d]) && is_butterfly(ac, [a, c]) =>
        {
            (QuadKind::LastTurns, [last, [0.0; 2]])
        }
        (Some(first), Some(_), None) if is_butterfly(ac, [a, c]) && is_butterfly(bd, [b, d]) => {
            (QuadKind::FirstTurn, [first, turn(cd.starting_with(c))?])
        }
        (None, None, None)
            if is_butterfly(ab, [a, b])
                && is_butterfly(cd, [d, c])
                && is_butterfly(ac, [a, c])
                && is_butterfly(bd, [b, d]) =>
        {
            (QuadKind::NoneTurns, [[0.0; 2]; 2])
        }
        _ => return None,
    };
    let quad = Quad { slots: [a, b, c, d], kind, turns, is_transposed: false };
    Some(([first, second, third, fourth], quad))
}

impl Pair {
    fn other(self, slot: u32) -> u32 {
        if self.slots[0] == slot { self.slots[1] } else { self.slots[0] }
    }

    /// The same reflection with its slots in this order; a butterfly has an order of its own.
    fn starting_with(self, slot: u32) -> Self {
        let [first, second] = self.slots;
        match self.turn {
            Turn::Reflection { cos, sin } if slot == second => {
                Self { slots: [second, first], turn: Turn::Reflection { cos: -cos, sin } }
            }
            _ => self,
        }
    }
}
