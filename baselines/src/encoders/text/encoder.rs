use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use candle_core::{DType, Device, Tensor};
use prismbench_core::{TextTower, TokenizerError};
use prismbench_weights::WeightsFile;

use super::network::Network;
use super::tokenizer::TextTokenizer;
use super::{TextConfig, TextSize};
use crate::model::Opening;
use crate::vit::at_once;

/// Part of a model that is its `tokenizer.json`.
const TOKENIZER: usize = 1;

/// The tower of texts of a file that holds one.
///
/// A text goes through the network at its own length, with others of that length: what is computed
/// for it does not depend on them.
pub(crate) struct TextEncoder {
    config: TextConfig,
    size: TextSize,
    logit: (f64, f64),
    file: WeightsFile,
    device: Device,
    tokenizer: Place,
    ready: Mutex<Option<Arc<Ready>>>,
}

/// What is loaded when the first text comes.
struct Ready {
    tokenizer: TextTokenizer,
    network: Network,
}

/// Where `tokenizer.json` is, or what to do to have it.
struct Place {
    path: PathBuf,
    remedy: String,
}

impl TextEncoder {
    /// For a file that was checked against [`TextConfig::expected`].
    ///
    /// Texts alone need `tokenizer.json`: whether it is there is not asked before one comes.
    ///
    /// # Errors
    /// As [`WeightsFile::load`].
    pub(crate) fn open(
        opening: &Opening<'_>,
        config: TextConfig,
        size: TextSize,
        file: WeightsFile,
    ) -> Result<Self, TokenizerError> {
        let device = opening.device.clone();
        let tokenizer = match opening.find(TOKENIZER) {
            Ok(path) => Place { path, remedy: opening.remedy() },
            Err(TokenizerError::WeightsMissing { path, remedy }) => Place { path, remedy },
            Err(error) => return Err(error),
        };
        let numbers = file.load(&config.logit(), &Device::Cpu)?;
        let mut logit = config.logit().into_iter().map(|expected| {
            let number = numbers.get(expected.name())?.to_scalar::<f32>()?;
            Ok::<_, TokenizerError>(f64::from(number))
        });
        let scale = libm::exp(logit.next().transpose()?.unwrap_or_default());
        let logit = (scale, logit.next().transpose()?.unwrap_or_default());
        Ok(Self { config, size, logit, file, device, tokenizer, ready: Mutex::new(None) })
    }

    fn ready(&self) -> Result<Arc<Ready>, TokenizerError> {
        let mut ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(ready) = &*ready {
            return Ok(Arc::clone(ready));
        }
        let Place { path, remedy } = &self.tokenizer;
        let kind = (self.config.style, self.config.context);
        let tokenizer = TextTokenizer::open(path, remedy, kind)?;
        let mut tensors = self.file.load(&self.config.network(self.size), &self.device)?;
        let network = Network::new(&self.config, self.size, &mut tensors)?;
        Ok(Arc::clone(ready.insert(Arc::new(Ready { tokenizer, network }))))
    }

    /// Embeddings of texts of one length, each as numbers of tokens.
    fn embed_alike(&self, ready: &Ready, texts: &[&[u32]]) -> Result<Tensor, TokenizerError> {
        let ids: Vec<usize> = texts.concat().into_iter().map(|id| id as usize).collect();
        let tokens = self.file.rows(&self.config.tokens(self.size), &ids, &self.device)?;
        ready.network.forward(&tokens.reshape((texts.len(), (), self.config.block.width))?)
    }

    /// `Err` for a token that the file has no embedding of.
    fn check(&self, tokenizer: &TextTokenizer, ids: &[u32]) -> Result<(), TokenizerError> {
        let vocabulary = self.size.vocabulary;
        let Some(&id) = ids.iter().find(|&&id| id as usize >= vocabulary) else { return Ok(()) };
        let token = tokenizer.token(id);
        let problem =
            format!("token {id}, `{token}`, is none of the {vocabulary} that the weights have");
        let path = tokenizer.path().to_owned();
        Err(TokenizerError::WeightsMismatch { path, problems: vec![problem] })
    }
}

impl TextTower for TextEncoder {
    fn embed(&self, texts: &[&str]) -> Result<Tensor, TokenizerError> {
        let ready = self.ready()?;
        let mut tokens = Vec::with_capacity(texts.len());
        for text in texts {
            let ids = ready.tokenizer.ids(text)?;
            self.check(&ready.tokenizer, &ids)?;
            tokens.push(ids);
        }
        let mut alike: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (index, ids) in tokens.iter().enumerate() {
            alike.entry(ids.len()).or_default().push(index);
        }
        // Where each text's embedding is among those made, which go by length.
        let mut place = vec![0_u32; texts.len()];
        let mut made = Vec::new();
        for (rank, &index) in alike.values().flatten().enumerate() {
            place[index] = rank as u32;
        }
        for (length, texts) in &alike {
            for few in texts.chunks(at_once(*length)) {
                let few: Vec<&[u32]> = few.iter().map(|&index| &*tokens[index]).collect();
                made.push(self.embed_alike(&ready, &few)?);
            }
        }
        if made.is_empty() {
            return Ok(Tensor::zeros((0, self.config.outputs), DType::F32, &self.device)?);
        }
        let place = Tensor::new(place, &self.device)?;
        Ok(Tensor::cat(&made, 0)?.index_select(&place, 0)?)
    }

    fn context(&self) -> usize {
        self.config.context
    }

    fn logit(&self) -> (f64, f64) {
        self.logit
    }
}
