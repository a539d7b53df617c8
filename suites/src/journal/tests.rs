use std::fs;

use prismbench_core::RgbImage;
use prismbench_data::FileState;
use prismbench_metrics::Features as _;
use tempfile::TempDir;

use super::place::range;
use super::*;
use crate::origin::enter_files;
use crate::spool::Spool;

/// Pictures of one pixel, in blocks of three, with one number and rows of two layers each.
const TOTAL: u64 = 40;

fn origin(weights: &str) -> Origin {
    let fields = [("weights", weights), ("tool", "1")];
    fields.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn picture(index: u64) -> Prepared {
    let image = RgbImage::new(1, 1, vec![index as u8, 7, 9]).unwrap();
    Prepared::new(index, format!("p{index}"), Some(index as u32 % 5), image)
}

fn block(indices: Range<u64>, failed: bool) -> (Vec<Prepared>, Block<Vec<f64>>) {
    let pictures: Vec<Prepared> = indices.map(picture).collect();
    let value = |picture: &Prepared| 1.0 / (picture.index as f64 + 0.5);
    let state = pictures.iter().map(value).collect();
    let rows = |width: usize| {
        let row = |picture: &Prepared| {
            (0..width).map(|column| picture.index as f32 * 0.1 + column as f32).collect::<Vec<_>>()
        };
        FeatureRows::new(width, pictures.iter().flat_map(row).collect()).unwrap()
    };
    let rows = vec![rows(2), rows(5)];
    let failures = failed.then(|| "something".to_owned()).into_iter().collect();
    (pictures, Block { state, rows, failures })
}

/// Measures what is missing, three pictures at a time, up to a limit; how many were measured. Every
/// seventh picture is left out.
fn fill(journal: &mut Journal, limit: u64) -> u64 {
    if journal.is_whole() {
        return 0;
    }
    let (mut skipped, mut indices, mut measured) = (Vec::new(), Vec::new(), 0);
    let missing = journal.missing();
    for index in missing.clone() {
        if measured >= limit {
            return measured;
        }
        if index % 7 == 6 {
            skipped.push(Skipped { index, id: format!("p{index}"), reason: "bad".to_owned() });
            continue;
        }
        indices.push(index);
        if indices.len() == 3 {
            let (pictures, mut found) = block(index..index + 1, false);
            let all: Vec<_> =
                indices.drain(..).map(|index| block(index..index + 1, false)).collect();
            found.state = all.iter().flat_map(|(_, block)| block.state.clone()).collect();
            found.rows = (0..2)
                .map(|layer| {
                    let values =
                        all.iter().flat_map(|(_, block)| block.rows[layer].values().to_vec());
                    FeatureRows::new(found.rows[layer].width(), values.collect()).unwrap()
                })
                .collect();
            drop(pictures);
            let pictures: Vec<Prepared> =
                all.into_iter().flat_map(|(pictures, _)| pictures).collect();
            measured += pictures.len() as u64;
            journal.push(&pictures, std::mem::take(&mut skipped), found).unwrap();
        }
    }
    for index in indices {
        let (pictures, found) = block(index..index + 1, false);
        let before = skipped.iter().filter(|skipped| skipped.index < index).cloned().collect();
        skipped.retain(|skipped| skipped.index > index);
        measured += 1;
        journal.push(&pictures, before, found).unwrap();
    }
    journal.finish(skipped).unwrap();
    measured
}

/// Everything that a journal holds.
#[derive(Debug, PartialEq)]
struct All {
    pictures: Vec<(u64, String, Option<u32>, [u8; 32])>,
    skipped: Vec<u64>,
    numbers: Vec<u64>,
    rows: Vec<Vec<u32>>,
}

fn all(journal: &Journal) -> Result<All, JournalError> {
    let mut all = All { pictures: vec![], skipped: vec![], numbers: vec![], rows: vec![] };
    let mut spools = [Spool::new(2), Spool::new(5)];
    journal.recall(|block: Recalled<'_, Vec<f64>>| {
        for (place, spool) in spools.iter_mut().enumerate() {
            if block.state.is_some() {
                spool.adopt(block.names(), block.layer(place).unwrap()).unwrap();
            }
        }
        all.numbers.extend(block.state.iter().flatten().map(|number| number.to_bits()));
        all.skipped.extend(block.skipped.iter().map(|skipped| skipped.index));
        let entry = |entry: Entry| (entry.index, entry.id, entry.label, entry.digest);
        all.pictures.extend(block.pictures.into_iter().map(entry));
        Ok::<_, JournalError>(())
    })?;
    for spool in &spools {
        let mut values = vec![0.0; spool.rows() * spool.columns()];
        spool.read(0, &mut values).unwrap();
        all.rows.push(values.into_iter().map(f32::to_bits).collect());
    }
    Ok(all)
}

fn open(journals: &Journals, weights: &str) -> Result<Journal, JournalError> {
    journals.open("pass", (&origin(weights), TOTAL), &mut Vec::new())
}

fn expected() -> All {
    let mut journal = open(&Journals::Temporary, "a").unwrap();
    fill(&mut journal, u64::MAX);
    all(&journal).unwrap()
}

#[test]
fn a_journal_gives_back_what_was_put_in() {
    let found = expected();
    let indices: Vec<u64> = found.pictures.iter().map(|picture| picture.0).collect();
    assert_eq!(indices, (0..TOTAL).filter(|index| index % 7 != 6).collect::<Vec<_>>());
    assert_eq!(found.skipped, [6, 13, 20, 27, 34]);
    assert_eq!(found.numbers[1], (1.0_f64 / 1.5).to_bits());
    assert_eq!(found.rows[1][5 + 4], (0.1_f32 + 4.0).to_bits());
    assert_eq!(found.pictures[3].3, picture(3).digest);
}

#[test]
fn one_that_was_cut_anywhere_goes_on_with_what_is_whole() {
    let (expected, folder) = (expected(), TempDir::new().unwrap());
    let journals = Journals::Folder(folder.path().to_owned());
    let path = folder.path().join("pass.journal");
    fill(&mut open(&journals, "a").unwrap(), u64::MAX);
    let whole = fs::read(&path).unwrap();
    let mut kept = Vec::new();
    for length in (0..whole.len()).step_by(37).chain([whole.len() - 1, whole.len()]) {
        fs::write(&path, &whole[..length]).unwrap();
        let mut journal = open(&journals, "a").unwrap();
        let measured = fill(&mut journal, u64::MAX);
        kept.push(expected.pictures.len() as u64 - measured);
        assert_eq!(all(&journal).unwrap(), expected, "{length}");
        drop(journal);
        assert_eq!(fs::read(&path).unwrap(), whole, "{length}");
    }
    assert!(kept.is_sorted() && kept.first() == Some(&0), "{kept:?}");
    assert_eq!(kept.last(), Some(&(expected.pictures.len() as u64)));
    kept.dedup();
    assert!(kept.len() > 10, "at most a block is lost: {kept:?}");
}

#[test]
fn a_bit_that_turned_is_seen() {
    let (expected, folder) = (expected(), TempDir::new().unwrap());
    let journals = Journals::Folder(folder.path().to_owned());
    let path = folder.path().join("pass.journal");
    fill(&mut open(&journals, "a").unwrap(), u64::MAX);
    let whole = fs::read(&path).unwrap();
    for at in (0..whole.len()).step_by(11) {
        let mut bytes = whole.clone();
        bytes[at] ^= 16;
        fs::write(&path, &bytes).unwrap();
        let mut journal = open(&journals, "a").unwrap();
        fill(&mut journal, u64::MAX);
        match all(&journal) {
            // What was behind the bit was measured again.
            Ok(found) => assert_eq!(found, expected, "{at}"),
            Err(JournalError::Damaged { .. }) => {}
            Err(error) => panic!("{at}: {error}"),
        }
    }
}

#[test]
fn of_another_origin_nothing_stays_and_the_reason_is_said() {
    let folder = TempDir::new().unwrap();
    let journals = Journals::Folder(folder.path().to_owned());
    fill(&mut open(&journals, "a").unwrap(), 12);
    let mut said = Vec::new();
    let journal = journals.open("pass", (&origin("b"), TOTAL), &mut said).unwrap();
    assert_eq!(journal.missing(), 0..TOTAL);
    assert_eq!(
        said,
        ["what was measured before this run was stopped is measured again: weights changed"]
    );
}

#[test]
fn a_block_in_which_something_failed_is_measured_again() {
    let folder = TempDir::new().unwrap();
    let journals = Journals::Folder(folder.path().to_owned());
    let mut journal = open(&journals, "a").unwrap();
    for (first, failed) in [(0, false), (3, true), (6, false)] {
        let (pictures, block) = block(first..first + 3, failed);
        journal.push(&pictures, Vec::new(), block).unwrap();
    }
    drop(journal);
    let path = folder.path().join("pass.journal");
    let progress = JournalProgress::of(&path).unwrap();
    assert_eq!((progress.done, progress.is_whole), (9, false));
    assert_eq!(open(&journals, "a").unwrap().missing(), 3..TOTAL);
}

#[test]
fn ranges_of_shards_follow_each_other_and_are_whole_units() {
    for total in [0, 1, 15, 16, 17, 100, 1000, 50_000] {
        for count in [1, 2, 3, 7, 64, 1000] {
            let mut next = 0;
            for index in 0..count {
                let range = range(total, index, count);
                assert_eq!(range.start, next);
                assert!(
                    range.end == total || range.end.is_multiple_of(16),
                    "{total} {index} {count}"
                );
                next = range.end;
            }
            assert_eq!(next, total);
        }
    }
    assert_eq!(range(u64::MAX, 99_999, 100_000).end, u64::MAX);
}

fn shards(folder: &Path, count: u64) -> (Vec<Journals>, Journals) {
    let place = |index: u64| folder.join(format!("{count}-{index}"));
    let shard = |index| Journals::Shard { folder: place(index), index, count };
    ((0..count).map(shard).collect(), Journals::Merged((0..count).map(place).collect()))
}

#[test]
fn shards_together_are_the_whole() {
    let (expected, folder) = (expected(), TempDir::new().unwrap());
    for count in [1, 2, 3, 9] {
        let (each, merged) = shards(folder.path(), count);
        for shard in each.iter().rev() {
            // Stopped once on the way.
            fill(&mut open(shard, "a").unwrap(), 4);
            fill(&mut open(shard, "a").unwrap(), u64::MAX);
        }
        let journal = open(&merged, "a").unwrap();
        assert!(journal.is_whole() && !journal.is_shard());
        let found = all(&journal).unwrap();
        assert_eq!(found, expected, "{count}");
    }
}

#[test]
fn shards_that_are_not_all_there_or_are_of_another_run_are_refused() {
    let folder = TempDir::new().unwrap();
    let (each, merged) = shards(folder.path(), 2);
    let refusal = |weights: &str| match open(&merged, weights) {
        Ok(_) => panic!("{weights}"),
        Err(error) => error.to_string(),
    };
    fill(&mut open(&each[1], "a").unwrap(), u64::MAX);
    assert!(refusal("a").contains("shard 1 of 2 has not been measured as far"));
    fill(&mut open(&each[0], "a").unwrap(), 9);
    assert!(refusal("a").contains("ends with picture 10 of 16"), "{}", refusal("a"));
    fill(&mut open(&each[0], "a").unwrap(), u64::MAX);
    assert!(open(&merged, "a").is_ok());
    assert!(refusal("b").contains("its weights is `a`, and `b` is expected"));
    // Files that merely lie elsewhere are the same pictures.
    let mut moved = origin("a");
    moved.insert(LOCAL.to_owned(), "elsewhere".to_owned());
    assert!(merged.open("pass", (&moved, TOTAL), &mut Vec::new()).is_ok());
    let longer = merged.open("pass", (&origin("a"), TOTAL + 40), &mut Vec::new());
    assert!(longer.is_err_and(|error| error.to_string().contains("range of pictures")));
    let path = folder.path().join("2-0/pass.journal");
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let found = open(&merged, "a").and_then(|journal| all(&journal));
    assert!(found.is_err(), "damaged");
    fs::write(&path, "no journal\n").unwrap();
    assert!(refusal("a").contains("its form is `nothing that this build reads`"));
}

/// The origin of pictures whose files are in a state.
fn touched(state: &str) -> Origin {
    let mut origin = origin("a");
    let state = FileState { written: "w".to_owned(), touched: state.to_owned() };
    enter_files(&mut origin, LOCAL, state);
    origin
}

#[test]
fn a_journal_of_files_that_were_touched_keeps_what_is_still_the_same() {
    let folder = TempDir::new().unwrap();
    let journals = Journals::Folder(folder.path().to_owned());
    let open = |state: &str| {
        let mut said = Vec::new();
        let journal = journals.open("pass", (&touched(state), TOTAL), &mut said).unwrap();
        (journal, said)
    };
    fill(&mut open("1").0, 15);
    let position = open("1").0.missing().start;
    let (mut journal, said) = open("2");
    assert!(journal.is_in_doubt() && said.is_empty(), "{said:?}");
    let (mut next, mut digests) = (0, Vec::new());
    let changed = journal.settle::<JournalError>(|positions, entries| {
        assert_eq!(positions.start, next, "blocks follow each other");
        next = positions.end;
        digests.extend(entries.iter().map(|entry| (entry.index, entry.digest)));
        Ok(true)
    });
    assert_eq!((changed.unwrap(), next), (None, position));
    assert_eq!(digests.len(), 15);
    assert!(digests.iter().all(|&(index, digest)| digest == picture(index).digest));
    // Nobody asks twice, and a doubt that nobody settled stays one.
    let (journal, _) = open("2");
    assert!(!journal.is_in_doubt() && journal.missing().start == position);
    assert!(open("3").0.is_in_doubt() && open("3").0.is_in_doubt());
    let mut third = open("3").0;
    let mut blocks = 0;
    let changed = third.settle::<JournalError>(|_, _| {
        blocks += 1;
        Ok(blocks < 3)
    });
    // Three pictures a block; the seventh was left out, which its next block says.
    assert_eq!(changed.unwrap(), Some(6));
    assert_eq!((third.missing(), third.done()), (6..TOTAL, 6));
    fill(&mut third, u64::MAX);
    assert_eq!(all(&third).unwrap(), expected());
    let (journal, _) = open("3");
    assert!(journal.is_whole() && !journal.is_in_doubt());
    assert_eq!(all(&journal).unwrap(), expected());
    // A line of another length would not fit in its place.
    let (journal, said) = open("of another length");
    assert_eq!(journal.missing(), 0..TOTAL);
    assert!(said[0].ends_with("pictures' files changed"), "{said:?}");
}
