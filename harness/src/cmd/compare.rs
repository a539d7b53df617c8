use prismbench_core::nearest;
use prismbench_reports::{CompareFormat, Side, Verdict, compare, write_comparison};

use crate::cli::CompareArgs;
use crate::error::Failure;
use crate::output::{deliver, format};
use crate::{Exit, Streams, side};

/// Prints what changed between two runs.
pub(crate) fn run(args: &CompareArgs, streams: &mut Streams<'_>) -> Result<Exit, Failure> {
    let format: CompareFormat = format(&args.format)?;
    let mut before = side::read(&args.before, streams)?;
    let mut after = side::read(&args.after, streams)?;
    if let Some(text) = &args.tokenizer {
        // A reference may hold `=` itself; the first split that both runs know is meant.
        let pairs = text.match_indices('=').map(|(at, _)| (&text[..at], &text[at + 1..]));
        let pairs: Vec<_> = pairs.filter(|(a, b)| !a.is_empty() && !b.is_empty()).collect();
        let known = |&&(a, b): &&(&str, &str)| has(&before, a) && has(&after, b);
        let Some(&(a, b)) = pairs.iter().find(known).or(pairs.first()) else {
            return Err(Failure::Pair { text: text.clone() });
        };
        for (side, name) in [(&before, a), (&after, b)] {
            if !has(side, name) {
                let names = side.records.iter().map(|record| record.tokenizer.as_str());
                let nearest = nearest(name, names).map(str::to_owned);
                return Err(Failure::NoTokenizer { tokenizer: name.to_owned(), nearest });
            }
        }
        let name = format!("{a} → {b}");
        before = before.renamed(a, &name);
        after = after.renamed(b, &name);
    }
    let comparisons = compare(&before, &after, &[])?;
    let shown: Vec<Verdict> =
        Verdict::ALL.into_iter().filter(|&verdict| args.all || verdict != Verdict::Same).collect();
    deliver(args.out.as_deref(), streams, |out| {
        write_comparison(&comparisons, (format, &shown), out)
    })?;
    Ok(Exit::Done)
}

fn has(side: &Side, tokenizer: &str) -> bool {
    side.records.iter().any(|record| record.tokenizer == tokenizer)
}
