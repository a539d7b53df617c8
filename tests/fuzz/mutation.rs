//! Good files made bad, the same way every time.

use prismbench_core::Stream;

/// Numbers that lengths, counts and offsets go wrong by.
const EDGES: [u64; 10] = [
    0,
    1,
    0x7F,
    0xFF,
    0x7FFF,
    0xFFFF,
    0x7FFF_FFFF,
    0xFFFF_FFFF,
    0x7FFF_FFFF_FFFF_FFFF,
    0xFFFF_FFFF_FFFF_FFFF,
];

/// Longest input: none of the seeds is longer, and no mutation may grow one without end.
const LONGEST: usize = 1 << 17;

/// Input `number` of a target: one of its seeds with one change, or up to eight. Half of them have one: a
/// file that is wrong in one place is read furthest.
pub(crate) fn input(target: &str, seeds: &[Vec<u8>], number: u64) -> Vec<u8> {
    let mut draw = Draw(Stream::new(&format!("fuzz {target}"), 0, number));
    let mut bytes = seeds[draw.below(seeds.len())].clone();
    let more = draw.below(2) * draw.below(8);
    for _ in 0..=more {
        change(&mut bytes, seeds, &mut draw);
    }
    bytes.truncate(LONGEST);
    bytes
}

struct Draw(Stream);

impl Draw {
    /// From 0 to `end` - 1; 0 where there is nothing to choose from.
    fn below(&mut self, end: usize) -> usize {
        self.0.below(end.max(1) as u64) as usize
    }

    fn byte(&mut self) -> u8 {
        self.0.next_u64().to_le_bytes()[0]
    }

    /// A range of a slice of this length, mostly short.
    fn part(&mut self, len: usize) -> std::ops::Range<usize> {
        let start = self.below(len);
        let most = [4, 16, 256, len][self.below(4)].min(len - start);
        start..start + self.below(most + 1)
    }
}

fn change(bytes: &mut Vec<u8>, seeds: &[Vec<u8>], draw: &mut Draw) {
    let at = draw.below(bytes.len());
    match draw.below(14) {
        0..=2 if !bytes.is_empty() => bytes[at] ^= 1 << draw.below(8),
        3..=4 if !bytes.is_empty() => bytes[at] = draw.byte(),
        5 => bytes.truncate(at),
        6 => {
            let part = draw.part(bytes.len());
            bytes.drain(part);
        }
        7 => {
            let part = bytes[draw.part(bytes.len())].to_vec();
            bytes.splice(at..at, part);
        }
        8 => {
            let other = &seeds[draw.below(seeds.len())];
            let part = other[draw.part(other.len())].to_vec();
            let end = (at + draw.below(part.len() + 1)).min(bytes.len());
            bytes.splice(at..end, part);
        }
        9..=11 => number(bytes, at, draw),
        12 => digits(bytes, draw),
        _ => {
            let fill = draw.byte();
            let part = draw.part(bytes.len());
            bytes[part].fill(fill);
        }
    }
}

/// Puts an extreme number, of 1 to 8 bytes of either order, where one may be.
fn number(bytes: &mut [u8], at: usize, draw: &mut Draw) {
    let width = (1_usize << draw.below(4)).min(bytes.len() - at);
    let edge = EDGES[draw.below(EDGES.len())].wrapping_sub(draw.below(2) as u64);
    let little = draw.below(2) == 0;
    for (place, slot) in bytes[at..at + width].iter_mut().enumerate() {
        let place = if little { place } else { width - 1 - place };
        *slot = edge.to_le_bytes()[place];
    }
}

/// Puts other decimal digits, or an extreme number, in the place of a run of them: in JSON, TOML and tar.
fn digits(bytes: &mut Vec<u8>, draw: &mut Draw) {
    let from = draw.below(bytes.len());
    let Some(start) = bytes[from..].iter().position(u8::is_ascii_digit) else { return };
    let start = from + start;
    let run = bytes[start..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let text = match draw.below(3) {
        0 => EDGES[draw.below(EDGES.len())].to_string(),
        1 => ["-1", "1e999", "0.5", "\"x\"", "null", "[]"][draw.below(6)].to_owned(),
        _ => draw.below(10_000_000).to_string(),
    };
    bytes.splice(start..start + run, text.into_bytes());
}
