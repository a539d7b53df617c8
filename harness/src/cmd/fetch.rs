use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use prismbench_baselines::{
    FetchError, GeneratorRef, Hub, HubFile, Model, TokenizerRef, generators,
};

use crate::cli::FetchArgs;
use crate::error::Failure;
use crate::progress::Progress;
use crate::{Exit, Streams};

/// How often an interrupt is looked for.
const PATIENCE: Duration = Duration::from_millis(100);

/// Downloads the weights of models into the hub's cache and prints where they are.
pub(crate) fn run(args: &FetchArgs, streams: &mut Streams<'_>) -> Result<Exit, Failure> {
    let hub = Hub::from_environment();
    // All references are checked before the first download.
    let wanted = args.models.iter().map(|text| Wanted::parse(text));
    for wanted in wanted.collect::<Result<Vec<_>, _>>()? {
        for part in wanted.model.parts {
            let revision = wanted.revision();
            let here = part.files.iter().find_map(|file| hub.find(file, revision));
            let path = match (here, part.files.first()) {
                (Some(path), _) => {
                    streams.say(&format!("{}: already here", wanted.id));
                    path
                }
                (None, Some(file)) => fetch(&hub, *file, revision, args, streams)?,
                (None, None) => {
                    let id = &wanted.id;
                    streams.say(&format!("{id}: no repository is known to have all of it"));
                    continue;
                }
            };
            writeln!(streams.out, "{}", path.display()).map_err(Failure::Output)?;
        }
    }
    Ok(Exit::Done)
}

/// A model with published weights, tokenizer or generator.
struct Wanted {
    id: String,
    model: &'static Model,
}

impl Wanted {
    fn parse(text: &str) -> Result<Self, Failure> {
        let family = text.split('@').next().unwrap_or_default();
        let (id, model, is_local) = match generators().iter().any(|entry| entry.family == family) {
            true => {
                let reference: GeneratorRef = text.parse()?;
                (reference.id.clone(), reference.model(), reference.weights.is_some())
            }
            false => {
                let reference: TokenizerRef = text.parse()?;
                (reference.id.clone(), reference.model(), reference.weights.is_some())
            }
        };
        let on_hub = |model: &&Model| model.parts.iter().any(|part| !part.files.is_empty());
        match model.filter(on_hub) {
            Some(model) if !is_local => Ok(Self { id, model }),
            _ => Err(Failure::NothingToFetch { model: text.to_owned() }),
        }
    }

    fn revision(&self) -> Option<&str> {
        self.id.split_once('@').map(|(_, revision)| revision)
    }
}

/// The download runs beside, so that an interrupt ends the command at once; the next attempt goes on
/// where it stopped.
fn fetch(
    hub: &Hub,
    file: HubFile,
    revision: Option<&str>,
    args: &FetchArgs,
    streams: &mut Streams<'_>,
) -> Result<PathBuf, Failure> {
    enum Event {
        Progress(u64, u64),
        Done(Result<PathBuf, FetchError>),
    }
    let (sender, receiver) = mpsc::channel();
    let (hub, revision) = (hub.clone(), revision.map(str::to_owned));
    thread::spawn(move || {
        // Nobody listens any more after an interrupt.
        let mut tell = |done, total| drop(sender.send(Event::Progress(done, total)));
        let fetched = hub.fetch(&file, revision.as_deref(), &mut tell);
        drop(sender.send(Event::Done(fetched)));
    });
    let title = format!("{}/{}", file.repository, file.path);
    let mut progress = Progress::new(args.progress, streams, title, 0);
    let fetched = loop {
        match receiver.recv_timeout(PATIENCE) {
            Ok(Event::Progress(done, total)) => {
                if let Some(line) = progress.update(done, total) {
                    streams.say(&line);
                }
            }
            Ok(Event::Done(fetched)) => break fetched,
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Err(Failure::FetchEnded),
        }
        if streams.interrupted.load(Ordering::Relaxed) {
            progress.finish();
            return Err(Failure::FetchInterrupted);
        }
    };
    progress.finish();
    Ok(fetched?)
}
