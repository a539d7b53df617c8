use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};

use prismbench_core::Protocol;
use prismbench_data::{DataError, Dataset, DecodeError, FileState, Pending, Samples, Synthetic};

use super::*;
use crate::pictures::{OnBad, Part, Pictures};

/// What loading a picture does.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Good,
    /// This picture cannot be read.
    Bad,
    /// The set breaks off.
    Broken,
    Panic,
}

/// Synthetic pictures, some of which have another fate; counts those that are loaded.
struct Fakes {
    pictures: Synthetic,
    fate: fn(u64) -> Fate,
    loaded: AtomicU64,
    seen: fn(loaded: u64),
}

impl Fakes {
    fn new(count: u64, fate: fn(u64) -> Fate) -> Self {
        Self { pictures: Synthetic::new(3, count), fate, loaded: AtomicU64::new(0), seen: |_| {} }
    }
}

impl Dataset for Fakes {
    fn id(&self) -> &'static str {
        "fakes"
    }

    fn len(&self) -> u64 {
        self.pictures.len()
    }

    fn name(&self, _: u64) -> Option<&str> {
        None
    }

    fn classes(&self) -> &[String] {
        &[]
    }

    fn file_state(&self) -> FileState {
        FileState::default()
    }

    fn samples(&self, range: Range<u64>) -> Result<Samples<'_>, DataError> {
        let samples = self.pictures.samples(range)?;
        Ok(Box::new(samples.map(move |pending| {
            let pending = pending?;
            let (index, id) = (pending.index, pending.id.clone());
            match (self.fate)(index) {
                Fate::Broken => Err(DataError::NotFound { path: id.into() }),
                fate => Ok(Pending::new(index, id.clone(), move || {
                    (self.seen)(self.loaded.fetch_add(1, Ordering::SeqCst) + 1);
                    match fate {
                        Fate::Panic => panic!("a decoder's bug"),
                        Fate::Bad => {
                            let (path, cause) = (id.into(), DecodeError::CutShort);
                            Err(DataError::Unreadable { path, cause })
                        }
                        _ => pending.load(),
                    }
                })),
            }
        })))
    }
}

fn protocol() -> Protocol {
    Protocol::preset("default").unwrap().with("size", "32").unwrap()
}

/// Ids and digests of the pictures of a block.
type Block = Vec<(String, [u8; 32])>;

/// What a walk gave: each block with the ids left out until then, and the error that ended it.
#[derive(Debug, Default, PartialEq)]
struct Walk {
    blocks: Vec<(Block, Vec<String>)>,
    error: Option<String>,
}

impl Walk {
    /// Whether there is more.
    fn take(
        &mut self,
        block: Result<Option<PictureBlock>, PictureError>,
        skipped: &[Skipped],
    ) -> bool {
        match block {
            Ok(Some(block)) => {
                let block = block.iter().map(|picture| (picture.id.clone(), picture.digest));
                let skipped = skipped.iter().map(|skipped| skipped.id.clone());
                self.blocks.push((block.collect(), skipped.collect()));
                true
            }
            Ok(None) => false,
            Err(error) => {
                self.error = Some(error.to_string());
                false
            }
        }
    }
}

fn blocks<'a>(
    set: &'a Fakes,
    protocol: &'a Protocol,
    (on_bad, size): (OnBad, usize),
) -> Blocks<'a> {
    let pictures = Pictures { dataset: set, part: Part::All, limit: None, protocol, on_bad };
    pictures.blocks(size).unwrap()
}

fn plainly(set: &Fakes, how: (OnBad, usize)) -> Walk {
    let (protocol, mut walk) = (protocol(), Walk::default());
    let mut blocks = blocks(set, &protocol, how);
    loop {
        let block = blocks.next_block();
        let skipped = blocks.skipped().to_vec();
        if !walk.take(block, &skipped) {
            return walk;
        }
    }
}

fn ahead(set: &Fakes, how: (OnBad, usize), count: usize) -> Walk {
    let (protocol, mut walk) = (protocol(), Walk::default());
    read_ahead(blocks(set, &protocol, how), count, |blocks| {
        loop {
            let block = blocks.next_block();
            let skipped = blocks.skipped().to_vec();
            if !walk.take(block, &skipped) {
                // Once more: what has ended stays so.
                assert!(blocks.next_block().unwrap().is_none());
                return;
            }
        }
    });
    walk
}

/// In pools of one thread and of three, and outside of any.
fn everywhere(test: impl Fn() + Sync) {
    for threads in [1, 3] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(&test);
    }
    test();
}

#[test]
fn blocks_and_what_is_left_out_are_those_of_a_plain_walk() {
    let fate = |index| if index % 5 == 3 { Fate::Bad } else { Fate::Good };
    let set = Fakes::new(17, fate);
    for how in [(OnBad::Skip, 4), (OnBad::Skip, 1), (OnBad::Skip, 100)] {
        let expected = plainly(&set, how);
        assert!(expected.error.is_none() && !expected.blocks.is_empty());
        everywhere(|| {
            for count in [1, 2, 5, 100] {
                assert_eq!(ahead(&set, how, count), expected, "{how:?}, {count}");
            }
        });
    }
}

#[test]
fn an_error_comes_where_it_would_have_come() {
    let bad: fn(u64) -> Fate = |index| if index == 9 { Fate::Bad } else { Fate::Good };
    let broken: fn(u64) -> Fate = |index| if index == 9 { Fate::Broken } else { Fate::Good };
    for (fate, on_bad) in [(bad, OnBad::Stop), (broken, OnBad::Stop), (broken, OnBad::Skip)] {
        let set = Fakes::new(20, fate);
        for size in [1, 3, 4] {
            let expected = plainly(&set, (on_bad, size));
            assert_eq!(expected.blocks.len(), 9 / size, "whole blocks before it");
            assert!(expected.error.is_some());
            everywhere(|| assert_eq!(ahead(&set, (on_bad, size), 2), expected));
        }
    }
}

#[test]
fn no_more_is_made_than_may_wait() {
    static TAKEN: AtomicU64 = AtomicU64::new(0);
    const SIZE: u64 = 3;
    for count in [1, 2, 4] {
        let mut set = Fakes::new(40, |_| Fate::Good);
        set.seen = match count {
            1 => |loaded| assert_bound(loaded, 1),
            2 => |loaded| assert_bound(loaded, 2),
            _ => |loaded| assert_bound(loaded, 4),
        };
        everywhere(|| {
            TAKEN.store(0, Ordering::SeqCst);
            set.loaded.store(0, Ordering::SeqCst);
            let protocol = protocol();
            let mut pictures = 0;
            read_ahead(blocks(&set, &protocol, (OnBad::Stop, SIZE as usize)), count, |blocks| {
                loop {
                    // Counted before it is asked for, so that the bound holds while it is handed over.
                    TAKEN.fetch_add(1, Ordering::SeqCst);
                    let Some(block) = blocks.next_block().unwrap() else { return };
                    pictures += block.len();
                }
            });
            assert_eq!(pictures, 40);
        });
    }

    fn assert_bound(loaded: u64, ahead: u64) {
        let taken = TAKEN.load(Ordering::SeqCst);
        assert!(loaded <= (taken + ahead) * SIZE, "{loaded} pictures, {taken} blocks taken");
    }
}

#[test]
fn a_pass_that_ends_early_leaves_the_rest_alone() {
    let set = Fakes::new(1000, |_| Fate::Good);
    everywhere(|| {
        set.loaded.store(0, Ordering::SeqCst);
        let protocol = protocol();
        let first = read_ahead(blocks(&set, &protocol, (OnBad::Stop, 4)), 2, |blocks| {
            blocks.next_block().unwrap().unwrap()[0].id.clone()
        });
        assert_eq!(first, "000000");
        let loaded = set.loaded.load(Ordering::SeqCst);
        assert!((4..=16).contains(&loaded), "one taken, two waiting, one being made: {loaded}");
        // Nothing goes on behind the pass's back.
        std::thread::yield_now();
        assert_eq!(set.loaded.load(Ordering::SeqCst), loaded);
    });
}

#[test]
fn a_panic_in_a_decoder_is_told_and_nobody_waits_for_ever() {
    let set = Fakes::new(20, |index| if index == 9 { Fate::Panic } else { Fate::Good });
    for threads in [1, 3] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let walk = || pool.install(|| ahead(&set, (OnBad::Stop, 4), 2));
        let payload = catch_unwind(AssertUnwindSafe(walk)).unwrap_err();
        assert_eq!(payload.downcast_ref(), Some(&"a decoder's bug"));
    }
}
